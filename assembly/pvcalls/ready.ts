/**
 * What the embedder is to be told of a socket: bits of the socket and membership in LIST_READY,
 * never a queue, so that nothing can overflow and news of the same kind is told once.
 */
import { loadInError, loadOutError, readable, BAD, writable } from '../ring/byte-ring';
import { POLLERR, POLLHUP, POLLIN, POLLOUT } from '../wire/abi';
import { FAULT_IN_ERROR, FAULT_IN_PROD, FAULT_OUT_CONS, FAULT_OUT_ERROR } from '../wire/abi';
import { ENOTCONN } from '../wire/errno';
import { loadIndex } from '../ring/order';
import { distance } from '../ring/serial';
import { IN_ERROR, IN_PROD, OUT_CONS, OUT_ERROR } from '../wire/data-ring';
import { fail } from './frontend';
import {
  enlist,
  LIST_READY,
  OP_NONE,
  partnerOf,
  READY_DATA,
  READY_DONE,
  Socket,
  STATE_CONNECTED,
  STATE_LISTENING,
} from './sockets';

export function ready(socket: Socket, bits: u32): void {
  socket.ready |= <u8>bits;
  enlist(socket, LIST_READY);
}

/** The operation the embedder waits for is over. */
export function complete(socket: Socket, command: u32, result: i32): void {
  socket.op = <u8>OP_NONE;
  socket.result = result;
  socket.finished = <u8>command;
  ready(socket, READY_DONE);
}

/**
 * Looks at the data ring: errors first, then indices, so that the bytes before an error are seen.
 * False when the backend broke the protocol; the device has FAILED by then.
 */
export function look(socket: Socket): bool {
  if (loadInError(socket) == BAD) return faulty(socket, FAULT_IN_ERROR, IN_ERROR);
  if (loadOutError(socket) == BAD) return faulty(socket, FAULT_OUT_ERROR, OUT_ERROR);
  if (readable(socket) == BAD) return faulty(socket, FAULT_IN_PROD, IN_PROD);
  if (writable(socket) == BAD) return faulty(socket, FAULT_OUT_CONS, OUT_CONS);
  return true;
}

/**
 * The device fails over a value of this socket's indexes page, reported as it stands now; unless
 * the socket is of an earlier life of the device, which can do nothing to this one.
 */
function faulty(socket: Socket, fault: u32, offset: u32): bool {
  if (socket.error == 0) fail(fault, loadIndex(socket.page + offset));
  return false;
}

/** POLL* bits that hold now. On a data ring they are what look() last saw. */
export function pollMask(socket: Socket): u32 {
  if (socket.error != 0) return POLLIN | POLLOUT | POLLERR | POLLHUP;
  if (socket.state == STATE_LISTENING) return acceptable(socket) ? POLLIN : 0;
  if (socket.state != STATE_CONNECTED) return 0;
  let mask: u32 = 0;
  if (socket.inProd != socket.inCons || socket.inError != 0) mask |= POLLIN;
  if (distance(socket.outProd, socket.outCons) < socket.size || socket.outError != 0)
    mask |= POLLOUT;
  if (socket.inError != 0 && socket.inError != -ENOTCONN) mask |= POLLERR;
  if (socket.outError != 0) mask |= POLLERR | POLLHUP;
  return mask;
}

/** Whether accept() would not answer EAGAIN. */
export function acceptable(socket: Socket): bool {
  if (socket.pollReady || socket.acceptError != 0) return true;
  return socket.partner != 0 && partnerOf(socket).state == STATE_CONNECTED;
}

/** The event channel of a data ring fired. */
export function handleData(socket: Socket): void {
  if (socket.state == STATE_CONNECTED && socket.error == 0 && look(socket)) {
    const mask = pollMask(socket) & socket.armed;
    socket.armed &= ~(<u8>mask);
    if (mask != 0) ready(socket, READY_DATA);
  }
}
