/** The core's end of the ring page, for the specs of the xenstore client: start, ask, expect. */
import { arenaInit, arenaSeal } from '../../assembly/guest/arena';
import { eventsInit } from '../../assembly/guest/events';
import {
  messageId,
  messagePayload,
  messageSize,
  messageType,
  STORE_BROKEN,
  STORE_MESSAGE,
  storeInit,
  storePayload,
  storeSubmit,
  storeTake,
} from '../../assembly/guest/xenstore';
import { evtchn_alloc_unbound } from '../../assembly/hypercalls';
import { ENODEV } from '../../assembly/wire/errno';
import { fake_reset } from './fake';
import { STORE_PAGE, storedStart, storedTake } from './xenstored-end';

export const ARENA: usize = 0x100000;
export const READ: u32 = 2;
/** More than any request has. */
export const ALL: u32 = 1 << 16;
export let port: u32 = 0;

/** A client of a fresh ring page whose indices stand at `first`. */
export function startClient(first: u32): void {
  fake_reset();
  storedStart(first);
  memory.fill(ARENA, 0xa5, 16 * 4096);
  arenaInit(ARENA, 16);
  eventsInit(0, 0);
  port = evtchn_alloc_unbound(0);
  storeInit(STORE_PAGE, port);
  arenaSeal();
}

/** Sends a request of these bytes. */
export function ask(type: u32, text: string): i32 {
  const payload = storePayload();
  if (payload == 0) return storeSubmit(type, 0, 0);
  String.UTF8.encodeUnsafe(changetype<usize>(text), text.length, payload);
  return storeSubmit(type, 0, text.length);
}

/** A request that xenstored has taken. */
export function asked(): u32 {
  const id = ask(READ, 'x');
  expect(id).toBeGreaterThan(0);
  storedTake(ALL);
  return <u32>id;
}

export function payload(): string {
  return String.UTF8.decodeUnsafe(messagePayload(), messageSize());
}

export function expectMessage(type: u32, id: u32, text: string): void {
  expect(storeTake()).toBe(STORE_MESSAGE);
  expect(messageType()).toBe(type);
  expect(messageId()).toBe(id);
  expect(payload()).toBe(text);
  expect(load<u8>(messagePayload() + messageSize())).toBe(0);
}

export function expectBroken(): void {
  expect(storeTake()).toBe(STORE_BROKEN);
  expect(storeTake()).toBe(STORE_BROKEN);
  expect(ask(READ, 'x')).toBe(-ENODEV);
}
