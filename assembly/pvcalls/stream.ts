/**
 * Bytes of a connected socket. Spec: pvcalls, "Data ring".
 *
 * Data comes before errors: what the backend published before it set in_error is read first, and
 * only then the error, or 0 when it was -ENOTCONN, an orderly end. Linux does the same; the spec's
 * "return on error" would lose the tail of the stream.
 *
 * Only EAGAIN arms an event. It is answered after a look at the peer's index that is newer than our
 * last publication, so the peer sees a full ring, or we see its room: no wake-up falls between.
 */
import {
  MSG_PEEK,
  POLLIN,
  POLLOUT,
  SPAN_ADDRESS,
  SPAN_BYTES,
  SPAN_SIZE,
  SPANS_MAX,
} from '../wire/abi';
import { EAGAIN, EBADF, EINVAL, EIO, ENOTCONN, EPIPE } from '../wire/errno';
import { consumeIn, copyIn, copyOut, inAddress, outAddress, publishOut } from '../ring/byte-ring';
import { distance } from '../ring/serial';
import { notify } from './frontend';
import { look } from './ready';
import { Socket, socketOf, STATE_CONNECTED, STATE_DRAINING } from './sockets';

/** A connected socket, with what it may do now in `allowed`; or null and the errno in `allowed`. */
function connected(handle: u32): Socket | null {
  const socket = socketOf(handle, STATE_DRAINING);
  allowed = -EBADF;
  if (socket === null) return null;
  allowed = -ENOTCONN;
  return socket.state == STATE_CONNECTED ? socket : null;
}

let allowed: i32 = 0;

/** Room to write, or null with the errno in `allowed`: EAGAIN arms POLLOUT. */
function sender(handle: u32): Socket | null {
  const socket = connected(handle);
  if (socket === null) return null;
  allowed = socket.error;
  if (allowed != 0) return null;
  allowed = -EIO;
  if (!look(socket)) return null;
  allowed = socket.outError == -ENOTCONN ? -EPIPE : socket.outError;
  if (allowed != 0) return null;
  allowed = <i32>(socket.size - distance(socket.outProd, socket.outCons));
  if (allowed != 0) return socket;
  socket.armed |= <u8>POLLOUT;
  allowed = -EAGAIN;
  return null;
}

/** Bytes to read, or null with 0 at the end of the stream, else the errno: EAGAIN arms POLLIN. */
function receiver(handle: u32): Socket | null {
  const socket = connected(handle);
  if (socket === null) return null;
  allowed = -EIO;
  if (!look(socket)) return null;
  allowed = <i32>distance(socket.inProd, socket.inCons);
  if (allowed != 0) return socket;
  if (socket.inError != 0) {
    allowed = socket.inError == -ENOTCONN ? 0 : socket.inError;
  } else if (socket.error != 0) {
    allowed = socket.error;
  } else {
    socket.armed |= <u8>POLLIN;
    allowed = -EAGAIN;
  }
  return null;
}

export function send(handle: u32, from: usize, size: u32): i32 {
  const socket = sender(handle);
  if (socket === null) return size == 0 && allowed == -EAGAIN ? 0 : allowed;
  const count = min(size, <u32>allowed);
  copyIn(socket, from, count, 0);
  return publish(socket, count);
}

export function recv(handle: u32, to: usize, size: u32, flags: u32): i32 {
  const socket = receiver(handle);
  if (socket === null) return allowed;
  const count = min(size, <u32>allowed);
  copyOut(socket, to, count, 0);
  return flags & MSG_PEEK ? <i32>count : consume(socket, count);
}

export function sendv(handle: u32, spans: usize, spanCount: u32): i32 {
  if (spanCount > SPANS_MAX) return -EINVAL;
  const socket = sender(handle);
  if (socket === null) return allowed;
  return publish(socket, copySpans(socket, spans, spanCount, true));
}

export function recvv(handle: u32, spans: usize, spanCount: u32, flags: u32): i32 {
  if (spanCount > SPANS_MAX) return -EINVAL;
  const socket = receiver(handle);
  if (socket === null) return allowed;
  const done = copySpans(socket, spans, spanCount, false);
  return flags & MSG_PEEK ? <i32>done : consume(socket, done);
}

/** Copies up to `allowed` bytes between the ring and the spans. Result: how many. */
function copySpans(socket: Socket, spans: usize, spanCount: u32, into: bool): u32 {
  let done: u32 = 0;
  for (let at = spans; at < spans + spanCount * SPAN_SIZE; at += SPAN_SIZE) {
    const address = load<u32>(at, SPAN_ADDRESS);
    const count = min(load<u32>(at, SPAN_BYTES), <u32>allowed - done);
    if (into) copyIn(socket, address, count, done);
    else copyOut(socket, address, count, done);
    done += count;
  }
  return done;
}

/** Where the next bytes may be written, as two spans, the second often empty. Result: their sum. */
export function sendWindow(handle: u32, spans: usize): i32 {
  const socket = sender(handle);
  if (socket === null) return allowed;
  return window(spans, outAddress(socket), socket.data + socket.size, socket.size);
}

/** Publishes the first `size` bytes of the window. -EINVAL when that is more than there was. */
export function sendCommit(handle: u32, size: u32): i32 {
  const socket = connected(handle);
  if (socket === null) return allowed;
  if (socket.error != 0) return socket.error;
  if (size > socket.size - distance(socket.outProd, socket.outCons)) return -EINVAL;
  return publish(socket, size);
}

/** Where the next bytes stand, as two spans. Result: their sum, or as recv. */
export function recvWindow(handle: u32, spans: usize): i32 {
  const socket = receiver(handle);
  if (socket === null) return allowed;
  return window(spans, inAddress(socket), socket.data, socket.size);
}

/** Consumes the first `size` bytes of the window. -EINVAL when that is more than there was. */
export function recvCommit(handle: u32, size: u32): i32 {
  const socket = connected(handle);
  if (socket === null) return allowed;
  if (size > distance(socket.inProd, socket.inCons)) return -EINVAL;
  return consume(socket, size);
}

/** Writes `allowed` bytes from `start` on in the array at `base` as two spans. */
function window(spans: usize, start: usize, base: usize, size: u32): i32 {
  const head = min(<u32>allowed, <u32>(base + size - start));
  store<u32>(spans, start, SPAN_ADDRESS);
  store<u32>(spans, head, SPAN_BYTES);
  store<u32>(spans + SPAN_SIZE, base, SPAN_ADDRESS);
  store<u32>(spans + SPAN_SIZE, <u32>allowed - head, SPAN_BYTES);
  return allowed;
}

function publish(socket: Socket, size: u32): i32 {
  if (size == 0) return 0;
  publishOut(socket, size);
  notify(socket.port);
  return <i32>size;
}

function consume(socket: Socket, size: u32): i32 {
  if (size == 0) return 0;
  if (consumeIn(socket, size) && socket.error == 0) notify(socket.port);
  return <i32>size;
}
