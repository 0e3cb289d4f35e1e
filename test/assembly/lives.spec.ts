/**
 * What one life leaves to the next: of a socket table entry, of a kept ring, of the device. Nothing
 * that was asked, awaited or mapped before the device went reaches the backend that comes after.
 */
import { abort, attachDetached, close } from '../../assembly/pvcalls/abi';
import {
  acceptSocket,
  connectSocket,
  openSocket,
  pollSocket,
  setRingOrder,
} from '../../assembly/pvcalls/calls';
import { handleTimeout, pollTimeout } from '../../assembly/pvcalls/instance';
import { recv, send } from '../../assembly/pvcalls/stream';
import {
  COUNTER_LOST,
  COUNTER_SOCKETS,
  DEVICE_CLOSED,
  DEVICE_FAILED,
  FAULT_REQ_ID,
  INIT_FLAGS,
  INIT_REUSE,
  TIMEOUT_NONE,
} from '../../assembly/wire/abi';
import { EAGAIN, EBADF, EINPROGRESS, EIO } from '../../assembly/wire/errno';
import { fake_grants, fake_ports, fake_violations } from './fake';
import {
  boot,
  COMMAND_TIMEOUT_MS,
  configure,
  counter,
  expectClosed,
  expectDevice,
  expectDone,
  expectFramesBack,
  expectNothing,
  option,
  skipEvents,
  sockaddr,
  USER,
} from './guest';
import {
  ACCEPT,
  attach,
  CONNECT,
  dataPage,
  hasRequest,
  kick,
  openConnected,
  openFresh,
  openListening,
  RELEASE,
  reply,
  respond,
  serve,
  SOCKET,
  take,
} from './scripted-backend';

/** Not the req_id of any request. */
const INVENTED: u32 = 0x1234;

function start(flags: u32): void {
  configure();
  option(INIT_FLAGS, flags);
  boot();
  attach(4, 0);
}

/** The device fails over a response that answers nothing. */
function breakDevice(): void {
  respond(INVENTED, RELEASE, 0, 0);
  kick();
}

/** Every entry is handed out once: sockets opened now have handles of their own. */
function expectDistinctHandles(): void {
  const seen: i32[] = [];
  for (let i = 0; i < 6; i++) {
    const handle = openFresh();
    expect(seen.includes(handle & 0xfff)).toBe(false);
    seen.push(handle & 0xfff);
  }
  expect(counter(COUNTER_SOCKETS)).toBe(6);
  for (let i = 0; i < 6; i++) expect(pollSocket(seen[i])).toBe(-EBADF); // no generation
}

/** Connects a fresh socket with a ring of this order. Result: the reference that CONNECT offers. */
function connectRef(handle: i32, order: u32): u32 {
  setRingOrder(handle, order);
  expect(connectSocket(handle, sockaddr(80), 16)).toBe(-EINPROGRESS);
  const request = take(CONNECT);
  reply(request, 0);
  skipEvents();
  return load<u32>(request, 52);
}

/** A connection whose ring is kept; nobody has asked for the event that it is closed. */
function closeKept(order: u32): i32 {
  const handle = openConnected(order);
  abort(handle);
  const request = take(RELEASE);
  expect(load<u8>(request, 16)).toBe(1);
  reply(request, 0);
  return handle;
}

/** Fills the ring but for the slots of RELEASE, and those too; then closes `last`, which waits. */
function closeWithoutSlot(last: i32): i32[] {
  const opened: i32[] = [];
  for (let i = 0; i < 30; i++) opened.push(openSocket(2, 1, 0));
  abort(opened[0]);
  abort(opened[1]);
  abort(last);
  let sent = 0;
  for (; hasRequest() && sent < 30; sent++) take(SOCKET);
  take(RELEASE);
  take(RELEASE);
  expect(hasRequest()).toBe(false);
  return opened;
}

beforeEach(() => {
  start(0);
});

afterEach(() => {
  expect(fake_violations()).toBe(0);
});

describe('a socket whose RELEASE is in flight when the device fails', () => {
  it('is closed once, whenever its deadline passes', () => {
    const handle = openConnected(1);
    abort(handle);
    take(RELEASE);
    breakDevice();
    expectDevice(DEVICE_FAILED, FAULT_REQ_ID);
    expectClosed(handle, -EIO);
    expectNothing();
    expect(counter(COUNTER_SOCKETS)).toBe(0);
    handleTimeout(2 * COMMAND_TIMEOUT_MS);
    expectNothing();
    expect(counter(COUNTER_SOCKETS)).toBe(0);
    attachDetached();
    attach(4, 0);
    expectDistinctHandles();
  });

  it('is closed with EIO though its deadline passes before that is told', () => {
    const handle = openConnected(1);
    abort(handle);
    take(RELEASE);
    breakDevice();
    handleTimeout(2 * COMMAND_TIMEOUT_MS);
    expectDevice(DEVICE_FAILED, FAULT_REQ_ID);
    expectClosed(handle, -EIO);
    expectNothing();
    expect(counter(COUNTER_SOCKETS)).toBe(0);
  });

  it('leaves no deadline, and no slot that counts as lost', () => {
    close(openSocket(2, 1, 0));
    handleTimeout(COMMAND_TIMEOUT_MS);
    skipEvents();
    expect(counter(COUNTER_LOST)).toBe(2);
    const handle = openSocket(2, 1, 0);
    abort(handle);
    expect(pollTimeout()).toBe(COMMAND_TIMEOUT_MS);
    breakDevice();
    expect(pollTimeout()).toBe(TIMEOUT_NONE);
    expect(counter(COUNTER_LOST)).toBe(0);
  });
});

describe('a RELEASE that waits for a slot when the device goes', () => {
  it('is not sent to the backend that comes next', () => {
    const opened = closeWithoutSlot(openConnected(1));
    attachDetached();
    attach(4, 0);
    expect(hasRequest()).toBe(false);
    expect(counter(COUNTER_SOCKETS)).toBe(28);
    for (let i = 2; i < 30; i++) abort(opened[i]);
    expect(hasRequest()).toBe(false);
    skipEvents();
    expect(counter(COUNTER_SOCKETS)).toBe(0);
    expectDistinctHandles();
  });

  it('has closed its socket with EIO, and no deadline closes it again', () => {
    const handle = openConnected(1);
    const opened = closeWithoutSlot(handle);
    attachDetached();
    for (let i = 2; i < 30; i++) abort(opened[i]);
    handleTimeout(2 * COMMAND_TIMEOUT_MS);
    expectDevice(DEVICE_CLOSED, 0);
    expectClosed(handle, -EIO);
    expectClosed(opened[0], -EIO);
    expectClosed(opened[1], -EIO);
    for (let i = 2; i < 30; i++) expectClosed(opened[i], 0);
    expectNothing();
    expect(counter(COUNTER_SOCKETS)).toBe(0);
    expectFramesBack();
  });
});

describe('a socket of an earlier life of the device', () => {
  it('is closed without a word to the new backend', () => {
    const connected = openConnected(1);
    const fresh = openFresh();
    const listener = openListening();
    const connecting = openFresh();
    connectSocket(connecting, sockaddr(80), 16);
    attachDetached();
    attach(4, 0);
    close(connected);
    expectClosed(connected, 0);
    abort(fresh);
    expectClosed(fresh, 0);
    close(listener);
    expectClosed(listener, 0);
    close(connecting);
    expectClosed(connecting, 0);
    expectNothing();
    expect(hasRequest()).toBe(false);
    expect(fake_grants()).toBe(1);
    expect(fake_ports()).toBe(1);
    openFresh();
  });

  it('does not fail the device over its ring, which the old backend may still write', () => {
    const old = openConnected(1);
    const page = dataPage;
    attachDetached();
    attach(4, 0);
    store<u32>(page, 0x7fffffff, 4); // in_prod
    store<u32>(page, 0x7fffffff, 64); // out_cons
    store<i32>(page, 1, 8); // in_error
    store<i32>(page, 1, 72); // out_error
    expect(recv(old, USER, 64, 0)).toBe(-EIO);
    expect(send(old, USER, 64)).toBe(-EIO);
    pollSocket(old);
    store<i32>(page, 0, 8);
    store<i32>(page, 0, 72);
    expect(recv(old, USER, 64, 0)).toBe(-EIO);
    close(old);
    expectClosed(old, 0);
    expectNothing();
    openFresh();
  });

  it('with a connection offered gives that back when it is closed, and asks nothing', () => {
    const listener = openListening();
    expect(acceptSocket(listener)).toBe(-EAGAIN);
    serve(ACCEPT, 0);
    attachDetached();
    attach(4, 0);
    close(listener);
    expectClosed(listener, 0);
    expectNothing();
    expect(hasRequest()).toBe(false);
    expect(counter(COUNTER_SOCKETS)).toBe(0);
    expect(fake_grants()).toBe(1);
  });
});

describe('a ring that was kept', () => {
  beforeEach(() => {
    start(INIT_REUSE);
  });

  it('does not outlive a detach that comes before its socket is told to be closed', () => {
    const handle = closeKept(1);
    attachDetached();
    expect(fake_grants()).toBe(0);
    expect(fake_ports()).toBe(0);
    expectDevice(DEVICE_CLOSED, 0);
    expectClosed(handle, 0);
    expectFramesBack();
    attach(4, 0);
    connectRef(openFresh(), 1);
    expect(fake_grants()).toBe(1 + 3);
    expect(fake_ports()).toBe(1 + 1);
  });

  it('does not outlive a fault of the device', () => {
    closeKept(1);
    breakDevice();
    expect(fake_grants()).toBe(1); // the command ring, until it is detached
    attachDetached();
    expect(fake_grants()).toBe(0);
    expectFramesBack();
  });

  it('does not outlive a detach in an entry that is in use again', () => {
    closeKept(1);
    skipEvents();
    const fresh = openFresh();
    attachDetached();
    expect(fake_grants()).toBe(0);
    expect(fake_ports()).toBe(0);
    skipEvents();
    close(fresh);
    expectClosed(fresh, 0);
    expectFramesBack();
  });

  it('is not offered before its socket is told to be closed, and not lost by that', () => {
    const early = openFresh();
    const late = openFresh();
    const handle = openConnected(1);
    abort(handle);
    serve(RELEASE, 0);
    expect(fake_grants()).toBe(1 + 3);
    setRingOrder(early, 1);
    connectSocket(early, sockaddr(80), 16); // looks for a kept ring
    expect(fake_grants()).toBe(1 + 3 + 3);
    expectClosed(handle, 0);
    serve(CONNECT, 0);
    expectDone(early, CONNECT, 0);
    connectRef(late, 1);
    expect(fake_grants()).toBe(1 + 3 + 3);
    attachDetached();
    expect(fake_grants()).toBe(3 + 3); // those of the two sockets that are still open
    skipEvents();
    close(early);
    close(late);
    skipEvents();
    expectFramesBack();
    expect(fake_ports()).toBe(0);
  });
});
