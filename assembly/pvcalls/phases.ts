/**
 * Where the device stands in its xenbus life, and the moves from there.
 * Spec: pvcalls, "State Machine".
 *
 *   FIND -> START -> WAIT -> FEATURES -> PUBLISH -> INITIALISED -> CONNECT -> CONNECTED
 *     ^               ^  backend closes, vanishes, restarts, or breaks the protocol |
 *     |               |                                                             v
 *     +-- node gone   +--- backend is back ---- CLOSED <- CLOSE <- CLOSING <- SAY_CLOSING
 *
 * Every phase reacts to where the backend is now, so states that were missed do no harm.
 */
import { carve } from '../guest/arena';
import { NOT_A_NUMBER } from '../guest/text';
import { backendKnown, forgetBackend } from '../guest/xenbus';
import { DEVICE_CLOSED, DEVICE_CONNECTING } from '../wire/abi';
import {
  XENBUS_STATE_CLOSED,
  XENBUS_STATE_CLOSING,
  XENBUS_STATE_CONNECTED,
  XENBUS_STATE_INIT_WAIT,
  XENBUS_STATE_INITIALISING,
  XENBUS_STATE_UNKNOWN,
} from '../wire/xenbus';
import { become, frontendClosing, frontendDetach, refuse } from './frontend';

export const PHASE_OFF: u32 = 0;
export const PHASE_WATCH: u32 = 1; //        ask for news of our backend node
export const PHASE_FIND: u32 = 2; //         there is no device yet
export const PHASE_BACKEND_ID: u32 = 3;
export const PHASE_WATCH_BACKEND: u32 = 4;
export const PHASE_OWN_STATE: u32 = 5; //    did an earlier life leave something?
export const PHASE_START: u32 = 6; //        say Initialising
export const PHASE_WAIT: u32 = 7; //         for the backend's InitWait
export const PHASE_FEATURES: u32 = 8;
export const PHASE_PUBLISH: u32 = 9;
export const PHASE_INITIALISED: u32 = 10; // wait for the backend's Connected
export const PHASE_CONNECT: u32 = 11; //     say Connected
export const PHASE_CONNECTED: u32 = 12;
export const PHASE_SAY_CLOSING: u32 = 13;
export const PHASE_CLOSING: u32 = 14; //     wait until the backend has let go
export const PHASE_CLOSE: u32 = 15; //       say Closed
export const PHASE_CLOSED: u32 = 16;
export const PHASE_UNWATCH: u32 = 17; //     the backend's directory changed

/** Bits of `news`. */
export const NEWS_BACKEND: u32 = 1;
export const NEWS_STATE: u32 = 2;

@unmanaged
export class Device {
  phase: u32;
  asked: u32;
  askedIn: u32; //        phase in which it was asked: stop may have moved on since
  request: u32; //        req_id of the question under way
  news: u32; //           NEWS_* not yet looked at
  backendState: u32;
  leftover: bool; //      the backend may still be Connected to an earlier life of ours
  wanted: bool; //        the embedder wants the device up
  afresh: bool; //        start again as soon as it is closed
  backendId: u32;
  deadline: u32; //       ms, of PHASE_CLOSING
  part: u32; //           which question of a phase that asks several
  maxOrder: u32; //       what PHASE_FEATURES has read: max-page-order,
  features: u32; //       and FEATURE_* bits
  transaction: u32; //    of PHASE_PUBLISH
}

export let device: Device = changetype<Device>(0);

/** Bytes of tables, alignment included. */
export const DEVICE_SIZE: u32 = offsetof<Device>() + 8;

export function deviceInit(): void {
  device = changetype<Device>(carve(offsetof<Device>()));
}

/** The backend's state was read; a node that is gone or says no number is Unknown. */
export function backendIsAt(state: u32): void {
  device.backendState = state == NOT_A_NUMBER ? XENBUS_STATE_UNKNOWN : state;
  react();
}

/** Where the backend is decides, not how it got there. Reconfiguring means nothing to us. */
export function react(): void {
  const state = device.backendState;
  const gone =
    state == XENBUS_STATE_UNKNOWN || state == XENBUS_STATE_CLOSING || state == XENBUS_STATE_CLOSED;
  const starting = state >= XENBUS_STATE_INITIALISING && state <= XENBUS_STATE_INIT_WAIT;
  if (device.phase == PHASE_WAIT) wait();
  else if (device.phase == PHASE_INITIALISED) {
    if (gone) close();
    else if (state == XENBUS_STATE_CONNECTED) device.phase = PHASE_CONNECT;
  } else if (device.phase == PHASE_CONNECT || device.phase == PHASE_CONNECTED) {
    if (gone || starting) close();
  } else if (device.phase == PHASE_CLOSING) {
    if (gone || starting) letGo();
  } else if (device.phase == PHASE_CLOSED) {
    if (starting && device.wanted) restart();
  }
}

/** In PHASE_WAIT: whether the backend's nodes can be read now. */
export function wait(): void {
  if (device.phase != PHASE_WAIT || !device.wanted) return;
  const state = device.backendState;
  if (state >= XENBUS_STATE_INITIALISING && state <= XENBUS_STATE_INIT_WAIT)
    device.leftover = false;
  if (state < XENBUS_STATE_INIT_WAIT || state > XENBUS_STATE_CONNECTED || device.leftover) return;
  begin(PHASE_FEATURES);
}

/** Enters a phase that asks several questions. */
export function begin(phase: u32): void {
  device.phase = phase;
  device.part = 0;
}

/** From a closed device to a new start: the backend must be seen to leave its old life first. */
export function restart(): void {
  become(DEVICE_CONNECTING);
  device.afresh = false;
  device.leftover = true;
  device.phase = backendKnown() ? PHASE_START : PHASE_FIND;
  device.news |= NEWS_BACKEND;
}

export function offered(): bool {
  return device.phase >= PHASE_PUBLISH && device.phase <= PHASE_CONNECTED;
}

export function close(): void {
  frontendClosing();
  device.phase = PHASE_SAY_CLOSING;
}

/** The backend has let go, or its time is up. */
export function letGo(): void {
  frontendDetach(DEVICE_CLOSED);
  device.phase = PHASE_CLOSE;
}

/** The device cannot be used: closed, until the embedder starts it again or it has changed. */
export function giveUp(fault: u32, value: u32): void {
  if (device.phase <= PHASE_BACKEND_ID) forgetBackend(); // nothing of it is watched yet
  if (device.news == 0) {
    device.wanted = false;
    refuse(fault, value);
  } // else its nodes have changed meanwhile, and what was read may be of an earlier life
  frontendDetach(DEVICE_CLOSED);
  device.phase = PHASE_CLOSE;
}
