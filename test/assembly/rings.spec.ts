/** Rings of sockets: their order, what they cost, and how they are kept for reuse. */
import { attachDetached, close } from '../../assembly/pvcalls/abi';
import { connectSocket, setRingOrder } from '../../assembly/pvcalls/calls';
import { handleEvent } from '../../assembly/pvcalls/instance';
import { recv } from '../../assembly/pvcalls/stream';
import {
  COUNTER_FRAMES_FREE,
  COUNTER_PARKED,
  INIT_FLAGS,
  INIT_FRAMES,
  INIT_REUSE,
  INIT_RING_ORDER,
  INIT_SOCKETS,
  POLLIN,
  POLLOUT,
} from '../../assembly/wire/abi';
import { EAGAIN, EINPROGRESS, EINVAL, EIO, ENOBUFS } from '../../assembly/wire/errno';
import {
  fake_fail_after,
  fake_frame_of,
  fake_grants,
  fake_ports,
  fake_set_busy,
  fake_violations,
} from './fake';
import {
  boot,
  configure,
  counter,
  expectClosed,
  expectDone,
  expectFramesBack,
  expectReady,
  option,
  skipEvents,
  sockaddr,
  USER,
} from './guest';
import {
  attach,
  CONNECT,
  dataPage,
  idOf,
  learnRing,
  openFresh,
  openListening,
  produce,
  RELEASE,
  reply,
  serve,
  setErrors,
  take,
} from './scripted-backend';

function start(features: u32, flags: u32): void {
  configure();
  option(INIT_FLAGS, flags);
  boot();
  attach(4, features);
}

/** Where the indexes page of this CONNECT stands. */
function pageOfRing(request: usize): usize {
  learnRing(request);
  return dataPage;
}

/** Connects with a ring of this order. Result: the CONNECT. */
function connect(handle: i32, order: u32): usize {
  setRingOrder(handle, order);
  connectSocket(handle, sockaddr(80), 16);
  const request = take(CONNECT);
  reply(request, 0);
  skipEvents();
  return request;
}

/** Closes; the backend is asked to keep its mapping. */
function release(handle: i32, ret: i32): void {
  close(handle);
  const request = take(RELEASE);
  expect(load<u8>(request, 16)).toBe(1);
  reply(request, ret);
  expectClosed(handle, ret);
}

beforeEach(() => {
  configure();
  boot();
  attach(9, 0);
});

afterEach(() => {
  expect(fake_violations()).toBe(0);
});

describe('the order of a ring', () => {
  it('is 4, or what the backend allows when that is less', () => {
    connectSocket(openFresh(), sockaddr(80), 16);
    expect(fake_grants()).toBe(1 + 17);
    configure();
    boot();
    attach(2, 0);
    connectSocket(openFresh(), sockaddr(80), 16);
    expect(fake_grants()).toBe(1 + 5);
  });

  it('can be set from 1 to what the backend allows, and to 9 at most', () => {
    const handle = openFresh();
    expect(setRingOrder(handle, 0)).toBe(-EINVAL);
    expect(setRingOrder(handle, 1)).toBe(0);
    expect(setRingOrder(handle, 9)).toBe(0);
    expect(setRingOrder(handle, 10)).toBe(-EINVAL);
    configure();
    boot();
    attach(3, 0);
    expect(setRingOrder(openFresh(), 4)).toBe(-EINVAL);
  });

  it('of the configuration that the backend does not allow makes connect EINVAL', () => {
    configure();
    option(INIT_RING_ORDER, 5);
    boot();
    attach(4, 0);
    const handle = openFresh();
    expect(connectSocket(handle, sockaddr(80), 16)).toBe(-EINVAL);
    setRingOrder(handle, 4);
    expect(connectSocket(handle, sockaddr(80), 16)).toBe(-EINPROGRESS);
  });

  it('9 takes 513 grants; when they run out it is ENOBUFS and all are rolled back', () => {
    const handle = openFresh();
    setRingOrder(handle, 9);
    fake_fail_after(512);
    expect(connectSocket(handle, sockaddr(80), 16)).toBe(-ENOBUFS);
    expect(fake_grants()).toBe(1);
    fake_fail_after(513); // the grants, but not the port
    expect(connectSocket(handle, sockaddr(80), 16)).toBe(-ENOBUFS);
    expect(fake_grants()).toBe(1);
    expect(fake_ports()).toBe(1);
    fake_fail_after(514);
    expect(connectSocket(handle, sockaddr(80), 16)).toBe(-EINPROGRESS);
    expect(fake_grants()).toBe(1 + 513);
    serve(CONNECT, 0);
    expectDone(handle, CONNECT, 0);
  });

  it('that the arena cannot hold is ENOBUFS', () => {
    configure();
    option(INIT_FRAMES, 40);
    boot();
    attach(9, 0);
    const handle = openFresh();
    setRingOrder(handle, 6);
    expect(connectSocket(handle, sockaddr(80), 16)).toBe(-ENOBUFS);
    setRingOrder(handle, 4);
    expect(connectSocket(handle, sockaddr(80), 16)).toBe(-EINPROGRESS);
  });
});

describe('a new ring', () => {
  it('is granted zeroed, whatever its frames held for an earlier backend', () => {
    const first = connect(openFresh(), 2);
    const page = pageOfRing(first);
    memory.fill(page, 0xee, 5 * 4096);
    setErrors(page, 0, 0);
    attachDetached();
    skipEvents();
    close(<i32>idOf(first));
    skipEvents();
    expectFramesBack();
    attach(9, 0);
    const second = openFresh();
    setRingOrder(second, 2);
    connectSocket(second, sockaddr(80), 16);
    expect(pageOfRing(take(CONNECT))).toBe(page);
    let dirty = 0;
    for (let at: usize = 148; at < 5 * 4096; at += 4) dirty += i32(load<u32>(page + at) != 0);
    expect(dirty).toBe(0); // past the four references
  });
});

describe('reuse', () => {
  it('offers the same reference and port again, with a clean ring', () => {
    start(0, INIT_REUSE);
    let request = connect(openFresh(), 1);
    const ref = load<u32>(request, 52);
    const port = load<u32>(request, 56);
    const handle = <i32>idOf(request);
    const page = pageOfRing(request);
    const references = load<u64>(page, 132);
    produce(page, 0, 30);
    setErrors(page, -107, -32);
    release(handle, 0);
    expect(fake_grants()).toBe(1 + 3);
    memory.fill(page, 0xee, 4096); // a backend that kept its mapping can write what it likes
    request = connect(openFresh(), 1);
    expect(load<u32>(request, 52)).toBe(ref);
    expect(load<u32>(request, 56)).toBe(port);
    expect(load<u32>(page, 4)).toBe(0);
    expect(load<u32>(page, 8)).toBe(0);
    expect(load<u32>(page, 72)).toBe(0);
    expect(load<u32>(page, 128)).toBe(1);
    expect(load<u64>(page, 132)).toBe(references);
    expect(fake_grants()).toBe(1 + 3);
    expect(<i32>idOf(request)).not.toBe(handle);
  });

  it('finds the ring of another entry, and only of the right order', () => {
    start(0, INIT_REUSE);
    const small = connect(openFresh(), 1);
    const keep = openFresh();
    const large = connect(openFresh(), 3);
    release(<i32>idOf(small), 0);
    release(<i32>idOf(large), 0);
    const request = connect(keep, 3);
    expect(load<u32>(request, 52)).toBe(load<u32>(large, 52));
    expect(recv(keep, USER, 1, 0)).toBe(-EAGAIN);
    produce(pageOfRing(request), 0, 1);
    handleEvent(load<u32>(request, 56)); // its port belongs to the new socket now
    expectReady(keep, POLLIN | POLLOUT);
    expect(fake_grants()).toBe(1 + 3 + 9);
  });

  it('puts a ring of the wrong order aside, and offers it when its order is asked for', () => {
    start(0, INIT_REUSE);
    const first = connect(openFresh(), 1);
    release(<i32>idOf(first), 0);
    const second = connect(openFresh(), 2);
    expect(idOf(second) & 0xfff).toBe(idOf(first) & 0xfff);
    expect(load<u32>(pageOfRing(second), 128)).toBe(2);
    expect(fake_grants()).toBe(1 + 3 + 5);
    const third = connect(openFresh(), 1);
    expect(pageOfRing(third)).toBe(pageOfRing(first));
    expect(fake_grants()).toBe(1 + 3 + 5);
  });

  it('gives kept rings up when a new one finds no room', () => {
    configure();
    option(INIT_FLAGS, INIT_REUSE);
    option(INIT_FRAMES, 45);
    boot();
    attach(4, 0);
    const one = openFresh();
    const two = openFresh();
    const three = openFresh();
    const kept = connect(openFresh(), 4);
    release(<i32>idOf(kept), 0);
    connect(one, 3);
    connect(two, 3);
    expect(fake_grants()).toBe(1 + 17 + 9 + 9);
    connect(three, 3);
    expect(fake_grants()).toBe(1 + 9 + 9 + 9);
  });

  it('gives up only rings that the backend has let go of; the others stay on offer', () => {
    configure();
    option(INIT_FLAGS, INIT_REUSE);
    option(INIT_FRAMES, 45);
    boot();
    attach(4, 0);
    const waiting = openFresh();
    const mapped = connect(openFresh(), 2);
    const idle = connect(openFresh(), 2);
    const ref = load<u32>(mapped, 52);
    release(<i32>idOf(mapped), 0);
    release(<i32>idOf(idle), 0);
    fake_set_busy(ref, true);
    const fillers: i32[] = [];
    for (let i = 0; i < 14; i++) fillers.push(openFresh());
    let next = 0;
    while (counter(COUNTER_FRAMES_FREE) >= 3) connect(fillers[next++], 1);
    const grants = fake_grants();
    connect(fillers[next++], 1);
    expect(fake_frame_of(load<u32>(idle, 52))).toBe(-1);
    expect(fake_grants()).toBe(grants - 5 + 3);
    setRingOrder(fillers[next], 1);
    expect(connectSocket(fillers[next], sockaddr(80), 16)).toBe(-ENOBUFS); // 2 frames are free
    expect(counter(COUNTER_PARKED)).toBe(0);
    expect(load<u32>(connect(waiting, 2), 52)).toBe(ref);
    expect(fake_grants()).toBe(grants - 5 + 3);
  });

  it('drops a ring of the wrong order when no entry is free to hold it', () => {
    configure();
    option(INIT_FLAGS, INIT_REUSE);
    option(INIT_SOCKETS, 1);
    boot();
    attach(4, 0);
    const first = connect(openFresh(), 1);
    release(<i32>idOf(first), 0);
    const second = connect(openFresh(), 2);
    expect(load<u32>(pageOfRing(second), 128)).toBe(2);
    expect(fake_frame_of(load<u32>(first, 52))).toBe(-1);
    expect(fake_grants()).toBe(1 + 5);
    expect(fake_ports()).toBe(1 + 1);
    release(<i32>idOf(second), 0);
    attachDetached();
    expectFramesBack();
  });

  it('is not asked for by a listener in whose entry a ring is kept, and the ring stays', () => {
    start(0, INIT_REUSE);
    const first = connect(openFresh(), 1);
    release(<i32>idOf(first), 0);
    const listener = openListening();
    expect(listener & 0xfff).toBe(idOf(first) & 0xfff);
    close(listener);
    const request = take(RELEASE);
    expect(load<u8>(request, 16)).toBe(0);
    reply(request, 0);
    expectClosed(listener, 0);
    expect(fake_grants()).toBe(1 + 3);
    expect(load<u32>(connect(openFresh(), 1), 52)).toBe(load<u32>(first, 52));
    expect(fake_grants()).toBe(1 + 3);
  });

  it('is not asked for by a socket that has no ring', () => {
    start(0, INIT_REUSE);
    const handle = openFresh();
    close(handle);
    expect(load<u8>(take(RELEASE), 16)).toBe(0);
  });

  it('does not keep a ring whose release failed', () => {
    start(0, INIT_REUSE);
    const request = connect(openFresh(), 1);
    release(<i32>idOf(request), -EIO);
    expect(fake_grants()).toBe(1);
  });

  it('gives the rings up when the device goes', () => {
    start(0, INIT_REUSE);
    const request = connect(openFresh(), 1);
    release(<i32>idOf(request), 0);
    attachDetached();
    expect(fake_grants()).toBe(0);
    expect(fake_ports()).toBe(0);
    expectFramesBack();
  });
});
