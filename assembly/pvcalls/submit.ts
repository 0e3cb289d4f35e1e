/**
 * From wants to requests. Sockets wait in lists, by what their command may do to a slot: RELEASE is
 * always let through, commands answered at once come next, those that may take minutes or for ever
 * never take all slots. So pending accepts and slow connects cannot starve release or bind.
 */
import { ringOutstanding, ringPush, ringPut } from '../ring/shared-ring';
import { framesPlenty } from '../guest/arena';
import { COUNTER_REQUESTS, DEVICE_CONNECTED, INIT_REUSE } from '../wire/abi';
import { AF_INET, SOCK_STREAM } from '../wire/inet';
import {
  PVCALLS_ACCEPT,
  PVCALLS_BIND,
  PVCALLS_CONNECT,
  PVCALLS_LISTEN,
  PVCALLS_POLL,
  PVCALLS_RELEASE,
  PVCALLS_SOCKET,
} from '../wire/pvcalls';
import { RING_SIZE } from '../wire/ring';
import {
  encodeAccept,
  encodeBind,
  encodeConnect,
  encodeHeader,
  encodeListen,
  encodeRelease,
  encodeSocket,
} from './commands';
import { commands, count, frontend, notify } from './frontend';
import { isPassive, requestsPassive, requestsSlow, takeRequest } from './requests';
import {
  bit,
  enlist,
  handleOf,
  indexOf,
  LIST_CONNECT,
  LIST_CONTROL,
  LIST_PASSIVE,
  LIST_RELEASE,
  OP_NONE,
  partnerOf,
  peekList,
  READY_CLOSED,
  Socket,
  STATE_CONNECTING,
  STATE_DRAINING,
  STATE_FREE,
  STATE_LISTENING,
  STATE_RELEASING,
  takeList,
  unlist,
} from './sockets';

/** Slots kept free for RELEASE. */
const RELEASE_SLOTS: u32 = 2;
/** Slots that CONNECT, ACCEPT and POLL together may hold, and ACCEPT and POLL alone. */
export const LONG_MAX: u32 = 28;
export const PASSIVE_MAX: u32 = 24;

/**
 * The socket waits for a slot, for as long as a command may take. It leaves the lists that it is
 * still in from before, maybe from an earlier life: each is in the order of its deadlines.
 */
export function want(socket: Socket, list: u32): void {
  for (let stale = LIST_RELEASE; stale <= LIST_CONNECT; stale++) unlist(socket, stale);
  socket.due = frontend.now + frontend.commandTimeoutMs;
  enlist(socket, list);
}

/** Sends what can be sent, in one batch with one notification. */
export function pump(): void {
  if (frontend.state != DEVICE_CONNECTED) return;
  for (let list = LIST_RELEASE; list <= LIST_PASSIVE; list++) {
    while (peekList(list) !== null && admitted(list)) {
      const socket = takeList(list);
      if (socket !== null) submit(socket, list);
    }
  }
  if (ringPush(commands)) notify(frontend.port);
}

/** Whether a command of this list may take a slot now. */
function admitted(list: u32): bool {
  const used = ringOutstanding(commands);
  if (list == LIST_RELEASE) return used < RING_SIZE;
  if (used >= RING_SIZE - RELEASE_SLOTS) return false;
  if (list == LIST_CONTROL) return true;
  if (requestsPassive() + requestsSlow() >= LONG_MAX) return false;
  return list == LIST_CONNECT || requestsPassive() < PASSIVE_MAX;
}

/** Sends what the socket wants now: maybe nothing any more, maybe it is another one by now. */
function submit(socket: Socket, list: u32): void {
  const state = <u32>socket.state;
  if (list == LIST_RELEASE) {
    const closed = (socket.ready & (<u8>READY_CLOSED)) != 0; // it is over, but not yet told
    if (state == STATE_RELEASING && !closed) send(socket, PVCALLS_RELEASE);
  } else if (state == STATE_FREE || state >= STATE_DRAINING || socket.error != 0) {
    return;
  } else if (list == LIST_CONTROL) {
    if (!socket.connectable) send(socket, PVCALLS_SOCKET);
    else if (socket.op == PVCALLS_BIND || socket.op == PVCALLS_LISTEN) send(socket, socket.op);
  } else if (list == LIST_CONNECT) {
    if (state == STATE_CONNECTING && socket.connectable) send(socket, PVCALLS_CONNECT);
  } else if (state == STATE_LISTENING && socket.passiveWant != OP_NONE) {
    send(socket, socket.passiveWant);
    socket.passiveWant = <u8>OP_NONE;
  }
}

function send(socket: Socket, command: u32): void {
  const request = takeRequest(command, indexOf(socket), handleOf(socket));
  if (frontend.commandTimeoutMs != 0 && !isPassive(command)) {
    request.timed = true;
    request.deadline = frontend.now + frontend.commandTimeoutMs;
  }
  encodeHeader(frontend.scratch, request.reqId, command, request.id);
  encodeBody(frontend.scratch, socket, command);
  ringPut(commands, frontend.scratch);
  socket.inFlight |= <u8>bit(command);
  count(COUNTER_REQUESTS);
}

function encodeBody(at: usize, socket: Socket, command: u32): void {
  const addr = changetype<usize>(socket) + offsetof<Socket>('addr0');
  switch (command) {
    case PVCALLS_SOCKET:
      encodeSocket(at, AF_INET, SOCK_STREAM, 0);
      break;
    case PVCALLS_CONNECT:
      encodeConnect(at, addr, socket.addrSize, socket.ref, socket.port);
      break;
    case PVCALLS_RELEASE:
      socket.kept = (frontend.flags & INIT_REUSE) != 0 && socket.ringed && framesPlenty();
      encodeRelease(at, socket.kept, socket.reset);
      break;
    case PVCALLS_BIND:
      encodeBind(at, addr, socket.addrSize);
      break;
    case PVCALLS_LISTEN:
      encodeListen(at, socket.backlog);
      break;
    case PVCALLS_ACCEPT: {
      const fresh = partnerOf(socket);
      encodeAccept(at, handleOf(fresh), fresh.ref, fresh.port);
      break;
    }
  }
}
