/** accept and poll of passive sockets: at most one ACCEPT or POLL in flight for each. */
import { close } from '../../assembly/pvcalls/abi';
import { acceptSocket, pollSocket, setRingOrder } from '../../assembly/pvcalls/calls';
import {
  COUNTER_SOCKETS,
  INIT_FRAMES,
  INIT_SOCKETS,
  POLLIN,
  POLLOUT,
} from '../../assembly/wire/abi';
import { EAGAIN, EIO, EMFILE, ENFILE, ENOBUFS } from '../../assembly/wire/errno';
import { fake_fail_after, fake_grants, fake_violations } from './fake';
import { boot, configure, counter, expectNothing, expectReady, option, skipEvents } from './guest';
import {
  ACCEPT,
  attach,
  dataPage,
  hasRequest,
  learnRing,
  openListening,
  POLL,
  RELEASE,
  reply,
  serve,
  sizeOf,
  take,
} from './scripted-backend';

let listener: i32 = 0;

beforeEach(() => {
  configure();
  boot();
  attach(4, 0);
  listener = openListening();
});

afterEach(() => {
  expect(fake_violations()).toBe(0);
});

describe('accept', () => {
  it('is EAGAIN, offers a ring, and is the new connection when the backend has one', () => {
    expect(acceptSocket(listener)).toBe(-EAGAIN);
    expectNothing();
    const request = take(ACCEPT);
    const fresh = load<i32>(request, 16);
    expect(fresh).not.toBe(listener);
    expect(load<u32>(request, 20)).toBe(0);
    reply(request, 0);
    expectReady(listener, POLLIN);
    expect(acceptSocket(listener)).toBe(fresh);
    expect(pollSocket(fresh)).toBe(POLLOUT);
    expectNothing();
  });

  it('asks once, however often it is called', () => {
    for (let i = 0; i < 5; i++) expect(acceptSocket(listener)).toBe(-EAGAIN);
    take(ACCEPT);
    expect(hasRequest()).toBe(false);
    expect(pollSocket(listener)).toBe(0);
    expect(hasRequest()).toBe(false);
  });

  it('does not hand out the new socket before the backend says so', () => {
    acceptSocket(listener);
    const fresh = load<i32>(take(ACCEPT), 16);
    expect(pollSocket(fresh)).toBeLessThan(0);
    expect(close(fresh)).toBeLessThan(0);
  });

  it('asks again for the connection after', () => {
    acceptSocket(listener);
    serve(ACCEPT, 0);
    const one = acceptSocket(listener);
    expect(acceptSocket(listener)).toBe(-EAGAIN);
    serve(ACCEPT, 0);
    const two = acceptSocket(listener);
    expect(one).toBeGreaterThan(0);
    expect(two).toBeGreaterThan(0);
    expect(one).not.toBe(two);
  });

  it('reports the error of the backend once, gives the ring back, and asks again', () => {
    const grants = fake_grants();
    acceptSocket(listener);
    serve(ACCEPT, -EMFILE);
    expectReady(listener, POLLIN);
    expect(fake_grants()).toBe(grants);
    expect(acceptSocket(listener)).toBe(-EMFILE);
    expect(acceptSocket(listener)).toBe(-EAGAIN);
    take(ACCEPT);
  });

  it('makes rings of the order of the listener', () => {
    setRingOrder(listener, 2);
    acceptSocket(listener);
    learnRing(take(ACCEPT));
    expect(sizeOf(dataPage)).toBe(2048 << 2);
  });

  it('is ENFILE with a full table and ENOBUFS without grants, and leaves nothing behind', () => {
    fake_fail_after(3);
    expect(acceptSocket(listener)).toBe(-ENOBUFS);
    expect(fake_grants()).toBe(1);
    expect(counter(COUNTER_SOCKETS)).toBe(1);
    fake_fail_after(-1);
    configure();
    option(INIT_SOCKETS, 1);
    boot();
    attach(4, 0);
    expect(acceptSocket(openListening())).toBe(-ENFILE);
  });

  it('is ENOBUFS when the arena is full, and works when there is room again', () => {
    configure();
    option(INIT_FRAMES, 30);
    boot();
    attach(4, 0);
    listener = openListening();
    acceptSocket(listener);
    serve(ACCEPT, 0);
    const fresh = acceptSocket(listener);
    expect(acceptSocket(listener)).toBe(-ENOBUFS);
    close(fresh);
    serve(RELEASE, 0);
    expect(acceptSocket(listener)).toBe(-EAGAIN);
  });
});

describe('poll of a listener', () => {
  it('asks the backend once and tells when it answers', () => {
    expect(pollSocket(listener)).toBe(0);
    expect(pollSocket(listener)).toBe(0);
    const request = take(POLL);
    expect(hasRequest()).toBe(false);
    expectNothing();
    reply(request, 0);
    expectReady(listener, POLLIN);
    expect(pollSocket(listener)).toBe(POLLIN);
    expect(hasRequest()).toBe(false);
  });

  it('is followed by ACCEPT when accept is called meanwhile, never beside it', () => {
    pollSocket(listener);
    const poll = take(POLL);
    expect(acceptSocket(listener)).toBe(-EAGAIN);
    expect(hasRequest()).toBe(false);
    reply(poll, 0);
    reply(take(ACCEPT), 0);
    expectReady(listener, POLLIN);
    expect(acceptSocket(listener)).toBeGreaterThan(0);
  });

  it('that fails while accept waits does not keep ACCEPT from being sent', () => {
    pollSocket(listener);
    const poll = take(POLL);
    acceptSocket(listener);
    reply(poll, -EIO);
    serve(ACCEPT, 0);
    expectReady(listener, POLLIN);
    expect(acceptSocket(listener)).toBeGreaterThan(0);
  });

  it('that fails is the error of the next accept, and then it is asked again', () => {
    pollSocket(listener);
    serve(POLL, -EIO);
    expectReady(listener, POLLIN);
    expect(acceptSocket(listener)).toBe(-EIO);
    expect(pollSocket(listener)).toBe(0);
    take(POLL);
  });

  it('is spent by the accept that follows', () => {
    pollSocket(listener);
    serve(POLL, 0);
    acceptSocket(listener);
    serve(ACCEPT, 0);
    skipEvents();
    acceptSocket(listener);
    expect(pollSocket(listener)).toBe(0);
    take(POLL);
  });

  it('is readable while an accepted connection waits to be taken', () => {
    acceptSocket(listener);
    serve(ACCEPT, 0);
    expect(pollSocket(listener)).toBe(POLLIN);
    expect(hasRequest()).toBe(false);
  });
});
