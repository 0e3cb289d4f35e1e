/** Deadlines of commands, and answers that come after them. */
import { abort, close } from '../../assembly/pvcalls/abi';
import {
  bindSocket,
  connectSocket,
  listenSocket,
  openSocket,
  setRingOrder,
} from '../../assembly/pvcalls/calls';
import { handleTimeout, pollTimeout } from '../../assembly/pvcalls/instance';
import {
  COUNTER_LATE,
  COUNTER_LOST,
  INIT_COMMAND_TIMEOUT_MS,
  TIMEOUT_NONE,
} from '../../assembly/wire/abi';
import { EINPROGRESS, ETIMEDOUT } from '../../assembly/wire/errno';
import { acceptMany, connectMany, handles, openMany, takeAll } from './crowd';
import { fake_grants, fake_violations } from './fake';
import {
  boot,
  COMMAND_TIMEOUT_MS,
  configure,
  counter,
  expectClosed,
  expectDone,
  expectNothing,
  option,
  skipEvents,
  sockaddr,
} from './guest';
import {
  ACCEPT,
  answer,
  attach,
  BIND,
  CONNECT,
  hasRequest,
  LISTEN,
  openFresh,
  POLL,
  RELEASE,
  reply,
  serve,
  SOCKET,
  take,
} from './scripted-backend';

/** The wait began at 100 ms; all that was in flight before has had its deadline. */
function expectWaitFrom100(): void {
  handleTimeout(COMMAND_TIMEOUT_MS);
  skipEvents();
  expect(pollTimeout()).toBe(100);
  handleTimeout(COMMAND_TIMEOUT_MS + 99);
  expectNothing();
  expect(pollTimeout()).toBe(1);
  handleTimeout(COMMAND_TIMEOUT_MS + 100);
}

beforeEach(() => {
  configure();
  boot();
  attach(4, 0);
});

afterEach(() => {
  expect(fake_violations()).toBe(0);
});

describe('a deadline', () => {
  it('is the next thing to wait for', () => {
    const handle = openFresh();
    expect(pollTimeout()).toBe(TIMEOUT_NONE);
    handleTimeout(500);
    connectSocket(handle, sockaddr(80), 16);
    expect(pollTimeout()).toBe(COMMAND_TIMEOUT_MS);
    handleTimeout(600);
    expect(pollTimeout()).toBe(COMMAND_TIMEOUT_MS - 100);
    serve(CONNECT, 0);
    expect(pollTimeout()).toBe(TIMEOUT_NONE);
  });

  it('ends connect with ETIMEDOUT, on time, and the late answer is only counted', () => {
    const handle = openFresh();
    handleTimeout(0xfffffff0); // the deadline lies beyond 2^32
    connectSocket(handle, sockaddr(80), 16);
    const connect = take(CONNECT);
    handleTimeout(0xfffffff0 + COMMAND_TIMEOUT_MS - 1);
    expectNothing();
    handleTimeout(0xfffffff0 + COMMAND_TIMEOUT_MS);
    expectDone(handle, CONNECT, -ETIMEDOUT);
    expect(connectSocket(handle, sockaddr(80), 16)).toBe(-ETIMEDOUT);
    reply(connect, 0);
    expectNothing();
    expect(counter(COUNTER_LATE)).toBe(1);
    close(handle);
    serve(RELEASE, 0);
    expectClosed(handle, 0);
    expect(fake_grants()).toBe(1);
  });

  it('ends socket, bind and listen likewise', () => {
    const two = openFresh();
    const three = openFresh();
    bindSocket(three, sockaddr(81), 16);
    serve(BIND, 0);
    skipEvents();
    const one = openSocket(2, 1, 0);
    bindSocket(two, sockaddr(80), 16);
    listenSocket(three, 1);
    handleTimeout(COMMAND_TIMEOUT_MS);
    expectDone(one, SOCKET, -ETIMEDOUT);
    expectDone(two, BIND, -ETIMEDOUT);
    expectDone(three, LISTEN, -ETIMEDOUT);
    expectNothing();
  });

  it('of SOCKET ends the connect that waits for it', () => {
    const handle = openSocket(2, 1, 0);
    connectSocket(handle, sockaddr(80), 16);
    handleTimeout(COMMAND_TIMEOUT_MS);
    expectDone(handle, CONNECT, -ETIMEDOUT);
    serve(SOCKET, 0);
    expect(hasRequest()).toBe(false);
  });

  it('does not end ACCEPT and POLL, which may wait for ever', () => {
    acceptMany(1);
    expect(pollTimeout()).toBe(TIMEOUT_NONE);
    handleTimeout(0x7fffffff);
    expectNothing();
    take(ACCEPT);
  });

  it('of RELEASE closes the socket; its slot stays taken until the answer comes after all', () => {
    const handle = openFresh();
    close(handle);
    const release = take(RELEASE);
    handleTimeout(COMMAND_TIMEOUT_MS);
    expectClosed(handle, -ETIMEDOUT);
    expect(counter(COUNTER_LOST)).toBe(1);
    reply(release, 0);
    expect(counter(COUNTER_LOST)).toBe(0);
    expect(counter(COUNTER_LATE)).toBe(1);
    expectNothing();
  });

  it('leaves the slots of connects taken, and lets releases through', () => {
    connectMany(28);
    takeAll(CONNECT);
    handleTimeout(COMMAND_TIMEOUT_MS);
    skipEvents();
    const one = openFresh();
    expect(connectSocket(one, sockaddr(80), 16)).toBe(-EINPROGRESS);
    expect(hasRequest()).toBe(false);
    abort(handles[0]);
    serve(RELEASE, 0);
    expectClosed(handles[0], 0);
  });

  it('is none when the configuration says 0', () => {
    configure();
    option(INIT_COMMAND_TIMEOUT_MS, 0);
    boot();
    attach(4, 0);
    connectSocket(openFresh(), sockaddr(80), 16);
    expect(pollTimeout()).toBe(TIMEOUT_NONE);
    handleTimeout(0x7fffffff);
    expectNothing();
  });
});

describe('the deadline of a command that waits for a slot', () => {
  it('ends socket', () => {
    for (let i = 0; i < 30; i++) openSocket(2, 1, 0);
    expect(takeAll(SOCKET)).toBe(30);
    handleTimeout(100);
    const late = openSocket(2, 1, 0);
    const connecting = openSocket(2, 1, 0);
    connectSocket(connecting, sockaddr(80), 16);
    expect(hasRequest()).toBe(false);
    expectWaitFrom100();
    expectDone(late, SOCKET, -ETIMEDOUT);
    expectDone(connecting, CONNECT, -ETIMEDOUT);
    expectNothing();
    expect(pollTimeout()).toBe(TIMEOUT_NONE);
    close(late);
    expectClosed(late, 0);
  });

  it('ends bind', () => {
    openMany(1, false);
    for (let i = 0; i < 30; i++) openSocket(2, 1, 0);
    expect(takeAll(SOCKET)).toBe(30);
    handleTimeout(100);
    bindSocket(handles[0], sockaddr(80), 16);
    expect(hasRequest()).toBe(false);
    expectWaitFrom100();
    expectDone(handles[0], BIND, -ETIMEDOUT);
    expectNothing();
    expect(pollTimeout()).toBe(TIMEOUT_NONE);
  });

  it('ends connect', () => {
    connectMany(28);
    expect(takeAll(CONNECT)).toBe(28);
    const late = openFresh();
    setRingOrder(late, 1);
    handleTimeout(100);
    connectSocket(late, sockaddr(80), 16);
    expectWaitFrom100();
    expectDone(late, CONNECT, -ETIMEDOUT);
    expectNothing();
    expect(pollTimeout()).toBe(TIMEOUT_NONE);
    expect(hasRequest()).toBe(false);
  });

  it('counts for connect from the answer to SOCKET', () => {
    connectMany(28);
    takeAll(CONNECT);
    const connecting = openSocket(2, 1, 0);
    setRingOrder(connecting, 1);
    connectSocket(connecting, sockaddr(80), 16);
    const first = take(SOCKET);
    handleTimeout(100);
    reply(first, 0);
    expectWaitFrom100();
    expectDone(connecting, CONNECT, -ETIMEDOUT);
    expectNothing();
  });

  it('counts for bind from the answer to SOCKET', () => {
    const binding = openSocket(2, 1, 0);
    bindSocket(binding, sockaddr(80), 16);
    const first = take(SOCKET);
    for (let i = 0; i < 29; i++) openSocket(2, 1, 0);
    expect(takeAll(SOCKET)).toBe(29);
    handleTimeout(100);
    const before = openSocket(2, 1, 0);
    reply(first, 0); // the slot goes to the one that came before
    take(SOCKET);
    expect(hasRequest()).toBe(false);
    expectWaitFrom100();
    expectDone(before, SOCKET, -ETIMEDOUT);
    expectDone(binding, BIND, -ETIMEDOUT);
    expectNothing();
  });

  it('ends RELEASE, and with it the socket', () => {
    const last = openFresh();
    for (let i = 0; i < 30; i++) handles.push(openSocket(2, 1, 0));
    for (let i = 0; i < 2; i++) abort(handles[handles.length - 1 - i]);
    for (let i = 0; i < 30; i++) take(SOCKET);
    expect(takeAll(RELEASE)).toBe(2);
    handleTimeout(100);
    abort(last);
    expect(hasRequest()).toBe(false);
    expectWaitFrom100();
    expectClosed(last, -ETIMEDOUT);
    expectNothing();
    expect(pollTimeout()).toBe(TIMEOUT_NONE);
    expect(hasRequest()).toBe(false);
  });

  it('of none is none, wherever the clock stands', () => {
    configure();
    option(INIT_COMMAND_TIMEOUT_MS, 0);
    boot();
    attach(4, 0);
    for (let i = 0; i < 31; i++) openSocket(2, 1, 0);
    expect(pollTimeout()).toBe(TIMEOUT_NONE);
    handleTimeout(0x7fffffff);
    handleTimeout(0xfffffff0);
    expectNothing();
  });
});

describe('after close', () => {
  it('the deadline of an earlier command ends nothing, and no EVENT_DONE is told', () => {
    const connecting = openFresh();
    const opening = openSocket(2, 1, 0);
    connectSocket(connecting, sockaddr(80), 16);
    handleTimeout(100);
    close(opening);
    close(connecting);
    handleTimeout(COMMAND_TIMEOUT_MS);
    expectNothing();
    expect(pollTimeout()).toBe(100);
    handleTimeout(COMMAND_TIMEOUT_MS + 100);
    expectClosed(opening, -ETIMEDOUT);
    expectClosed(connecting, -ETIMEDOUT);
    expectNothing();
  });
});
