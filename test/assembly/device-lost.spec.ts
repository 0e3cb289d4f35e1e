/** What sockets see of the end of the device, and what becomes of their frames. */
import { abort, attachDetached, close } from '../../assembly/pvcalls/abi';
import { acceptSocket, connectSocket } from '../../assembly/pvcalls/calls';
import { handleTimeout, pollTimeout } from '../../assembly/pvcalls/instance';
import { recv, send } from '../../assembly/pvcalls/stream';
import {
  COUNTER_PARKED,
  DEVICE_CLOSED,
  INIT_FLAGS,
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLOUT,
  TIMEOUT_NONE,
} from '../../assembly/wire/abi';
import { EIO } from '../../assembly/wire/errno';
import { fake_ports, fake_sent_total, fake_set_busy, fake_violations } from './fake';
import {
  boot,
  configure,
  counter,
  expectClosed,
  expectDevice,
  expectDone,
  expectFramesBack,
  expectNothing,
  expectReady,
  option,
  sockaddr,
  USER,
} from './guest';
import {
  attach,
  CONNECT,
  dataPage,
  openConnected,
  openFresh,
  openListening,
  produce,
  RELEASE,
  serve,
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

/** The reference of the first data page of the last connection. */
function mappedRef(): u32 {
  return load<u32>(dataPage, 132);
}

beforeEach(() => {
  start(0, 0);
});

afterEach(() => {
  expect(fake_violations()).toBe(0);
});

describe('the end of the device', () => {
  it('gives EIO to whoever waits, once, and to every further call', () => {
    const connecting = openFresh();
    connectSocket(connecting, sockaddr(80), 16);
    take(CONNECT);
    const connected = openConnected(1);
    const listener = openListening();
    attachDetached();
    expectDevice(DEVICE_CLOSED, 0);
    expectDone(connecting, CONNECT, -EIO);
    const all = POLLIN | POLLOUT | POLLERR | POLLHUP;
    expectReady(connected, all);
    expectReady(listener, all);
    expectReady(connecting, all);
    expectNothing();
    expect(send(connected, USER, 1)).toBe(-EIO);
    expect(recv(connected, USER, 1, 0)).toBe(-EIO);
    expect(acceptSocket(listener)).toBe(-EIO);
    expect(connectSocket(connecting, sockaddr(80), 16)).toBe(-EIO);
    close(connecting);
    abort(connected);
    close(listener);
    expectClosed(connecting, 0);
    expectClosed(connected, 0);
    expectClosed(listener, 0);
    expectFramesBack();
    expect(fake_ports()).toBe(0);
  });

  it('closes sockets that were closing', () => {
    const draining = openConnected(1);
    sendBytes(draining, 10);
    close(draining);
    const releasing = openFresh();
    close(releasing);
    attachDetached();
    expectDevice(DEVICE_CLOSED, 0);
    expectClosed(draining, -EIO);
    expectClosed(releasing, -EIO);
    expectNothing();
    expectFramesBack();
  });

  it('leaves what was received to be read', () => {
    const handle = openConnected(1);
    produce(dataPage, 0, 10);
    attachDetached();
    expect(recv(handle, USER, 100, 0)).toBe(10);
    expect(recv(handle, USER, 100, 0)).toBe(-EIO);
  });

  it('leaves nobody to be told of room', () => {
    const handle = openConnected(1);
    produce(dataPage, 0, 4096);
    attachDetached();
    const sent = fake_sent_total();
    expect(recv(handle, USER, 4096, 0)).toBe(4096);
    expect(fake_sent_total()).toBe(sent);
  });

  it('parks frames that the backend still maps, and tries them again by time', () => {
    const handle = openConnected(1);
    const ref = mappedRef();
    fake_set_busy(ref, true);
    abort(handle);
    serve(RELEASE, 0);
    expect(counter(COUNTER_PARKED)).toBe(1);
    handleTimeout(pollTimeout());
    expect(counter(COUNTER_PARKED)).toBe(1);
    expect(pollTimeout()).toBeGreaterThan(0);
    fake_set_busy(ref, false);
    handleTimeout(pollTimeout());
    expect(counter(COUNTER_PARKED)).toBe(0);
    expect(pollTimeout()).toBe(TIMEOUT_NONE);
    attachDetached();
    expectFramesBack();
  });

  it('tries parked frames again soon, wherever the clock stands', () => {
    handleTimeout(0x90000000);
    const handle = openConnected(1);
    fake_set_busy(mappedRef(), true);
    abort(handle);
    serve(RELEASE, 0);
    expect(counter(COUNTER_PARKED)).toBe(1);
    expect(pollTimeout()).toBeLessThan(1000);
  });
});
