/**
 * Data rings of sockets: made of frames, grants and a port; offered; kept warm; taken apart.
 *
 *   | indexes page | in ... | out ... |     (1 << order) + 1 frames, consecutive in the arena
 *
 * What the indexes page says of order and references is written once and never read back: they are
 * derived from the socket and the arena's own table. Spec: pvcalls, "Data ring interface".
 */
import { endAccess, refOf, releaseFrames, takeFrames } from '../guest/arena';
import { OWNER_SOCKETS, setOwner } from '../guest/events';
import { offerFrames } from '../guest/offer';
import { leavePort } from '../guest/storm';
import { ByteRing, byteRingInit } from '../ring/byte-ring';
import { storeIndex } from '../ring/order';
import { PAGE_SIZE } from '../wire/page';
import { V1_REF, V1_RING_ORDER, V7_REF, V7_RING_ORDER } from '../wire/data-ring';
import {
  enlist,
  indexOf,
  LIST_WARM,
  Socket,
  socketAt,
  socketsCount,
  STATE_FREE,
  takeList,
} from './sockets';

/** Gives the socket a ring of this order: a warm one, or a new one. Result: 0 or -ENOBUFS. */
export function takeRing(socket: Socket, order: u32, backend: u32, v7: bool, first: u32): i32 {
  if (socket.page != 0 && socket.order != order) putAside(socket);
  if (socket.page == 0 && !adoptWarm(socket, order)) {
    let result = makeRing(socket, order, backend);
    if (result < 0 && dropWarm()) result = makeRing(socket, order, backend);
    if (result < 0) return result;
  }
  socket.ringed = true;
  describe(socket, v7);
  byteRingInit(socket, first);
  return 0;
}

/** Closes the port, ends the grants, gives the frames back. Nothing happens without a ring. */
export function dropRing(socket: Socket): void {
  if (socket.page == 0) return;
  leavePort(socket.port);
  releaseFrames(socket.page, (1 << socket.order) + 1);
  socket.page = 0;
  socket.ringed = false;
}

/**
 * Drops the warm rings that the backend has let go of: one that it keeps mapped would only park its
 * frames, and can still be used. Whether anything was dropped.
 */
function dropWarm(): bool {
  let dropped = false;
  for (let looked = socketsCount(); looked > 0; looked--) {
    const holder = takeList(LIST_WARM);
    if (holder === null) break;
    if (holder.state != STATE_FREE || holder.page == 0) continue;
    if (endAccess(holder.page)) {
      dropRing(holder);
      dropped = true;
    } else enlist(holder, LIST_WARM);
  }
  return dropped;
}

function makeRing(socket: Socket, order: u32, backend: u32): i32 {
  const count: u32 = (1 << order) + 1;
  const page = takeFrames(count);
  const port = offerFrames(page, count, backend, OWNER_SOCKETS + indexOf(socket));
  if (port < 0) return port;
  socket.page = page;
  socket.data = page + PAGE_SIZE;
  socket.order = order;
  socket.ref = refOf(page);
  socket.port = <u32>port;
  return 0;
}

/** Moves a warm ring of this order from the free entry that holds it. Each is looked at once. */
function adoptWarm(socket: Socket, order: u32): bool {
  for (let looked = socketsCount(); looked > 0; looked--) {
    const holder = takeList(LIST_WARM);
    if (holder === null) return false;
    if (holder.state != STATE_FREE || holder.page == 0) continue;
    if (holder.order != order) {
      enlist(holder, LIST_WARM);
      continue;
    }
    moveRing(socket, holder);
    return true;
  }
  return false;
}

/**
 * Gives a warm ring to a free entry that has none. It is dropped only when there is no such entry:
 * a backend that kept its mapping would keep the frames from us as long as the device lives.
 */
function putAside(socket: Socket): void {
  for (let index: u32 = 0; index < socketsCount(); index++) {
    const other = socketAt(index);
    if (other.state != STATE_FREE || other.page != 0) continue;
    moveRing(other, socket);
    return enlist(other, LIST_WARM);
  }
  dropRing(socket);
}

function moveRing(to: Socket, from: Socket): void {
  memory.copy(changetype<usize>(to), changetype<usize>(from), offsetof<ByteRing>());
  from.page = 0;
  setOwner(to.port, OWNER_SOCKETS + indexOf(to));
}

function describe(socket: Socket, v7: bool): void {
  const page = socket.page;
  storeIndex(page + (v7 ? V7_RING_ORDER : V1_RING_ORDER), socket.order);
  const refs = page + (v7 ? V7_REF : V1_REF);
  for (let i: u32 = 0; i < <u32>(1 << socket.order); i++) {
    storeIndex(refs + (i << 2), refOf(socket.data + i * PAGE_SIZE));
  }
}
