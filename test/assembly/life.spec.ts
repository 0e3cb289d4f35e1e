/**
 * A guest's whole life in one piece: an empty xenstore, the device, a connection whose indices wrap
 * at 2^32, a listener and what it accepts, and the way back until nothing is left; and the same cut
 * short by a backend that lies.
 */
import { abort, close, xenbusStop } from '../../assembly/pvcalls/abi';
import { acceptSocket, pollSocket } from '../../assembly/pvcalls/calls';
import { handleEvent } from '../../assembly/pvcalls/instance';
import { recv, send } from '../../assembly/pvcalls/stream';
import {
  DEVICE_CLOSED,
  DEVICE_FAILED,
  FAULT_RSP_PROD,
  INIT_FIRST_INDEX,
  INIT_RING_ORDER,
  POLLIN,
} from '../../assembly/wire/abi';
import { EAGAIN, EIO, ENOTCONN } from '../../assembly/wire/errno';
import { begin, configureStore, expectConnected, expectNothingLeft } from './device-guest';
import { fake_violations } from './fake';
import {
  expectClosed,
  expectDevice,
  expectNothing,
  expectReady,
  option,
  skipEvents,
  USER,
} from './guest';
import {
  ACCEPT,
  consume,
  dataPage,
  dataPort,
  kick,
  learnRing,
  openConnected,
  openListening,
  POLL,
  produce,
  publish,
  published,
  RELEASE,
  reply,
  serve,
  setErrors,
  streamByte,
  take,
  takeRing,
} from './scripted-backend';
import { addDevice, follow, own, serveAll, states } from './tiny-store';

/** Bytes each way of a ring of order 1. */
const SIZE: u32 = 4096;

/** A device that came up through xenstore; its backend follows. */
function comeUp(): void {
  configureStore();
  option(INIT_FIRST_INDEX, 0xfffff000 - SIZE / 2);
  option(INIT_RING_ORDER, 1);
  addDevice();
  follow(true, true);
  begin();
  expectConnected();
  takeRing(<u32>I32.parseInt(own('ring-ref')));
  skipEvents();
}

/** A whole ring of bytes each way. */
function exchange(handle: i32, seed: u32): void {
  for (let i: u32 = 0; i < SIZE; i++) store<u8>(USER + i, streamByte(seed, i));
  expect(send(handle, USER, SIZE)).toBe(SIZE);
  expect(send(handle, USER, 1)).toBe(-EAGAIN);
  expect(recv(handle, USER, SIZE, 0)).toBe(-EAGAIN);
  consume(dataPage, seed, SIZE);
  produce(dataPage, seed + 1, SIZE);
  handleEvent(dataPort);
  skipEvents();
  expect(recv(handle, USER, SIZE, 0)).toBe(SIZE);
  for (let i: u32 = 0; i < SIZE; i++) {
    if (load<u8>(USER + i) != streamByte(seed + 1, i)) expect(i).toBe(SIZE);
  }
}

/** What the listener accepts: asked for by poll, then fetched. */
function acceptOne(listener: i32): i32 {
  expect(pollSocket(listener)).toBe(0);
  serve(POLL, 0);
  expectReady(listener, POLLIN);
  expect(acceptSocket(listener)).toBe(-EAGAIN);
  const request = take(ACCEPT);
  learnRing(request);
  reply(request, 0);
  expectReady(listener, POLLIN);
  return acceptSocket(listener);
}

beforeEach(() => {
  comeUp();
});

afterEach(() => {
  expect(fake_violations()).toBe(0);
});

describe('a life', () => {
  it('leaves nothing behind, and no byte was lost', () => {
    const connected = openConnected(1);
    for (let round: u32 = 0; round < 3; round++) exchange(connected, round);
    setErrors(dataPage, -ENOTCONN, 0);
    handleEvent(dataPort);
    expect(recv(connected, USER, SIZE, 0)).toBe(0);
    skipEvents();

    const listener = openListening();
    const accepted = acceptOne(listener);
    expect(accepted).toBeGreaterThan(0);
    for (let round: u32 = 0; round < 3; round++) exchange(accepted, 100 + round);

    abort(accepted);
    serve(RELEASE, 0);
    expectClosed(accepted, 0);
    close(listener);
    serve(RELEASE, 0);
    expectClosed(listener, 0);
    close(connected);
    serve(RELEASE, 0);
    expectClosed(connected, 0);

    xenbusStop();
    serveAll();
    expectDevice(DEVICE_CLOSED, 0);
    expectNothing();
    expect(states).toBe('3456');
    expectNothingLeft();
  });

  it('cut short by a lie on the command ring ends with EIO, and leaves nothing either', () => {
    const connected = openConnected(1);
    const listener = openListening();
    expect(acceptSocket(listener)).toBe(-EAGAIN);
    publish(published() + 2); // ACCEPT alone is outstanding
    kick();
    expectDevice(DEVICE_FAILED, FAULT_RSP_PROD);
    skipEvents();
    expect(send(connected, USER, 1)).toBe(-EIO);
    expect(acceptSocket(listener)).toBe(-EIO);
    serveAll();
    expectDevice(DEVICE_CLOSED, FAULT_RSP_PROD);
    close(connected);
    close(listener);
    skipEvents();
    expect(own('state')).toBe('6');
    expectNothingLeft();
  });
});
