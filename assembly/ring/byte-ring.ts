/**
 * Data ring of a connected socket, frontend's end. Spec: pvcalls, "Data ring".
 *
 * Two byte rings, `in` (backend produces, we consume) and `out` (we produce), each a power of two
 * of bytes and contiguous in our arena, with their indices on a shared page. Our own indices are
 * private; what stands in the page for them is a copy. The peer's are read once per operation and
 * held against what was seen before: they may only move forward, and never past the ring.
 *
 * Notify rule: the producer always notifies once per published batch. The consumer stores in_cons,
 * then loads in_prod, and notifies if the ring may be full as the producer last saw it. Version 1
 * has no sleep flag, so anything quieter could lose the last wake-up.
 */
import {
  FLEX_RING_SHIFT,
  IN_CONS,
  IN_ERROR,
  IN_PROD,
  OUT_CONS,
  OUT_ERROR,
  OUT_PROD,
} from '../wire/data-ring';
import { ERRNO_MAX } from '../wire/errno';
import { copyFromShared, copyToShared, loadIndex, storeIndex } from './order';
import { advance, distance } from './serial';

/** Private state of one data ring. All zero: no ring. */
@unmanaged
export class ByteRing {
  page: usize; //         indexes page, or 0
  data: usize; //         `in` array; `out` follows it
  size: u32; //           bytes per direction
  order: u32;
  ref: u32; //            grant reference of the indexes page
  port: u32; //           event channel
  inCons: u32; //         ours; the shared copy is for the peer
  inTold: u32; //         inCons at our last notification: the peer knows at least this
  inProd: u32; //         the peer's, as last seen and found good
  outProd: u32; //        ours
  outCons: u32; //        the peer's, as last seen and found good
  inError: i32; //        latched: the first error stays
  outError: i32; //       latched
}

/** A peer index or error was impossible. */
export const BAD: u32 = 0xffffffff;

/** Bytes per direction. C reference: ring.h, XEN_FLEX_RING_SIZE. */
export function flexRingSize(order: u32): u32 {
  return 1 << (order + FLEX_RING_SHIFT);
}

/** Starts an empty ring at `first`, 0 but in tests. Layout and references are the caller's. */
export function byteRingInit(ring: ByteRing, first: u32): void {
  const page = ring.page;
  storeIndex(page + IN_CONS, first);
  storeIndex(page + IN_PROD, first);
  storeIndex(page + IN_ERROR, 0);
  storeIndex(page + OUT_CONS, first);
  storeIndex(page + OUT_PROD, first);
  storeIndex(page + OUT_ERROR, 0);
  ring.size = flexRingSize(ring.order);
  ring.inCons = first;
  ring.inTold = first;
  ring.inProd = first;
  ring.outProd = first;
  ring.outCons = first;
  ring.inError = 0;
  ring.outError = 0;
}

/** Bytes to read, or BAD: in_prod moved back or beyond the ring; ring.inProd stays as it was. */
export function readable(ring: ByteRing): u32 {
  const prod = loadIndex(ring.page + IN_PROD);
  const ready = distance(prod, ring.inCons);
  if (ready > ring.size || ready < distance(ring.inProd, ring.inCons)) return BAD;
  ring.inProd = prod;
  return ready;
}

/** Bytes that can be written, or BAD: out_cons moved back or beyond out_prod. */
export function writable(ring: ByteRing): u32 {
  const cons = loadIndex(ring.page + OUT_CONS);
  const used = distance(ring.outProd, cons);
  if (used > distance(ring.outProd, ring.outCons)) return BAD;
  ring.outCons = cons;
  return ring.size - used;
}

/** Latches in_error, once the bytes before it are seen: load it before in_prod. BAD if no errno. */
export function loadInError(ring: ByteRing): u32 {
  if (ring.inError == 0) {
    const error = <i32>loadIndex(ring.page + IN_ERROR);
    if (<u32>-error > ERRNO_MAX) return BAD;
    ring.inError = error;
  }
  return 0;
}

/** Latches out_error. BAD if no errno. */
export function loadOutError(ring: ByteRing): u32 {
  if (ring.outError == 0) {
    const error = <i32>loadIndex(ring.page + OUT_ERROR);
    if (<u32>-error > ERRNO_MAX) return BAD;
    ring.outError = error;
  }
  return 0;
}

/** Copies `size` readable bytes from `skip` bytes past the reading position. Consumes nothing. */
export function copyOut(ring: ByteRing, to: usize, size: u32, skip: u32): void {
  copyFromRing(ring.data, ring.size, ring.inCons + skip, to, size);
}

/** Copies `size` bytes, no more than writable, to `skip` bytes past the position. */
export function copyIn(ring: ByteRing, from: usize, size: u32, skip: u32): void {
  copyToRing(ring.data + ring.size, ring.size, ring.outProd + skip, from, size);
}

/** Copies out of the array at `base`, `length` bytes and a power of two, around its end. */
export function copyFromRing(base: usize, length: u32, index: u32, to: usize, size: u32): void {
  const start = index & (length - 1);
  const head = min(size, length - start);
  copyFromShared(to, base + start, head);
  if (head < size) copyFromShared(to + head, base, size - head);
}

/** The other way. */
export function copyToRing(base: usize, length: u32, index: u32, from: usize, size: u32): void {
  const start = index & (length - 1);
  const head = min(size, length - start);
  copyToShared(base + start, from, head);
  if (head < size) copyToShared(base, from + head, size - head);
}

/** Publishes `size` bytes of `out`. The caller notifies. */
export function publishOut(ring: ByteRing, size: u32): void {
  ring.outProd = advance(ring.outProd, size);
  storeIndex(ring.page + OUT_PROD, ring.outProd); // backend sees the bytes before the index
}

/**
 * Consumes `size` bytes of `in`. Whether the backend may be waiting for room: it may have looked at
 * in_cons as late as when it was last told, and have filled the ring as it stood then.
 */
export function consumeIn(ring: ByteRing, size: u32): bool {
  ring.inCons = advance(ring.inCons, size);
  storeIndex(ring.page + IN_CONS, ring.inCons); // the copy is done before the space is free
  if (distance(loadIndex(ring.page + IN_PROD), ring.inTold) < ring.size) return false;
  ring.inTold = ring.inCons;
  return true;
}

/** Address of the next byte to read or write, and how many follow it before the wrap. */
export function inAddress(ring: ByteRing): usize {
  return ring.data + (ring.inCons & (ring.size - 1));
}

export function outAddress(ring: ByteRing): usize {
  return ring.data + ring.size + (ring.outProd & (ring.size - 1));
}
