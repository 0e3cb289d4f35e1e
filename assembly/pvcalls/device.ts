/**
 * The device's conversation with xenstore: which question each phase asks, and what its answer
 * does. Spec: pvcalls, "Xenstore".
 *
 * Watches say that something changed, never what: each one makes us read where the backend is now.
 * One question is under way at a time; its answer moves the machine.
 */
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
  TIMEOUT_NONE,
} from '../wire/abi';
import { ENODEV } from '../wire/errno';
import {
  XENBUS_STATE_CLOSED,
  XENBUS_STATE_CLOSING,
  XENBUS_STATE_CONNECTED,
  XENBUS_STATE_INITIALISING,
  XENBUS_STATE_UNKNOWN,
} from '../wire/xenbus';
import { XS_ERROR } from '../wire/xenstore';
import { featureAsk, featureTake, MORE } from './features';
import {
  become,
  frontend,
  frontendAttach,
  frontendDetach,
  frontendOffer,
  refuse,
} from './frontend';
import {
  backendIsAt,
  begin,
  close,
  device,
  giveUp,
  letGo,
  NEWS_BACKEND,
  NEWS_STATE,
  offered,
  restart,
  wait,
  react,
  PHASE_OFF,
  PHASE_WATCH,
  PHASE_FIND,
  PHASE_BACKEND_ID,
  PHASE_WATCH_BACKEND,
  PHASE_OWN_STATE,
  PHASE_START,
  PHASE_WAIT,
  PHASE_FEATURES,
  PHASE_PUBLISH,
  PHASE_INITIALISED,
  PHASE_CONNECT,
  PHASE_CONNECTED,
  PHASE_SAY_CLOSING,
  PHASE_CLOSING,
  PHASE_CLOSE,
  PHASE_CLOSED,
  PHASE_UNWATCH,
} from './phases';
import { publishAsk, publishTake } from './publish';
import { requestsLost } from './requests';
import { socketsUsed } from './sockets';
import { until } from './timers';

/** Lost command slots at which an idle device starts afresh. */
const LOST_MAX: u32 = 8;

/** Who asked the question under way. */
const ASKED_NOTHING: u32 = 0;
const ASKED_PHASE: u32 = 1;
const ASKED_BACKEND: u32 = 2; //      what our backend node says
const ASKED_STATE: u32 = 3; //        where the backend is

/** Brings the device up, now or as soon as there is one. */
export function deviceStart(): void {
  device.wanted = true;
  if (frontend.fault == FAULT_STORE)
    frontend.news = true; // say again that it is lost
  else if (device.phase == PHASE_OFF) device.phase = PHASE_WATCH;
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
  else if (asked == ASKED_STATE) backendIsAt(number());
  else if (device.askedIn == device.phase) answered();
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
  device.askedIn = device.phase;
  device.request = <u32>request;
}

/** xenstore cannot be talked to any more: the device is lost, whatever it was doing. */
export function deviceLostStore(): void {
  if (frontend.fault == FAULT_STORE) return;
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
      return device.wanted ? writeState(0, XENBUS_STATE_INITIALISING) : 0;
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
      device.backendId = number();
      if (device.backendId == NOT_A_NUMBER) return giveUp(FAULT_BACKEND_NODE, 0);
      device.phase = PHASE_WATCH_BACKEND;
      break;
    case PHASE_UNWATCH:
      forgetBackend();
      device.backendState = XENBUS_STATE_UNKNOWN;
      device.phase = PHASE_FIND;
      device.news |= NEWS_BACKEND;
      break;
    case PHASE_WATCH_BACKEND:
      device.phase = PHASE_OWN_STATE;
      break;
    case PHASE_OWN_STATE:
      device.leftover = number() != XENBUS_STATE_INITIALISING;
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

function takeFeature(): void {
  const fault = featureTake();
  if (fault == MORE) return; // there are more nodes to read
  if (fault != FAULT_NONE) return giveUp(fault, <u32>-ENODEV);
  const result = frontendOffer(device.backendId);
  if (result < 0) return giveUp(FAULT_OFFER, <u32>result);
  begin(PHASE_PUBLISH);
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
  frontendAttach(device.maxOrder, device.features);
}

/** The number that the message says, or NOT_A_NUMBER: text, as of an error. */
function number(): u32 {
  return parseDecimal(messagePayload(), messageSize());
}
