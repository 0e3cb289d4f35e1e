/**
 * The PV Calls device as the frontend sees it, free of transport: it offers a command ring (grant
 * reference and port) and is told what the backend offers. Who carries the two across is somebody
 * else's business: xenbus (device.ts), a kernel that owns xenstore, a Dom0less rendezvous.
 *
 * A backend that breaks the protocol makes the device FAILED: a fault number says how, whoever
 * waited gets EIO, nothing the backend can reach is looked at again. It never traps.
 */
import { evtchn_send } from '../hypercalls';
import { carve, refOf, releaseFrames, retryParked, takeFrames } from '../guest/arena';
import { OWNER_COMMANDS } from '../guest/events';
import { offerFrames } from '../guest/offer';
import { leavePort } from '../guest/storm';
import { ringInit, SharedRing } from '../ring/shared-ring';
import {
  COUNTER_LOST,
  COUNTER_NOTIFICATIONS,
  DEVICE_CLOSED,
  DEVICE_CLOSING,
  DEVICE_CONNECTED,
  DEVICE_CONNECTING,
  DEVICE_DOWN,
  DEVICE_FAILED,
  FAULT_NONE,
  INIT_FLAGS,
  INIT_SIZE,
  INIT_V7,
} from '../wire/abi';
import { EISCONN } from '../wire/errno';
import { RING_ORDER_MAX } from '../wire/data-ring';
import { REQUEST_SIZE } from '../wire/pvcalls';
import { killSockets } from './release';

@unmanaged
export class Frontend {
  state: u32; //          DEVICE_*
  fault: u32; //          FAULT_* of the last failure or refusal
  faultValue: u32;
  news: bool; //          the embedder has not been told of `state`
  backend: u32; //        domid
  maxOrder: u32; //       largest ring order the backend takes
  features: u32; //       FEATURE_* it offers
  flags: u32; //          options, as struct init has them, from here
  ringOrder: u32; //      default order, or RING_ORDER_DEFAULT
  commandTimeoutMs: u32;
  closeTimeoutMs: u32;
  firstIndex: u32; //     to here
  now: u32; //            ms, as last told
  page: usize; //         command ring, or 0
  port: u32;
  scratch: usize; //      one request or response, private
  tickAt: u32; //         when LIST_TIMED is looked at again, if it has members
  tickMs: u32; //         how long the last pause was
  choresAt: u32; //       when parked frames are tried again, and masked ports
}

/** Bytes of the counters that are kept as they are told. */
export const COUNTERS_KEPT: u32 = COUNTER_LOST;

export let frontend: Frontend = changetype<Frontend>(0);
export let commands: SharedRing = changetype<SharedRing>(0);

/** Bytes of tables, alignment included. */
export const FRONTEND_SIZE: u32 =
  offsetof<Frontend>() + COUNTERS_KEPT + offsetof<SharedRing>() + REQUEST_SIZE + 16;

/** `options`: the end of struct init, from INIT_FLAGS on. */
export function frontendInit(options: usize): void {
  frontend = changetype<Frontend>(carve(offsetof<Frontend>() + COUNTERS_KEPT));
  commands = changetype<SharedRing>(carve(offsetof<SharedRing>()));
  frontend.scratch = carve(REQUEST_SIZE);
  const copy = changetype<usize>(frontend) + offsetof<Frontend>('flags');
  memory.copy(copy, options, INIT_SIZE - INIT_FLAGS);
}

/** Whether the dialect is that of design v7. */
export function v7(): bool {
  return (frontend.flags & INIT_V7) != 0;
}

export function become(state: u32): void {
  if (frontend.state == state) return;
  frontend.state = state;
  frontend.news = true;
}

/** Makes a command ring for `backend`. Result: 0, -EISCONN while there is one, -ENOBUFS. */
export function frontendOffer(backend: u32): i32 {
  if (frontend.page != 0) return -EISCONN;
  const page = takeFrames(1);
  const port = offerFrames(page, 1, backend, OWNER_COMMANDS);
  if (port < 0) return port;
  ringInit(commands, page);
  frontend.page = page;
  frontend.port = <u32>port;
  frontend.backend = backend;
  frontend.fault = FAULT_NONE;
  frontend.faultValue = 0;
  become(DEVICE_CONNECTING);
  return 0;
}

/** Grant reference of the command ring on offer. */
export function offeredRef(): u32 {
  return refOf(frontend.page);
}

/** The backend is connected to what was offered. */
export function frontendAttach(maxOrder: u32, features: u32): void {
  if (frontend.state != DEVICE_CONNECTING) return;
  frontend.maxOrder = min(maxOrder, RING_ORDER_MAX);
  frontend.features = features;
  become(DEVICE_CONNECTED);
}

/** No new calls from here on: the device is being closed, by either end. */
export function frontendClosing(): void {
  if (frontend.state == DEVICE_CLOSED || frontend.state == DEVICE_DOWN) return;
  if (frontend.state != DEVICE_FAILED) become(DEVICE_CLOSING);
  killSockets();
}

/** The backend is gone, or has let go of everything. Frames it still maps are parked. */
export function frontendDetach(state: u32): void {
  frontendClosing();
  if (frontend.page != 0) {
    if (frontend.port != 0) leavePort(frontend.port);
    frontend.port = 0;
    releaseFrames(frontend.page, 1);
    frontend.page = 0;
  }
  retryParked(); // rings that the backend kept for reuse and has let go of just now
  become(state);
}

/** The backend broke the protocol. */
export function fail(fault: u32, value: u32): void {
  if (frontend.port == 0) return; // there is no device, or it has failed before
  refuse(fault, value);
  become(DEVICE_FAILED);
  leavePort(frontend.port);
  frontend.port = 0;
  killSockets();
}

/** What the backend offers, or what we could not offer, is no use: why. */
export function refuse(fault: u32, value: u32): void {
  frontend.fault = fault;
  frontend.faultValue = value;
}

/** One more of what COUNTER_* says, of those that are not read off elsewhere. */
export function count(counter: u32): void {
  const at = countersKept() + counter;
  store<u32>(at, load<u32>(at) + 1);
}

/** The beginning of a struct counters, COUNTERS_KEPT bytes, follows Frontend. */
export function countersKept(): usize {
  return changetype<usize>(frontend) + offsetof<Frontend>();
}

export function notify(port: u32): void {
  count(COUNTER_NOTIFICATIONS);
  evtchn_send(port);
}
