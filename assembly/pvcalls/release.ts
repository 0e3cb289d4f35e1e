/**
 * The ways out of a socket: close, which keeps data; abort, which does not; the backend's answer to
 * RELEASE; the death of the device. Spec: pvcalls, "Release".
 *
 * Linux's backend drops what it has not sent when RELEASE comes, so close() waits until it has
 * taken all of `out`, until an error, or until a deadline, and only then asks.
 */
import { reached } from '../ring/serial';
import { DEVICE_CONNECTED, FEATURE_RESET } from '../wire/abi';
import { EIO } from '../wire/errno';
import { frontend } from './frontend';
import { dropRequests, orphanRequests } from './requests';
import { dropRing } from './rings';
import { want } from './submit';
import { complete, look, ready } from './ready';
import {
  enlist,
  giveSocket,
  indexOf,
  LIST_RELEASE,
  LIST_TIMED,
  OP_NONE,
  partnerOf,
  READY_CLOSED,
  READY_DATA,
  Socket,
  socketAt,
  socketsCount,
  STATE_CONNECTED,
  STATE_DRAINING,
  STATE_FREE,
  STATE_RELEASING,
  STATE_RESERVED,
} from './sockets';

/** Closes; what was sent still goes out. */
export function closeSocket(socket: Socket): void {
  if (socket.state == STATE_CONNECTED && socket.error == 0 && look(socket) && !taken(socket)) {
    quiet(socket);
    socket.state = <u8>STATE_DRAINING;
    socket.due = frontend.now + frontend.closeTimeoutMs;
    startTimer(socket);
  } else {
    releaseSocket(socket, false);
  }
}

/** Puts the socket among those looked at by time; the first look is a millisecond away. */
export function startTimer(socket: Socket): void {
  enlist(socket, LIST_TIMED);
  frontend.tickMs = 1;
  frontend.tickAt = frontend.now + 1;
}

/** Looks at a draining socket. Whether it must be looked at again: bytes left, and time. */
export function keepDraining(socket: Socket): bool {
  if (!look(socket)) return false; // the device has failed, and the socket with it
  const lost = !taken(socket);
  if (lost && !reached(frontend.now, socket.due)) return true;
  releaseSocket(socket, lost); // what was cut off must not look whole to the peer
  return false;
}

/** Whether nothing of `out` is left to be taken, as look() saw it. */
function taken(socket: Socket): bool {
  return socket.outCons == socket.outProd || socket.outError != 0;
}

/** Asks the backend to release, at once; nothing is asked about what it never heard of. */
export function releaseSocket(socket: Socket, reset: bool): void {
  quiet(socket);
  const unheard = !socket.connectable && socket.inFlight == 0;
  socket.state = <u8>STATE_RELEASING;
  socket.reset = reset && (frontend.features & FEATURE_RESET) != 0;
  if (unheard || frontend.state != DEVICE_CONNECTED) released(socket, 0);
  else want(socket, LIST_RELEASE);
}

/** RELEASE is answered, or will never be. Everything of the socket goes; the handle last. */
export function released(socket: Socket, ret: i32): void {
  if (socket.inFlight != 0) orphanRequests(indexOf(socket));
  socket.inFlight = 0;
  if (socket.partner != 0) {
    const partner = partnerOf(socket);
    socket.partner = 0;
    forget(partner);
  }
  if (socket.ringed && (!socket.kept || ret != 0)) dropRing(socket);
  socket.ringed = false; // what is left of a ring is warm, once the entry is free
  socket.result = ret;
  if (socket.silent) giveSocket(socket);
  else ready(socket, READY_CLOSED);
}

/** A connection nobody took: reserved ones vanish, accepted ones are reset. */
function forget(partner: Socket): void {
  partner.silent = true;
  partner.partner = 0;
  if (partner.state == STATE_RESERVED) {
    dropRing(partner);
    giveSocket(partner);
  } else {
    releaseSocket(partner, true);
  }
}

/** The device is gone: waiters get EIO, closing sockets are closed, no answer is awaited. */
export function killSockets(): void {
  dropRequests();
  for (let index: u32 = 0; index < socketsCount(); index++) {
    const socket = socketAt(index);
    const state = <u32>socket.state;
    if (!socket.ringed) dropRing(socket); // one that was kept warm
    if (state == STATE_FREE || state == STATE_RESERVED || socket.ready & READY_CLOSED) continue;
    socket.inFlight = 0;
    socket.connectable = false; // the next backend has never heard of it
    if (state == STATE_DRAINING || state == STATE_RELEASING) {
      quiet(socket);
      socket.state = <u8>STATE_RELEASING;
      released(socket, -EIO);
    } else if (socket.error == 0) {
      socket.error = -EIO;
      if (socket.op != OP_NONE) complete(socket, <u32>socket.op, -EIO);
      if (!socket.silent) ready(socket, READY_DATA);
    }
  }
}

/** Nothing more is reported of the socket but that it is closed. */
function quiet(socket: Socket): void {
  socket.op = <u8>OP_NONE;
  socket.passiveWant = <u8>OP_NONE;
  socket.armed = 0;
  socket.ready = 0;
}
