/**
 * Everything that happens because time has passed. Time is u32 milliseconds from an origin of the
 * embedder's; we only compare and add. A look at the table happens when a deadline is due, never
 * per event.
 */
import { framesParked, retryParked } from '../guest/arena';
import { distance, reached } from '../ring/serial';
import { TIMEOUT_NONE } from '../wire/abi';
import { ETIMEDOUT } from '../wire/errno';
import { PVCALLS_RELEASE, PVCALLS_SOCKET } from '../wire/pvcalls';
import { RING_SIZE } from '../wire/ring';
import { frontend } from './frontend';
import { complete } from './ready';
import { keepDraining, released } from './release';
import { NO_OWNER, Request, requestAt, requestsInFlight } from './requests';
import {
  enlist,
  LIST_PASSIVE,
  LIST_TIMED,
  OP_NONE,
  peekList,
  Socket,
  socketAt,
  STATE_DRAINING,
  STATE_LISTENING,
  takeList,
} from './sockets';

/** Longest pause between two looks at draining sockets: v1 has no event for "all taken". */
const TICK_MAX_MS: u32 = 32;
const PARKED_RETRY_MS: u32 = 500;

/** Does what is due at frontend.now. */
export function runTimers(): void {
  const now = frontend.now;
  if (peekList(LIST_TIMED) !== null && reached(now, frontend.tickAt)) {
    frontend.tickMs = min(frontend.tickMs << 1, TICK_MAX_MS);
    frontend.tickAt = now + frontend.tickMs;
    lookAtTimed();
  }
  if (framesParked() == 0 || reached(now, frontend.parkedAt)) {
    frontend.parkedAt = now + PARKED_RETRY_MS; // moves along while nothing is parked
    retryParked();
  }
  if (requestsInFlight() == 0) return;
  for (let slot: u32 = 0; slot < RING_SIZE; slot++) {
    const request = requestAt(slot);
    if (request.reqId != 0 && request.timed && reached(now, request.deadline)) giveUp(request);
  }
}

/** Milliseconds until runTimers has something to do, or TIMEOUT_NONE. */
export function nextTimeout(): u32 {
  let next = TIMEOUT_NONE;
  if (peekList(LIST_TIMED) !== null) next = until(frontend.tickAt);
  if (framesParked() != 0) next = min(next, until(frontend.parkedAt));
  if (requestsInFlight() == 0) return next;
  for (let slot: u32 = 0; slot < RING_SIZE; slot++) {
    const request = requestAt(slot);
    if (request.reqId != 0 && request.timed) next = min(next, until(request.deadline));
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
      if (first.passiveWant != OP_NONE) enlist(first, LIST_PASSIVE);
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
  if (request.command == PVCALLS_RELEASE) {
    released(socket, -ETIMEDOUT);
  } else if (socket.error == 0 && socket.op != OP_NONE) {
    socket.error = -ETIMEDOUT;
    complete(socket, <u32>socket.op, -ETIMEDOUT);
  } else if (socket.error == 0 && request.command == PVCALLS_SOCKET) {
    socket.error = -ETIMEDOUT;
    complete(socket, PVCALLS_SOCKET, -ETIMEDOUT);
  }
}
