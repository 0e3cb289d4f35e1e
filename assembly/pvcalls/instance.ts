/**
 * The instance as a whole: init, what goes in, what comes out.
 *
 * Handlers take what came in, do what follows from it and send what can be sent; poll_event and
 * poll_timeout say what there is to do. Calls that find nothing do nothing.
 */
import { arenaInit, arenaOverhead, arenaSeal, framesFree, framesParked } from '../guest/arena';
import {
  EVENTS_SIZE,
  eventsInit,
  ownerOf,
  OWNER_COMMANDS,
  OWNER_SOCKETS,
  OWNER_STORE,
  scanBegin,
  scanNext,
} from '../guest/events';
import { stormInit, stormSize, useful } from '../guest/storm';
import { XENBUS_SIZE, xenbusInit } from '../guest/xenbus';
import {
  messageId,
  messagePayload,
  messageSize,
  messageType,
  STORE_SIZE,
  storeInit,
  storeWork,
} from '../guest/xenstore';
import {
  COUNTER_EVENTS,
  COUNTER_FRAMES_FREE,
  COUNTER_LOST,
  COUNTER_PARKED,
  COUNTER_SOCKETS,
  COUNTER_SPURIOUS,
  COUNTER_UNKNOWN,
  EVENT_A,
  EVENT_B,
  EVENT_C,
  EVENT_CLOSED,
  EVENT_DEVICE,
  EVENT_DONE,
  EVENT_HANDLE,
  EVENT_KIND,
  EVENT_NONE,
  EVENT_READY,
  EVENT_STORE,
  INIT_ARCHITECTURE,
  INIT_ARENA,
  INIT_FLAGS,
  INIT_FRAMES,
  INIT_SHARED_INFO,
  INIT_SOCKETS,
  INIT_STORE_PAGE,
  INIT_STORE_PORT,
  SOCKETS_MAX,
} from '../wire/abi';
import { EINVAL, ENOMEM } from '../wire/errno';
import { PAGE_SHIFT, PAGE_SIZE } from '../wire/page';
import { XS_WATCH_EVENT } from '../wire/xenstore';
import { handleResponses } from './answers';
import { deviceAdvance, deviceTimeout } from './device';
import { DEVICE_SIZE, deviceInit } from './phases';
import {
  commands,
  count,
  COUNTERS_KEPT,
  countersKept,
  frontend,
  FRONTEND_SIZE,
  frontendInit,
} from './frontend';
import { handleMail, mailInit, takeMail } from './mail';
import { handleData, pollMask } from './ready';
import { keepDraining } from './release';
import { REQUESTS_SIZE, requestsInit, requestsLost } from './requests';
import {
  enlist,
  giveSocket,
  handleOf,
  LIST_READY,
  READY_CLOSED,
  READY_DONE,
  Socket,
  socketAt,
  socketsInit,
  socketsSize,
  socketsUsed,
  STATE_DRAINING,
  takeList,
} from './sockets';
import { pump } from './submit';
import { nextTimeout, runTimers } from './timers';

/** Bytes of all tables whose size is known beforehand. */
const FIXED_SIZE: u32 =
  EVENTS_SIZE + STORE_SIZE + XENBUS_SIZE + FRONTEND_SIZE + REQUESTS_SIZE + DEVICE_SIZE;

/** Result: frames left for rings, or -EINVAL, or -ENOMEM when the tables do not fit the arena. */
export function init(config: usize): i32 {
  const arena = load<u32>(config, INIT_ARENA);
  const frames = load<u32>(config, INIT_FRAMES);
  const sockets = load<u32>(config, INIT_SOCKETS);
  if (arena == 0 || arena & (PAGE_SIZE - 1) || frames == 0 || frames >= 1 << 20) return -EINVAL;
  if (sockets == 0 || sockets > SOCKETS_MAX) return -EINVAL;
  const tables = stormSize(OWNER_SOCKETS + sockets) + socketsSize(sockets);
  if ((<u64>frames) << PAGE_SHIFT < FIXED_SIZE + tables + arenaOverhead(frames)) {
    return -ENOMEM;
  }
  arenaInit(arena, frames);
  eventsInit(load<u32>(config, INIT_SHARED_INFO), load<u32>(config, INIT_ARCHITECTURE));
  stormInit(OWNER_SOCKETS + sockets);
  storeInit(load<u32>(config, INIT_STORE_PAGE), load<u32>(config, INIT_STORE_PORT));
  xenbusInit();
  frontendInit(config + INIT_FLAGS);
  requestsInit();
  deviceInit();
  socketsInit(sockets);
  mailInit();
  return arenaSeal();
}

/** Scans shared_info and handles every pending port. */
export function handleUpcall(): void {
  scanBegin();
  for (let port = scanNext(); port >= 0; port = scanNext()) dispatch(<u32>port);
  advance();
}

/** Handles one port, for an embedder that demultiplexes event channels itself. */
export function handleEvent(port: u32): void {
  dispatch(port);
  advance();
}

/** Handles an event of a port. */
export function dispatch(port: u32): void {
  const owner = ownerOf(port);
  let work: u32 = 0;
  count(COUNTER_EVENTS);
  if (owner >= OWNER_SOCKETS) {
    const socket = socketAt(owner - OWNER_SOCKETS);
    if (socket.state == STATE_DRAINING) keepDraining(socket);
    else handleData(socket);
    work = socket.inProd + socket.outCons; // neither moves back
  } else if (owner == OWNER_COMMANDS) {
    handleResponses();
    work = commands.rspCons;
  } else if (owner == OWNER_STORE) {
    handleMail();
    work = storeWork();
  } else {
    return count(COUNTER_UNKNOWN);
  }
  if (!useful(port, owner, work)) count(COUNTER_SPURIOUS);
}

/** Time has come to `nowMs`; u32, any origin, never back. */
export function handleTimeout(nowMs: u32): void {
  frontend.now = nowMs;
  runTimers();
  advance();
}

function advance(): void {
  pump();
  deviceAdvance();
}

/** Milliseconds until handle_timeout has something to do, or TIMEOUT_NONE. */
export function pollTimeout(): u32 {
  return min(nextTimeout(), deviceTimeout());
}

/** Writes the next event. Result: its kind, EVENT_NONE when there is none. */
export function pollEvent(event: usize): u32 {
  handleMail(); // first: it may be news of the device
  if (frontend.news) {
    frontend.news = false;
    return emit(event, EVENT_DEVICE, 0, frontend.state, frontend.fault, frontend.faultValue);
  }
  for (let socket = takeList(LIST_READY); socket !== null; socket = takeList(LIST_READY)) {
    if (socket.ready != 0) return emitReady(event, socket);
  }
  if (!takeMail()) return emit(event, EVENT_NONE, 0, 0, 0, 0);
  const request = messageType() == XS_WATCH_EVENT ? 0 : messageId();
  return emit(event, EVENT_STORE, request, <u32>messagePayload(), messageSize(), messageType());
}

/** One event of the socket; with more it goes to the end of the list again. */
function emitReady(event: usize, socket: Socket): u32 {
  const handle = handleOf(socket);
  const bits = socket.ready;
  if (bits & READY_CLOSED) {
    socket.ready = 0;
    giveSocket(socket);
    return emit(event, EVENT_CLOSED, handle, 0, socket.result, 0);
  }
  if (bits & READY_DONE) {
    socket.ready = bits & ~(<u8>READY_DONE);
    if (socket.ready != 0) enlist(socket, LIST_READY);
    return emit(event, EVENT_DONE, handle, socket.finished, socket.result, 0);
  }
  socket.ready = 0;
  return emit(event, EVENT_READY, handle, pollMask(socket), 0, 0);
}

function emit(event: usize, kind: u32, handle: u32, a: u32, b: u32, c: u32): u32 {
  store<u32>(event, kind, EVENT_KIND);
  store<u32>(event, handle, EVENT_HANDLE);
  store<u32>(event, a, EVENT_A);
  store<u32>(event, b, EVENT_B);
  store<u32>(event, c, EVENT_C);
  return kind;
}

/** Writes `struct counters`. */
export function counters(at: usize): void {
  memory.copy(at, countersKept(), COUNTERS_KEPT);
  store<u32>(at, requestsLost(), COUNTER_LOST);
  store<u32>(at, framesParked(), COUNTER_PARKED);
  store<u32>(at, framesFree(), COUNTER_FRAMES_FREE);
  store<u32>(at, socketsUsed(), COUNTER_SOCKETS);
}
