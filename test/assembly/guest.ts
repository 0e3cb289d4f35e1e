/**
 * A guest with one instance of the core, for specs of the whole: its memory map, its configuration,
 * and its events as expectations.
 */
import { init, counters, pollEvent } from '../../assembly/pvcalls/instance';
import {
  COUNTER_FRAMES_FREE,
  EVENT_A,
  EVENT_B,
  EVENT_C,
  EVENT_CLOSED,
  EVENT_DEVICE,
  EVENT_DONE,
  EVENT_HANDLE,
  EVENT_NONE,
  EVENT_READY,
  INIT_ARENA,
  INIT_CLOSE_TIMEOUT_MS,
  INIT_COMMAND_TIMEOUT_MS,
  INIT_FRAMES,
  INIT_RING_ORDER,
  INIT_SIZE,
  INIT_SOCKETS,
  RING_ORDER_DEFAULT,
} from '../../assembly/wire/abi';
import { fake_reset } from './fake';

export const CONFIG: usize = 0x10000;
export const EVENT: usize = 0x11000;
export const SPANS: usize = 0x12000;
export const ADDRESS: usize = 0x13000;
const COUNTERS: usize = 0x14000;
export const USER: usize = 0x40000; //  256 KiB of the program's own
export const ARENA: usize = 0x100000; // up to 15 MiB

export const COMMAND_TIMEOUT_MS: u32 = 10000;
export const CLOSE_TIMEOUT_MS: u32 = 5000;

/** Frames that the arena had for rings when the instance was new. */
export let framesAtBoot: u32 = 0;

/** A configuration of 64 sockets and 1200 frames; a spec changes what it is about with option(). */
export function configure(): void {
  fake_reset();
  memory.fill(CONFIG, 0, INIT_SIZE);
  option(INIT_ARENA, <u32>ARENA);
  option(INIT_FRAMES, 1200);
  option(INIT_SOCKETS, 64);
  option(INIT_RING_ORDER, RING_ORDER_DEFAULT);
  option(INIT_COMMAND_TIMEOUT_MS, COMMAND_TIMEOUT_MS);
  option(INIT_CLOSE_TIMEOUT_MS, CLOSE_TIMEOUT_MS);
}

export function option(field: u32, value: u32): void {
  store<u32>(CONFIG + field, value);
}

/** Starts the instance. */
export function boot(): void {
  const frames = init(CONFIG);
  expect(frames).toBeGreaterThan(0);
  framesAtBoot = <u32>frames;
}

export function counter(field: u32): u32 {
  counters(COUNTERS);
  return load<u32>(COUNTERS + field);
}

/** 127.0.0.1 and `port` as struct sockaddr_in. Result: its address; 16 bytes. */
export function sockaddr(port: u32): usize {
  memory.fill(ADDRESS, 0, 28);
  store<u16>(ADDRESS, 2);
  store<u8>(ADDRESS, <u8>(port >> 8), 2);
  store<u8>(ADDRESS, <u8>port, 3);
  store<u32>(ADDRESS, 0x0100007f, 4);
  return ADDRESS;
}

export function nextEvent(): u32 {
  return pollEvent(EVENT);
}

export function eventHandle(): i32 {
  return load<i32>(EVENT, EVENT_HANDLE);
}

export function eventA(): u32 {
  return load<u32>(EVENT, EVENT_A);
}

export function eventB(): i32 {
  return load<i32>(EVENT, EVENT_B);
}

export function eventC(): u32 {
  return load<u32>(EVENT, EVENT_C);
}

/** No event, now and when asked again. */
export function expectNothing(): void {
  expect(nextEvent()).toBe(EVENT_NONE);
  expect(nextEvent()).toBe(EVENT_NONE);
}

export function expectDone(handle: i32, command: u32, result: i32): void {
  expect(nextEvent()).toBe(EVENT_DONE);
  expect(eventHandle()).toBe(handle);
  expect(eventA()).toBe(command);
  expect(eventB()).toBe(result);
}

export function expectReady(handle: i32, mask: u32): void {
  expect(nextEvent()).toBe(EVENT_READY);
  expect(eventHandle()).toBe(handle);
  expect(eventA()).toBe(mask);
}

export function expectClosed(handle: i32, result: i32): void {
  expect(nextEvent()).toBe(EVENT_CLOSED);
  expect(eventHandle()).toBe(handle);
  expect(eventB()).toBe(result);
}

export function expectDevice(state: u32, fault: u32): void {
  expect(nextEvent()).toBe(EVENT_DEVICE);
  expect(eventA()).toBe(state);
  expect(eventB()).toBe(<i32>fault);
}

/** Takes every event. */
export function skipEvents(): void {
  for (let i = 0; nextEvent() != EVENT_NONE; i++) expect(i).toBeLessThan(1000);
}

/** All frames are back. */
export function expectFramesBack(): void {
  expect(counter(COUNTER_FRAMES_FREE)).toBe(framesAtBoot);
}
