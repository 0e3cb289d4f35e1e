/** Listeners over time: answers of Linux's backend that mean later, and ways to close. */
import { attachDetached, close } from '../../assembly/pvcalls/abi';
import { acceptSocket, pollSocket } from '../../assembly/pvcalls/calls';
import { handleTimeout, pollTimeout } from '../../assembly/pvcalls/instance';
import { COUNTER_SOCKETS, POLLIN, TIMEOUT_NONE } from '../../assembly/wire/abi';
import { EAGAIN, ECONNABORTED, EINTR } from '../../assembly/wire/errno';
import { fake_grants, fake_ports, fake_violations } from './fake';
import {
  boot,
  configure,
  counter,
  expectClosed,
  expectFramesBack,
  expectNothing,
  expectReady,
  skipEvents,
} from './guest';
import {
  ACCEPT,
  answer,
  attach,
  hasRequest,
  kick,
  openFresh,
  openListening,
  POLL,
  RELEASE,
  reply,
  serve,
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

describe("EINTR and EAGAIN of Linux's backend", () => {
  it('to POLL mean: ask again a little later, and tell nobody', () => {
    pollSocket(listener);
    serve(POLL, -EINTR);
    expectNothing();
    expect(hasRequest()).toBe(false);
    const pause = pollTimeout();
    expect(pause).toBeGreaterThan(0);
    expect(pause).toBeLessThan(100);
    handleTimeout(pause);
    reply(take(POLL), 0);
    expectReady(listener, POLLIN);
    expect(pollTimeout()).toBe(TIMEOUT_NONE);
  });

  it('to ACCEPT mean: give the ring back and ask by POLL', () => {
    const grants = fake_grants();
    acceptSocket(listener);
    serve(ACCEPT, -EAGAIN);
    expectNothing();
    expect(fake_grants()).toBe(grants);
    handleTimeout(pollTimeout());
    serve(POLL, 0);
    expectReady(listener, POLLIN);
    expect(acceptSocket(listener)).toBe(-EAGAIN);
    serve(ACCEPT, 0);
    expectReady(listener, POLLIN);
  });

  it('do not put off an accept that is called meanwhile, nor send two', () => {
    acceptSocket(listener);
    serve(ACCEPT, -EINTR);
    expect(acceptSocket(listener)).toBe(-EAGAIN);
    take(ACCEPT);
    handleTimeout(pollTimeout());
    handleTimeout(1000);
    expect(hasRequest()).toBe(false);
  });

  it('leave nothing behind that would send ACCEPT beside a POLL in flight', () => {
    acceptSocket(listener);
    serve(ACCEPT, -EAGAIN);
    acceptSocket(listener);
    serve(ACCEPT, 0);
    expect(acceptSocket(listener)).toBeGreaterThan(0);
    expect(pollSocket(listener)).toBe(0);
    const poll = take(POLL);
    expect(acceptSocket(listener)).toBe(-EAGAIN);
    handleTimeout(5);
    handleTimeout(1000);
    expect(hasRequest()).toBe(false);
    reply(poll, 0);
    take(ACCEPT);
    expect(hasRequest()).toBe(false);
  });

  it('are asked again for as long as the backend says so', () => {
    pollSocket(listener);
    let now: u32 = 0;
    for (let i = 0; i < 10; i++) {
      serve(POLL, -EINTR);
      now += pollTimeout();
      handleTimeout(now);
    }
    serve(POLL, 0);
    expectReady(listener, POLLIN);
  });

  it('end with the listener', () => {
    pollSocket(listener);
    serve(POLL, -EINTR);
    close(listener);
    serve(RELEASE, 0);
    handleTimeout(pollTimeout());
    handleTimeout(10);
    expect(hasRequest()).toBe(false);
    expectClosed(listener, 0);
    expect(pollTimeout()).toBe(TIMEOUT_NONE);
  });
});

describe('closing a listener', () => {
  it('with ACCEPT in flight gives the offered ring back when RELEASE is answered', () => {
    acceptSocket(listener);
    const accept = take(ACCEPT);
    close(listener);
    const release = take(RELEASE);
    answer(accept, -ECONNABORTED);
    answer(release, 0);
    kick();
    expectClosed(listener, 0);
    expectNothing();
    expect(fake_grants()).toBe(1);
    expect(fake_ports()).toBe(1);
    expect(counter(COUNTER_SOCKETS)).toBe(0);
  });

  it('with ACCEPT answered meanwhile releases the connection that nobody will take', () => {
    acceptSocket(listener);
    const accept = take(ACCEPT);
    const fresh = load<u32>(accept, 16);
    close(listener);
    const release = take(RELEASE);
    reply(accept, 0);
    const second = take(RELEASE);
    expect(load<u32>(second, 8)).toBe(fresh);
    reply(second, 0);
    reply(release, 0);
    expectClosed(listener, 0);
    expectNothing();
    expect(counter(COUNTER_SOCKETS)).toBe(0);
    expect(fake_grants()).toBe(1);
  });

  it('with an accepted connection that nobody took releases both', () => {
    acceptSocket(listener);
    serve(ACCEPT, 0);
    skipEvents();
    close(listener);
    serve(RELEASE, 0);
    serve(RELEASE, 0);
    expectClosed(listener, 0);
    expectNothing();
    expect(counter(COUNTER_SOCKETS)).toBe(0);
    expect(fake_grants()).toBe(1);
  });

  it('after the device is gone gives back what it had offered', () => {
    acceptSocket(listener);
    take(ACCEPT);
    attachDetached();
    close(listener);
    skipEvents();
    expect(counter(COUNTER_SOCKETS)).toBe(0);
    expectFramesBack();
  });

  it('after the device is gone gives back a connection that nobody took, once', () => {
    acceptSocket(listener);
    serve(ACCEPT, 0);
    attachDetached();
    close(listener);
    skipEvents();
    expect(counter(COUNTER_SOCKETS)).toBe(0);
    expect(fake_grants()).toBe(0);
    expectFramesBack();
    attach(4, 0);
    const one = openFresh();
    const two = openFresh();
    expect(one).not.toBe(two);
    expect(counter(COUNTER_SOCKETS)).toBe(2);
  });
});
