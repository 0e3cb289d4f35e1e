/** Who may hold the 32 command slots, and what happens to slots that are never answered. */
import { close } from '../../assembly/pvcalls/abi';
import {
  acceptSocket,
  bindSocket,
  connectSocket,
  listenSocket,
  openSocket,
  pollSocket,
  setRingOrder,
} from '../../assembly/pvcalls/calls';
import {
  COUNTER_LATE,
  COUNTER_LOST,
  COUNTER_REQUESTS,
  COUNTER_RESPONSES,
  COUNTER_SOCKETS,
} from '../../assembly/wire/abi';
import { EAGAIN, ENOBUFS } from '../../assembly/wire/errno';
import { acceptMany, connectMany, handles, openMany, takeAll } from './crowd';
import { fake_grants, fake_violations } from './fake';
import {
  boot,
  configure,
  counter,
  expectClosed,
  expectNothing,
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
  idOf,
  kick,
  LISTEN,
  openFresh,
  openListening,
  POLL,
  RELEASE,
  reply,
  reqIdOf,
  serve,
  SOCKET,
  take,
} from './scripted-backend';

/** Opens sockets whose SOCKET is not answered. */
function socketMany(count: i32): void {
  for (let i = 0; i < count; i++) openSocket(2, 1, 0);
}

beforeEach(() => {
  configure();
  boot();
  attach(4, 0);
});

afterEach(() => {
  expect(fake_violations()).toBe(0);
});

describe('of the 32 slots', () => {
  it('ACCEPT and POLL hold 24 at most; the next goes when one is answered', () => {
    openMany(26, true);
    for (let i = 0; i < 13; i++) expect(acceptSocket(handles[i])).toBe(-EAGAIN);
    for (let i = 13; i < 26; i++) expect(pollSocket(handles[i])).toBe(0);
    const first = take(ACCEPT);
    for (let i = 1; i < 13; i++) take(ACCEPT);
    expect(takeAll(POLL)).toBe(11);
    reply(first, 0);
    expect(takeAll(POLL)).toBe(1);
  });

  it('CONNECT, ACCEPT and POLL together hold 28 at most', () => {
    acceptMany(24);
    for (let i = 0; i < 24; i++) take(ACCEPT);
    connectMany(6);
    expect(takeAll(CONNECT)).toBe(4);
  });

  it('CONNECT alone holds 28 at most', () => {
    connectMany(30);
    const first = take(CONNECT);
    expect(takeAll(CONNECT)).toBe(27);
    reply(first, -111);
    expect(takeAll(CONNECT)).toBe(1);
  });

  it('two are left for RELEASE, whatever else is wanted', () => {
    openMany(4, false);
    socketMany(40);
    expect(takeAll(SOCKET)).toBe(30);
    for (let i = 0; i < 4; i++) close(handles[i]);
    expect(takeAll(RELEASE)).toBe(2);
    expect(hasRequest()).toBe(false);
  });

  it('RELEASE takes the first that is free', () => {
    openMany(4, false);
    socketMany(40);
    const socket = take(SOCKET);
    for (let i = 1; i < 30; i++) take(SOCKET);
    for (let i = 0; i < 4; i++) close(handles[i]);
    take(RELEASE);
    take(RELEASE);
    reply(socket, 0);
    expect(takeAll(RELEASE)).toBe(1);
  });

  it('bind and listen find one while accepts and connects hold all they may', () => {
    const handle = openFresh();
    acceptMany(24);
    for (let i = 0; i < 24; i++) take(ACCEPT);
    connectMany(6);
    expect(takeAll(CONNECT)).toBe(4);
    bindSocket(handle, sockaddr(80), 16);
    serve(BIND, 0);
    listenSocket(handle, 1);
    serve(LISTEN, 0);
    openFresh();
  });

  it('each is used again, whatever order the answers come in', () => {
    for (let round = 0; round < 10; round++) {
      const one = openSocket(2, 1, 0);
      const two = openSocket(2, 1, 0);
      const first = take(SOCKET);
      const second = take(SOCKET);
      expect(reqIdOf(first)).not.toBe(reqIdOf(second));
      answer(second, 0);
      answer(first, 0);
      kick();
      close(one);
      close(two);
      serve(RELEASE, 0);
      serve(RELEASE, 0);
      skipEvents();
    }
    expect(counter(COUNTER_SOCKETS)).toBe(0);
    expect(counter(COUNTER_REQUESTS)).toBe(40);
    expect(counter(COUNTER_RESPONSES)).toBe(40);
  });
});

describe('a want that ended with its socket', () => {
  it('is not sent for the next socket of the entry: no SOCKET for a socket that is offered', () => {
    const listener = openListening();
    socketMany(30);
    const waiting = openSocket(2, 1, 0); // its SOCKET waits for a slot
    close(waiting);
    expectClosed(waiting, 0);
    expect(acceptSocket(listener)).toBe(-EAGAIN); // takes the entry again
    for (let i = 0; i < 30; i++) serve(SOCKET, 0);
    expect(takeAll(ACCEPT)).toBe(1);
  });

  it('is not sent for an entry that is free', () => {
    socketMany(30);
    const waiting = openSocket(2, 1, 0);
    close(waiting);
    expectClosed(waiting, 0);
    for (let i = 0; i < 30; i++) serve(SOCKET, 0);
    expect(hasRequest()).toBe(false);
  });

  it('is not sent for the next socket of the entry: one CONNECT, after its SOCKET', () => {
    openMany(29, false);
    for (let i = 0; i < 29; i++) connectSocket(handles[i], sockaddr(80), 16);
    const first = take(CONNECT);
    expect(takeAll(CONNECT)).toBe(27);
    close(handles[28]); // its CONNECT waits for a slot
    serve(RELEASE, 0);
    expectClosed(handles[28], 0);
    const again = openSocket(2, 1, 0);
    expect(again & 0xfff).toBe(handles[28] & 0xfff);
    setRingOrder(again, 1);
    connectSocket(again, sockaddr(80), 16);
    const socket = take(SOCKET);
    reply(first, 0); // a slot for a CONNECT
    expect(hasRequest()).toBe(false);
    reply(socket, 0);
    expect(takeAll(CONNECT)).toBe(1);
  });
});

describe('slots that a backend never answers', () => {
  /** Linux frees a pending ACCEPT at RELEASE without an answer. */
  it('are counted as lost, and the sockets are gone all the same', () => {
    acceptMany(3);
    for (let i = 0; i < 3; i++) take(ACCEPT);
    for (let i = 0; i < 3; i++) close(handles[i]);
    for (let i = 0; i < 3; i++) serve(RELEASE, 0);
    expect(counter(COUNTER_LOST)).toBe(3);
    expect(counter(COUNTER_SOCKETS)).toBe(3); // until EVENT_CLOSED is taken
    skipEvents();
    expect(counter(COUNTER_SOCKETS)).toBe(0);
    expect(fake_grants()).toBe(1);
  });

  it('come back when it answers after all', () => {
    acceptMany(1);
    const accept = take(ACCEPT);
    close(handles[0]);
    serve(RELEASE, 0);
    skipEvents();
    reply(accept, -103);
    expect(counter(COUNTER_LOST)).toBe(0);
    expect(counter(COUNTER_LATE)).toBe(1);
    expectNothing();
  });

  it('make accept ENOBUFS when they are all that it may have', () => {
    acceptMany(24);
    const one = take(ACCEPT);
    for (let i = 1; i < 24; i++) take(ACCEPT);
    const listener = openListening();
    for (let i = 0; i < 24; i++) {
      close(handles[i]);
      serve(RELEASE, 0);
    }
    skipEvents();
    expect(counter(COUNTER_LOST)).toBe(24);
    expect(acceptSocket(listener)).toBe(-ENOBUFS);
    expect(idOf(one)).toBe(<u32>handles[0]);
    reply(one, -103);
    expect(acceptSocket(listener)).toBe(-EAGAIN);
    take(ACCEPT);
  });
});
