/**
 * The socket calls, POSIX and non-blocking: a result, or a negative errno, or EINPROGRESS or EAGAIN
 * and an event later. Every refusal happens before anything is changed.
 */
import { DEVICE_CONNECTED, RING_ORDER_DEFAULT } from '../wire/abi';
import {
  EAFNOSUPPORT,
  EAGAIN,
  EALREADY,
  EBADF,
  EDESTADDRREQ,
  EINPROGRESS,
  EINVAL,
  EISCONN,
  ENETDOWN,
  ENOBUFS,
  ENOTSUP,
  EOPNOTSUPP,
} from '../wire/errno';
import {
  ADDR_SIZE,
  AF_INET,
  IPPROTO_TCP,
  SIN_FAMILY,
  SOCK_STREAM,
  SOCKADDR_IN_SIZE,
} from '../wire/inet';
import {
  PVCALLS_ACCEPT,
  PVCALLS_BIND,
  PVCALLS_CONNECT,
  PVCALLS_LISTEN,
  PVCALLS_POLL,
} from '../wire/pvcalls';
import { look, pollMask } from './ready';
import { frontend, v7 } from './frontend';
import { requestsLost } from './requests';
import { takeRing } from './rings';
import { PASSIVE_MAX, pump, want } from './submit';
import {
  bit,
  enlist,
  giveSocket,
  handleOf,
  LIST_CONNECT,
  LIST_CONTROL,
  LIST_PASSIVE,
  OP_NONE,
  partnerOf,
  Socket,
  socketAt,
  socketOf,
  STATE_BINDING,
  STATE_BOUND,
  STATE_CONNECTED,
  STATE_CONNECTING,
  STATE_DRAINING,
  STATE_FRESH,
  STATE_LISTENING,
  STATE_RESERVED,
  takeSocket,
} from './sockets';

/** Handle, or -ENETDOWN, -EAFNOSUPPORT, -ENOTSUP, -ENFILE. IPPROTO_TCP goes out as 0. */
export function openSocket(domain: u32, type: u32, protocol: u32): i32 {
  if (frontend.state != DEVICE_CONNECTED) return -ENETDOWN;
  if (domain != AF_INET) return -EAFNOSUPPORT;
  if (type != SOCK_STREAM || (protocol != 0 && protocol != IPPROTO_TCP)) return -ENOTSUP;
  const index = takeSocket(STATE_FRESH);
  if (index < 0) return index;
  const socket = socketAt(index);
  socket.wantedOrder = <u8>frontend.ringOrder;
  want(socket, LIST_CONTROL);
  pump();
  return <i32>handleOf(socket);
}

/** The socket behind a handle the embedder may use; sets `refusal` otherwise. */
function usable(handle: u32): Socket | null {
  const socket = socketOf(handle, STATE_DRAINING);
  refusal = -EBADF;
  if (socket === null) return null;
  refusal = socket.error;
  return refusal == 0 ? socket : null;
}

/** One that no operation is in progress on. */
function idle(handle: u32): Socket | null {
  const socket = usable(handle);
  if (socket === null || socket.op == OP_NONE) return socket;
  refusal = -EALREADY;
  return null;
}

/** A new one; it has the address now. `joined` is the errno of one that is connected. */
function fresh(handle: u32, addr: usize, size: u32, joined: i32): Socket | null {
  const socket = idle(handle);
  if (socket === null) return null;
  refusal = socket.state == STATE_CONNECTED ? -joined : -EINVAL;
  if (socket.state != STATE_FRESH) return null;
  refusal = takeAddress(socket, addr, size);
  return refusal == 0 ? socket : null;
}

let refusal: i32 = 0;

/** The order of the ring that connect or accept will make. 0 or -EINVAL beyond what is allowed. */
export function setRingOrder(handle: u32, order: u32): i32 {
  const socket = usable(handle);
  if (socket === null) return refusal;
  if (order != RING_ORDER_DEFAULT && !orderAllowed(order)) return -EINVAL;
  socket.wantedOrder = <u8>order;
  return 0;
}

/** -EINPROGRESS and EVENT_DONE later. -ENOBUFS leaves nothing behind. */
export function connectSocket(handle: u32, addr: usize, size: u32): i32 {
  const socket = fresh(handle, addr, size, EISCONN);
  if (socket === null) return refusal;
  const result = giveRing(socket, <u32>socket.wantedOrder);
  if (result < 0) return result;
  socket.state = <u8>STATE_CONNECTING;
  socket.op = <u8>PVCALLS_CONNECT;
  if (socket.connectable) want(socket, LIST_CONNECT);
  pump();
  return -EINPROGRESS;
}

/** -EINPROGRESS and EVENT_DONE later, with what the backend said. */
export function bindSocket(handle: u32, addr: usize, size: u32): i32 {
  const socket = fresh(handle, addr, size, EINVAL);
  if (socket === null) return refusal;
  socket.state = <u8>STATE_BINDING;
  return startControl(socket, PVCALLS_BIND);
}

/** -EINPROGRESS and EVENT_DONE later. */
export function listenSocket(handle: u32, backlog: u32): i32 {
  const socket = idle(handle);
  if (socket === null) return refusal;
  if (socket.state == STATE_FRESH) return -EDESTADDRREQ;
  if (socket.state != STATE_BOUND) return -EINVAL;
  socket.backlog = backlog;
  return startControl(socket, PVCALLS_LISTEN);
}

function startControl(socket: Socket, command: u32): i32 {
  socket.op = <u8>command;
  if (socket.connectable) want(socket, LIST_CONTROL);
  pump();
  return -EINPROGRESS;
}

/**
 * The next connection: its handle; -EAGAIN, and EVENT_READY when asking again is worth it. One
 * ACCEPT or POLL is in flight per socket: Linux answers a second with EINTR.
 */
export function acceptSocket(handle: u32): i32 {
  const listener = usable(handle);
  if (listener === null) return refusal;
  if (listener.state == STATE_CONNECTED) return -EOPNOTSUPP;
  if (listener.state != STATE_LISTENING) return -EINVAL;
  if (listener.acceptError != 0) {
    const error = listener.acceptError;
    listener.acceptError = 0;
    return error;
  }
  if (listener.partner != 0) return takeAccepted(listener);
  if (requestsLost() >= PASSIVE_MAX) return -ENOBUFS;
  const index = takeSocket(STATE_RESERVED);
  if (index < 0) return index;
  const reserved = socketAt(index);
  const result = giveRing(reserved, <u32>listener.wantedOrder);
  if (result < 0) {
    giveSocket(reserved);
    return result;
  }
  reserved.wantedOrder = listener.wantedOrder;
  reserved.silent = true;
  listener.partner = <u16>(index + 1);
  wantPassive(listener, PVCALLS_ACCEPT);
  return -EAGAIN;
}

function takeAccepted(listener: Socket): i32 {
  const accepted = partnerOf(listener);
  if (accepted.state != STATE_CONNECTED) return -EAGAIN;
  listener.partner = 0;
  accepted.silent = false;
  return <i32>handleOf(accepted);
}

/** ACCEPT or POLL, once the one in flight is answered: settle() of POLL goes on to ACCEPT. */
function wantPassive(listener: Socket, command: u32): void {
  listener.passiveWant = <u8>command;
  if (!passiveBusy(listener)) enlist(listener, LIST_PASSIVE);
  pump();
}

/** Whether ACCEPT or POLL is in flight. */
export function passiveBusy(listener: Socket): bool {
  return ((<u32>listener.inFlight) & (bit(PVCALLS_ACCEPT) | bit(PVCALLS_POLL))) != 0;
}

/** POLL* bits; a passive socket without any asks the backend, and EVENT_READY says when. */
export function pollSocket(handle: u32): i32 {
  const socket = socketOf(handle, STATE_DRAINING);
  if (socket === null) return -EBADF;
  if (socket.state == STATE_CONNECTED && socket.error == 0) look(socket);
  const mask = pollMask(socket);
  if (socket.state == STATE_LISTENING && mask == 0) {
    if (!passiveBusy(socket) && socket.passiveWant == OP_NONE) wantPassive(socket, PVCALLS_POLL);
  }
  return <i32>mask;
}

/** Copies a checked address into the socket. 0, -EINVAL or -EAFNOSUPPORT. */
function takeAddress(socket: Socket, addr: usize, size: u32): i32 {
  if (size < SOCKADDR_IN_SIZE || size > ADDR_SIZE) return -EINVAL;
  if (<u32>load<u16>(addr, SIN_FAMILY) != AF_INET) return -EAFNOSUPPORT;
  memory.copy(changetype<usize>(socket) + offsetof<Socket>('addr0'), addr, size);
  socket.addrSize = size;
  return 0;
}

function orderAllowed(order: u32): bool {
  return order <= frontend.maxOrder && (order >= 1 || v7());
}

function giveRing(socket: Socket, wanted: u32): i32 {
  const order = wanted == RING_ORDER_DEFAULT ? min<u32>(4, frontend.maxOrder) : wanted;
  if (!orderAllowed(order)) return -EINVAL;
  return takeRing(socket, order, frontend.backend, v7(), frontend.firstIndex);
}
