/**
 * Everything that happens because time has passed. Time is u32 milliseconds from an origin of the
 * embedder's; we only compare and add. A look at the table happens when a deadline is due, never
 * per event.
 */
import { framesParked, retryParked } from '../guest/arena';
import { resume, STORM_MS, stormCounting, stormOver } from '../guest/storm';
import { distance, reached } from '../ring/serial';
import { TIMEOUT_NONE } from '../wire/abi';
import { ETIMEDOUT } from '../wire/errno';
import { PVCALLS_RELEASE, PVCALLS_SOCKET } from '../wire/pvcalls';
import { RING_SIZE } from '../wire/ring';
import { EVTCHN_2L_NR_CHANNELS } from '../wire/shared-info';
import { frontend } from './frontend';
import { complete } from './ready';
import { keepDraining, released } from './release';
import { passiveBusy } from './calls';
import { dispatch } from './instance';
import { NO_OWNER, Request, requestAt } from './requests';
import {
  enlist,
  LIST_CONNECT,
  LIST_PASSIVE,
  LIST_RELEASE,
  LIST_TIMED,
  OP_NONE,
  peekList,
  READY_CLOSED,
  Socket,
  socketAt,
  STATE_DRAINING,
  STATE_FREE,
  STATE_LISTENING,
  STATE_RELEASING,
  takeList,
} from './sockets';

/** Longest pause between two looks at draining sockets: v1 has no event for "all taken". */
const TICK_MAX_MS: u32 = 32;
/** From one try of parked frames to the next; the window in which useless events are counted. */
const CHORES_MS: u32 = STORM_MS;

/** Does what is due at frontend.now. */
export function runTimers(): void {
  const now = frontend.now;
  if (peekList(LIST_TIMED) !== null && reached(now, frontend.tickAt)) {
    frontend.tickMs = min(frontend.tickMs << 1, TICK_MAX_MS);
    frontend.tickAt = now + frontend.tickMs;
    lookAtTimed();
  }
  if (!chores() || reached(now, frontend.choresAt)) {
    frontend.choresAt = now + CHORES_MS; // moves along while there are none
    retryParked();
    if (stormCounting()) endStorm();
  }
  deadlines(true);
}

/** Milliseconds until runTimers has something to do, or TIMEOUT_NONE. */
export function nextTimeout(): u32 {
  let next = deadlines(false);
  if (peekList(LIST_TIMED) !== null) next = min(next, until(frontend.tickAt));
  if (chores()) next = min(next, until(frontend.choresAt));
  return next;
}

/** Whether frames are parked or useless events counted. */
function chores(): bool {
  return framesParked() != 0 || stormCounting();
}

/** Unmasks what was masked, and looks: what came meanwhile raised no event. */
function endStorm(): void {
  stormOver();
  for (let port: u32 = 0; port < EVTCHN_2L_NR_CHANNELS; port++) if (resume(port)) dispatch(port);
}

/**
 * Goes over the deadlines of commands, sent or waiting for a slot, and with `act` gives up those
 * that have passed. Result: milliseconds until the next one.
 */
function deadlines(act: bool): u32 {
  let next = TIMEOUT_NONE;
  if (frontend.commandTimeoutMs == 0) return next;
  for (let slot: u32 = 0; slot < RING_SIZE; slot++) {
    const request = requestAt(slot);
    if (request.reqId == 0 || !request.timed) continue;
    if (act && reached(frontend.now, request.deadline)) giveUp(request);
    else next = min(next, until(request.deadline));
  }
  for (let list = LIST_RELEASE; list <= LIST_CONNECT; list++) {
    for (let first = peekList(list); first !== null; first = peekList(list)) {
      if (!act || !reached(frontend.now, first.due)) {
        next = min(next, until(first.due)); // the list is in the order of its deadlines
        break;
      }
      takeList(list);
      timeOut(first);
    }
  }
  return next;
}

export function until(moment: u32): u32 {
  return reached(frontend.now, moment) ? 0 : distance(moment, frontend.now);
}

/** Each member once: those that stay go to the end, and the first of them ends the round. */
function lookAtTimed(): void {
  let stay: Socket | null = null;
  for (;;) {
    const first = peekList(LIST_TIMED);
    if (first === null || first === stay) return;
    takeList(LIST_TIMED);
    if (first.state == STATE_LISTENING) {
      if (first.passiveWant != OP_NONE && !passiveBusy(first)) enlist(first, LIST_PASSIVE);
    } else if (first.state == STATE_DRAINING) {
      if (!keepDraining(first)) continue;
      enlist(first, LIST_TIMED);
      if (stay === null) stay = first;
    }
  }
}

/** The deadline of a request has passed. Its slot stays taken until the backend answers. */
function giveUp(request: Request): void {
  request.timed = false;
  if (request.owner == NO_OWNER) return;
  const socket = socketAt(request.owner);
  const releasing = socket.state == STATE_RELEASING; // then only RELEASE is waited for
  if (releasing == (request.command == PVCALLS_RELEASE)) timeOut(socket);
}

/** What the socket waits for has taken too long. */
function timeOut(socket: Socket): void {
  const state = <u32>socket.state;
  if (state == STATE_RELEASING) {
    if (!(socket.ready & (<u8>READY_CLOSED))) released(socket, -ETIMEDOUT);
  } else if (state == STATE_FREE || state >= STATE_DRAINING || socket.error != 0) {
    return;
  } else if (socket.op != OP_NONE || !socket.connectable) {
    socket.error = -ETIMEDOUT;
    complete(socket, socket.op == OP_NONE ? PVCALLS_SOCKET : <u32>socket.op, -ETIMEDOUT);
  }
}
