/** close, which keeps data, and abort, which does not, in every state. */
import { abort, close } from '../../assembly/pvcalls/abi';
import {
  bindSocket,
  connectSocket,
  listenSocket,
  openSocket,
  pollSocket,
  setRingOrder,
} from '../../assembly/pvcalls/calls';
import { handleEvent, handleTimeout, pollTimeout } from '../../assembly/pvcalls/instance';
import { recv, send } from '../../assembly/pvcalls/stream';
import { COUNTER_SOCKETS, FEATURE_RESET, INIT_FLAGS, TIMEOUT_NONE } from '../../assembly/wire/abi';
import { EBADF, ECONNRESET, ENOENT } from '../../assembly/wire/errno';
import { fake_grants, fake_ports, fake_violations } from './fake';
import {
  boot,
  CLOSE_TIMEOUT_MS,
  configure,
  counter,
  expectClosed,
  expectNothing,
  option,
  skipEvents,
  sockaddr,
  USER,
} from './guest';
import {
  answer,
  attach,
  BIND,
  CONNECT,
  consume,
  dataPage,
  dataPort,
  hasRequest,
  idOf,
  kick,
  LISTEN,
  openConnected,
  openFresh,
  openListening,
  POLL,
  RELEASE,
  reply,
  serve,
  setErrors,
  SOCKET,
  streamByte,
  take,
} from './scripted-backend';

function start(features: u32, flags: u32): void {
  configure();
  option(INIT_FLAGS, flags);
  boot();
  attach(4, features);
}

/** Sends bytes of stream 0. */
function sendBytes(handle: i32, size: u32): void {
  for (let i: u32 = 0; i < size; i++) store<u8>(USER + i, streamByte(0, i));
  expect(send(handle, USER, size)).toBe(<i32>size);
}

/** RELEASE of this socket comes and is answered; nothing of the socket is left. */
function expectReleased(handle: i32): void {
  const request = take(RELEASE);
  expect(idOf(request)).toBe(<u32>handle);
  reply(request, 0);
  expectClosed(handle, 0);
  expectNothing();
  expect(hasRequest()).toBe(false);
  expect(counter(COUNTER_SOCKETS)).toBe(0);
  expect(fake_grants()).toBe(1);
  expect(fake_ports()).toBe(1);
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
  start(0, 0);
});

afterEach(() => {
  expect(fake_violations()).toBe(0);
});

describe('close', () => {
  it('of a fresh socket sends RELEASE with no reuse and no reset', () => {
    const handle = openFresh();
    expect(close(handle)).toBe(0);
    expect(close(handle)).toBe(-EBADF);
    const request = take(RELEASE);
    for (let at: usize = 16; at < 64; at++) expect(load<u8>(request + at)).toBe(0);
    reply(request, 0);
    expectClosed(handle, 0);
  });

  it('of a socket that the backend never heard of is closed at once', () => {
    for (let i = 0; i < 30; i++) openSocket(2, 1, 0);
    const handle = openSocket(2, 1, 0); // no slot is left for its SOCKET
    close(handle);
    expectClosed(handle, 0);
  });

  it('before SOCKET is answered sends RELEASE after it, and takes the late answer', () => {
    const handle = openSocket(2, 1, 0);
    close(handle);
    const socket = take(SOCKET);
    const release = take(RELEASE);
    answer(socket, 0);
    answer(release, 0);
    kick();
    expectClosed(handle, 0);
    expectNothing();
  });

  it('while connecting gives the ring back, and tells nothing of the connect', () => {
    const handle = openFresh();
    connectSocket(handle, sockaddr(80), 16);
    const connect = take(CONNECT);
    close(handle);
    reply(connect, 0);
    expectReleased(handle);
  });

  it('while connecting, bound or listening works when the late answer comes last', () => {
    const handle = openFresh();
    connectSocket(handle, sockaddr(80), 16);
    const connect = take(CONNECT);
    close(handle);
    serve(RELEASE, 0);
    expectClosed(handle, 0);
    reply(connect, 0);
    expectNothing();
    expect(fake_grants()).toBe(1);
    openFresh();
  });

  it('while binding, bound, and listening', () => {
    let handle = openFresh();
    bindSocket(handle, sockaddr(80), 16);
    const bind = take(BIND);
    close(handle);
    reply(bind, 0);
    expectReleased(handle);
    handle = openFresh();
    bindSocket(handle, sockaddr(80), 16);
    serve(BIND, 0);
    skipEvents();
    listenSocket(handle, 1);
    const listen = take(LISTEN);
    close(handle);
    reply(listen, 0);
    expectReleased(handle);
    handle = openListening();
    close(handle);
    expectReleased(handle);
  });

  it('of a listener with POLL in flight', () => {
    const handle = openListening();
    pollSocket(handle);
    const poll = take(POLL);
    close(handle);
    reply(poll, 0);
    expectReleased(handle);
  });

  it('of a connection whose bytes are all taken sends RELEASE at once', () => {
    const handle = openConnected(1);
    sendBytes(handle, 100);
    consume(dataPage, 0, 100);
    close(handle);
    expectReleased(handle);
  });

  it('waits until the backend has taken everything', () => {
    const handle = openConnected(1);
    sendBytes(handle, 100);
    expect(close(handle)).toBe(0);
    expect(close(handle)).toBe(-EBADF);
    expect(send(handle, USER, 1)).toBe(-EBADF);
    expect(recv(handle, USER, 1, 0)).toBe(-EBADF);
    expect(hasRequest()).toBe(false);
    consume(dataPage, 0, 60);
    handleEvent(dataPort);
    expect(hasRequest()).toBe(false);
    consume(dataPage, 60, 40);
    handleEvent(dataPort);
    expectReleased(handle);
  });

  it('looks by itself whether everything is taken, ever less often', () => {
    const handle = openConnected(1);
    sendBytes(handle, 100);
    close(handle);
    let now: u32 = 0;
    let looks = 0;
    while (now < 1000) {
      expect(pollTimeout()).toBeGreaterThan(0);
      expect(pollTimeout()).toBeLessThan(33);
      now += pollTimeout();
      handleTimeout(now);
      looks += 1;
    }
    expect(looks).toBeLessThan(50);
    consume(dataPage, 0, 100);
    handleTimeout(now + pollTimeout());
    expectReleased(handle);
    expect(pollTimeout()).toBe(TIMEOUT_NONE);
  });

  it('waits no longer than its deadline', () => {
    const handle = openConnected(1);
    sendBytes(handle, 100);
    close(handle);
    handleTimeout(CLOSE_TIMEOUT_MS - 1);
    expect(hasRequest()).toBe(false);
    handleTimeout(CLOSE_TIMEOUT_MS - 1 + pollTimeout());
    expectReleased(handle);
  });

  it('that was cut off by its deadline asks for a reset: it must not look whole', () => {
    start(FEATURE_RESET, 0);
    const handle = openConnected(1);
    sendBytes(handle, 100);
    close(handle);
    handleTimeout(CLOSE_TIMEOUT_MS);
    expect(load<u8>(take(RELEASE), 17)).toBe(1);
  });

  it('waits no longer than until an error of the sending side', () => {
    const handle = openConnected(1);
    sendBytes(handle, 100);
    close(handle);
    setErrors(dataPage, 0, -ECONNRESET);
    handleEvent(dataPort);
    expectReleased(handle);
  });

  it('does not wait after an error', () => {
    const handle = openConnected(1);
    sendBytes(handle, 100);
    setErrors(dataPage, 0, -ECONNRESET);
    close(handle);
    expectReleased(handle);
  });

  it('waits though the receiving side has ended', () => {
    const handle = openConnected(1);
    sendBytes(handle, 100);
    setErrors(dataPage, -107, 0);
    close(handle);
    handleEvent(dataPort);
    expect(hasRequest()).toBe(false);
    consume(dataPage, 0, 100);
    handleEvent(dataPort);
    expectReleased(handle);
  });

  it('reports what RELEASE was answered, and is closed all the same', () => {
    const handle = openFresh();
    close(handle);
    serve(RELEASE, -ENOENT);
    expectClosed(handle, -ENOENT);
    expect(counter(COUNTER_SOCKETS)).toBe(0);
  });

  it('drops events that were not told yet', () => {
    const handle = openFresh();
    connectSocket(handle, sockaddr(80), 16);
    serve(CONNECT, 0);
    close(handle);
    expectNothing();
    expectReleased(handle);
  });
});

describe('abort', () => {
  it('does not wait for bytes', () => {
    const handle = openConnected(1);
    sendBytes(handle, 100);
    abort(handle);
    expectReleased(handle);
  });

  it('ends a close that waits', () => {
    const handle = openConnected(1);
    sendBytes(handle, 100);
    close(handle);
    expect(abort(handle)).toBe(0);
    expect(abort(handle)).toBe(-EBADF);
    expectReleased(handle);
    handleTimeout(10);
    expect(hasRequest()).toBe(false);
  });

  it('asks for a reset only where the backend offers it', () => {
    let handle = openConnected(1);
    abort(handle);
    expect(load<u8>(take(RELEASE), 17)).toBe(0);
    start(FEATURE_RESET, 0);
    handle = openConnected(1);
    abort(handle);
    expect(load<u8>(take(RELEASE), 17)).toBe(1);
    handle = openConnected(1);
    close(handle);
    expect(load<u8>(take(RELEASE), 17)).toBe(0);
  });

  it('of no handle is EBADF', () => {
    expect(abort(0)).toBe(-EBADF);
    expect(abort(0xffffffff)).toBe(-EBADF);
  });
});
