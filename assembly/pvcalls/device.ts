/**
 * The device's xenbus state machine, frontend's half. Spec: pvcalls, "State Machine".
 *
 *   FIND -> START -> WAIT -> FEATURES -> PUBLISH -> INITIALISED -> CONNECT -> CONNECTED
 *     ^               ^  backend closes, vanishes, restarts, or breaks the protocol |
 *     |               |                                                             v
 *     +-- node gone   +--- backend is back ---- CLOSED <- CLOSE <- CLOSING <- SAY_CLOSING
 *
 * Watches say that something changed, never what: each one makes us read where the backend is now,
 * and every phase reacts to that, so states that were missed do no harm. One question is under way
 * at a time; its answer moves the machine.
 */
import { carve } from '../guest/arena';
import {
  BACKEND_HI,
  BACKEND_ID_HI,
  BACKEND_ID_LO,
  BACKEND_LO,
  NOT_A_NUMBER,
  parseDecimal,
  STATE_HI,
  STATE_LO,
} from '../guest/text';
import {
  backendKnown,
  forgetBackend,
  readBackend,
  readOwn,
  sameBackend,
  setBackend,
  TOKEN_BACKEND,
  TOKEN_DEVICE,
  unwatchBackend,
  watchBackend,
  watchOwn,
  writeState,
} from '../guest/xenbus';
import { messagePayload, messageSize, messageType } from '../guest/xenstore';
import { reached } from '../ring/serial';
import {
  DEVICE_CLOSED,
  DEVICE_CONNECTING,
  DEVICE_DOWN,
  DEVICE_FAILED,
  FAULT_BACKEND_NODE,
  FAULT_NONE,
  FAULT_OFFER,
  FAULT_STORE,
  FAULT_STORE_ERROR,
} from '../wire/abi';
import { ENODEV } from '../wire/errno';
import {
  XENBUS_STATE_CLOSED,
  XENBUS_STATE_CLOSING,
  XENBUS_STATE_CONNECTED,
  XENBUS_STATE_INIT_WAIT,
  XENBUS_STATE_INITIALISED,
  XENBUS_STATE_INITIALISING,
  XENBUS_STATE_UNKNOWN,
} from '../wire/xenbus';
import { XS_ERROR } from '../wire/xenstore';
import { become, frontend, frontendAttach, frontendClosing } from './frontend';
import { frontendDetach, frontendOffer, refuse } from './frontend';
import { features, featuresBegin, featureAsk, featureTake, maxPageOrder, MORE } from './features';
import { publishAsk, publishBegin, publishTake } from './publish';
import { requestsLost } from './requests';
import { socketsUsed } from './sockets';
import { until } from './timers';
import { TIMEOUT_NONE } from '../wire/abi';

const PHASE_OFF: u32 = 0;
const PHASE_WATCH: u32 = 1; //        ask for news of our backend node
const PHASE_FIND: u32 = 2; //         there is no device yet
const PHASE_BACKEND_ID: u32 = 3;
const PHASE_WATCH_BACKEND: u32 = 4;
const PHASE_OWN_STATE: u32 = 5; //    did an earlier life leave something?
const PHASE_START: u32 = 6; //        say Initialising
const PHASE_WAIT: u32 = 7; //         for the backend's InitWait
const PHASE_FEATURES: u32 = 8;
const PHASE_PUBLISH: u32 = 9;
const PHASE_INITIALISED: u32 = 10; // wait for the backend's Connected
const PHASE_CONNECT: u32 = 11; //     say Connected
const PHASE_CONNECTED: u32 = 12;
const PHASE_SAY_CLOSING: u32 = 13;
const PHASE_CLOSING: u32 = 14; //     wait until the backend has let go
const PHASE_CLOSE: u32 = 15; //       say Closed
const PHASE_CLOSED: u32 = 16;
const PHASE_UNWATCH: u32 = 17; //     the backend's directory changed

/** Who asked the question under way. */
const ASKED_NOTHING: u32 = 0;
const ASKED_PHASE: u32 = 1;
const ASKED_BACKEND: u32 = 2; //      what our backend node says
const ASKED_STATE: u32 = 3; //        where the backend is

const NEWS_BACKEND: u32 = 1;
const NEWS_STATE: u32 = 2;

/** Lost command slots at which an idle device starts afresh. */
const LOST_MAX: u32 = 8;

@unmanaged
class Device {
  phase: u32;
  asked: u32;
  request: u32; //        req_id of the question under way
  news: u32; //           NEWS_* not yet looked at
  backendState: u32;
  leftover: bool; //      the backend may still be Connected to an earlier life of ours
  wanted: bool; //        the embedder wants the device up
  afresh: bool; //        start again as soon as it is closed
  backendId: u32;
  deadline: u32; //       ms, of PHASE_CLOSING
}

let device: Device = changetype<Device>(0);

/** Bytes of tables, alignment included. */
export const DEVICE_SIZE: u32 = offsetof<Device>() + 8;

export function deviceInit(): void {
  device = changetype<Device>(carve(offsetof<Device>()));
}

/** Brings the device up, now or as soon as there is one. */
export function deviceStart(): void {
  device.wanted = true;
  if (device.phase == PHASE_OFF) device.phase = PHASE_WATCH;
  else if (device.phase == PHASE_FIND) device.news |= NEWS_BACKEND;
  else if (device.phase == PHASE_CLOSED) restart();
  else if (device.phase >= PHASE_SAY_CLOSING) device.afresh = device.phase < PHASE_CLOSED;
  else wait();
  deviceAdvance();
}

/** Takes the device down in the protocol's order; EVENT_DEVICE says when it is closed. */
export function deviceStop(): void {
  device.wanted = false;
  device.afresh = false;
  if (device.phase == PHASE_OFF || device.phase >= PHASE_SAY_CLOSING) return;
  if (device.phase == PHASE_PUBLISH) return; // closed once the transaction has ended
  if (offered()) close();
  else {
    if (device.phase >= PHASE_START) device.phase = PHASE_CLOSE;
    become(DEVICE_CLOSED);
  }
  deviceAdvance();
}

/** A watch of ours fired. False when the token is not ours. */
export function deviceWatch(token: u32): bool {
  if (token == TOKEN_DEVICE) device.news |= NEWS_BACKEND;
  else if (token == TOKEN_BACKEND) device.news |= NEWS_STATE;
  else return false;
  return true;
}

/** A reply came. False when it answers somebody else's request. */
export function deviceReply(id: u32): bool {
  if (device.asked == ASKED_NOTHING || id != device.request) return false;
  const asked = device.asked;
  device.asked = ASKED_NOTHING;
  if (asked == ASKED_BACKEND) backendNode();
  else if (asked == ASKED_STATE) backendIsAt(messageType() == XS_ERROR ? NOT_A_NUMBER : number());
  else answered();
  return true;
}

/** Asks the next question, if none is under way. */
export function deviceAdvance(): void {
  if (device.asked != ASKED_NOTHING || device.phase == PHASE_OFF) return;
  if (frontend.state == DEVICE_FAILED && offered()) {
    device.wanted = false;
    close();
  }
  if (device.phase == PHASE_CONNECTED && requestsLost() >= LOST_MAX && socketsUsed() == 0) {
    device.afresh = true;
    close();
  }
  if (device.phase == PHASE_CLOSING && reached(frontend.now, device.deadline)) letGo();
  let asked = ASKED_BACKEND;
  let request: i32 = 0;
  const settled = device.phase != PHASE_PUBLISH; // a transaction is not left open
  if (settled && device.news & NEWS_BACKEND) {
    request = readOwn(BACKEND_LO, BACKEND_HI);
  } else if (
    settled &&
    device.phase != PHASE_CLOSE && // who is told that we are closed may stop us: say so first
    device.news & NEWS_STATE &&
    backendKnown()
  ) {
    asked = ASKED_STATE;
    request = readBackend(STATE_LO, STATE_HI);
  } else {
    asked = ASKED_PHASE;
    request = ask();
  }
  if (request <= 0) return; // nothing to ask, or the way out is busy
  if (asked == ASKED_BACKEND) device.news &= ~NEWS_BACKEND;
  else if (asked == ASKED_STATE) device.news &= ~NEWS_STATE;
  device.asked = asked;
  device.request = <u32>request;
}

/** xenstore cannot be talked to any more: the device is lost, whatever it was doing. */
export function deviceLostStore(): void {
  if (device.phase == PHASE_OFF) return;
  device.phase = PHASE_OFF;
  refuse(FAULT_STORE, 0);
  frontendDetach(DEVICE_FAILED);
}

/** Milliseconds until the machine moves by itself, or TIMEOUT_NONE. */
export function deviceTimeout(): u32 {
  return device.phase == PHASE_CLOSING ? until(device.deadline) : TIMEOUT_NONE;
}

/** The question of the phase we are in: a req_id, 0 for none, or a negative errno. */
function ask(): i32 {
  switch (device.phase) {
    case PHASE_WATCH:
      return watchOwn(BACKEND_LO, BACKEND_HI, TOKEN_DEVICE);
    case PHASE_BACKEND_ID:
      return readOwn(BACKEND_ID_LO, BACKEND_ID_HI);
    case PHASE_WATCH_BACKEND:
      return watchBackend(STATE_LO, STATE_HI, TOKEN_BACKEND);
    case PHASE_UNWATCH:
      return unwatchBackend(STATE_LO, STATE_HI, TOKEN_BACKEND);
    case PHASE_OWN_STATE:
      return readOwn(STATE_LO, STATE_HI);
    case PHASE_START:
      return writeState(0, XENBUS_STATE_INITIALISING);
    case PHASE_FEATURES:
      return featureAsk();
    case PHASE_PUBLISH:
      return publishAsk();
    case PHASE_CONNECT:
      return writeState(0, XENBUS_STATE_CONNECTED);
    case PHASE_SAY_CLOSING:
      return writeState(0, XENBUS_STATE_CLOSING);
    case PHASE_CLOSE:
      return writeState(0, XENBUS_STATE_CLOSED);
  }
  return 0;
}

/** The question of the phase is answered. An error of a write means the device is not ours. */
function answered(): void {
  const failed = messageType() == XS_ERROR;
  switch (device.phase) {
    case PHASE_WATCH:
      device.phase = PHASE_FIND; // the watch fires once by itself
      break;
    case PHASE_BACKEND_ID:
      device.backendId = failed ? NOT_A_NUMBER : number();
      if (device.backendId == NOT_A_NUMBER) return giveUp(FAULT_BACKEND_NODE, 0);
      device.phase = PHASE_WATCH_BACKEND;
      break;
    case PHASE_UNWATCH:
      forgetBackend();
      device.phase = PHASE_FIND;
      device.news |= NEWS_BACKEND;
      break;
    case PHASE_WATCH_BACKEND:
      device.phase = PHASE_OWN_STATE;
      break;
    case PHASE_OWN_STATE:
      device.leftover = failed || number() != XENBUS_STATE_INITIALISING;
      device.phase = device.leftover ? PHASE_START : PHASE_WAIT;
      wait();
      break;
    case PHASE_FEATURES:
      takeFeature();
      break;
    case PHASE_PUBLISH:
      takePublished();
      break;
    case PHASE_SAY_CLOSING:
      device.phase = PHASE_CLOSING;
      device.deadline = frontend.now + frontend.closeTimeoutMs;
      device.news |= NEWS_STATE;
      break;
    case PHASE_CLOSE:
      device.phase = PHASE_CLOSED;
      if (device.afresh) restart();
      else react();
      break;
    default:
      if (failed) return giveUp(FAULT_STORE_ERROR, 0);
      if (device.phase == PHASE_START) device.phase = PHASE_WAIT;
      else if (device.phase == PHASE_CONNECT) connected();
      wait();
  }
}

/** Our backend node was read: a device came, went, or moved to another backend. */
function backendNode(): void {
  if (messageType() == XS_ERROR) {
    if (device.phase != PHASE_FIND) frontendDetach(DEVICE_DOWN);
    device.phase = backendKnown() ? PHASE_UNWATCH : PHASE_FIND;
  } else if (!backendKnown()) {
    if (device.phase != PHASE_FIND || !device.wanted) return;
    if (!setBackend(messagePayload(), messageSize())) return giveUp(FAULT_BACKEND_NODE, 0);
    become(DEVICE_CONNECTING);
    device.phase = PHASE_BACKEND_ID;
  } else if (!sameBackend(messagePayload(), messageSize())) {
    frontendDetach(DEVICE_DOWN);
    device.phase = PHASE_UNWATCH;
  }
}

/** The backend's state was read; a node that is gone or says no number is Unknown. */
function backendIsAt(state: u32): void {
  device.backendState = state == NOT_A_NUMBER ? XENBUS_STATE_UNKNOWN : state;
  react();
}

/** Where the backend is decides, not how it got there. Reconfiguring means nothing to us. */
function react(): void {
  const state = device.backendState;
  const gone =
    state == XENBUS_STATE_UNKNOWN || state == XENBUS_STATE_CLOSING || state == XENBUS_STATE_CLOSED;
  const starting = state == XENBUS_STATE_INITIALISING || state == XENBUS_STATE_INIT_WAIT;
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
function wait(): void {
  if (device.phase != PHASE_WAIT || !device.wanted) return;
  const state = device.backendState;
  if (state == XENBUS_STATE_INITIALISING || state == XENBUS_STATE_INIT_WAIT)
    device.leftover = false;
  if (state < XENBUS_STATE_INIT_WAIT || state > XENBUS_STATE_CONNECTED || device.leftover) return;
  featuresBegin(frontend.v7);
  device.phase = PHASE_FEATURES;
}

function takeFeature(): void {
  if (!device.wanted) {
    device.phase = PHASE_CLOSE;
    return;
  }
  const fault = featureTake();
  if (fault == MORE) return; // there are more nodes to read
  if (fault != FAULT_NONE) return giveUp(fault, <u32>-ENODEV);
  const result = frontendOffer(device.backendId);
  if (result < 0) return giveUp(FAULT_OFFER, <u32>result);
  publishBegin(frontend.v7);
  device.phase = PHASE_PUBLISH;
}

function takePublished(): void {
  const done = publishTake();
  if (done == 0) return;
  if (done < 0) return giveUp(FAULT_STORE_ERROR, <u32>done);
  device.phase = PHASE_INITIALISED;
  device.news |= NEWS_STATE;
  if (!device.wanted) close();
}

function connected(): void {
  device.phase = PHASE_CONNECTED;
  frontendAttach(maxPageOrder(), features());
  device.news |= NEWS_STATE; // it may have changed while we said so
}

/** From a closed device to a new start: the backend must be seen to leave its old life first. */
function restart(): void {
  become(DEVICE_CONNECTING);
  device.afresh = false;
  device.leftover = true;
  device.phase = backendKnown() ? PHASE_START : PHASE_FIND;
  device.news |= NEWS_BACKEND;
}

function offered(): bool {
  return device.phase >= PHASE_PUBLISH && device.phase <= PHASE_CONNECTED;
}

function close(): void {
  frontendClosing();
  device.phase = PHASE_SAY_CLOSING;
}

/** The backend has let go, or its time is up. */
function letGo(): void {
  frontendDetach(DEVICE_CLOSED);
  device.phase = PHASE_CLOSE;
}

/** The device cannot be used: closed, until the embedder starts it again. */
function giveUp(fault: u32, value: u32): void {
  device.wanted = false;
  if (device.phase <= PHASE_BACKEND_ID) forgetBackend(); // nothing of it is watched yet
  refuse(fault, value);
  frontendDetach(DEVICE_CLOSED);
  device.phase = PHASE_CLOSE;
}

function number(): u32 {
  return parseDecimal(messagePayload(), messageSize());
}
