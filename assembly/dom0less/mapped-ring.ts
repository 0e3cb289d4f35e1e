/**
 * The other end of a data ring: the one that maps it, page by page. Spec: pvcalls, "Data ring".
 *
 * It produces into `in` and consumes from `out`. Its pages stand wherever the mapping put them, so
 * every copy goes through the page table. Own indices are private; the peer's are read once per
 * operation and may only move forward, never past the ring. Notify rule: ring/byte-ring.ts.
 */
import { BAD, flexRingSize } from '../ring/byte-ring';
import { copyFromShared, copyToShared, loadIndex, storeIndex } from '../ring/order';
import { distance } from '../ring/serial';
import { IN_CONS, IN_PROD, OUT_CONS, OUT_PROD } from '../wire/data-ring';
import { PAGE_SHIFT, PAGE_SIZE } from '../wire/page';

@unmanaged
export class MappedRing {
  page: usize; //         indexes page, mapped
  table: usize; //        u32 per data page: the address at which it is mapped
  mapped: u32; //         data pages that stand in the table
  size: u32; //           bytes per direction
  inProd: u32; //         ours
  inCons: u32; //         the peer's, as last seen and found good
  outCons: u32; //        ours
  outProd: u32; //        the peer's, as last seen and found good
}

/** Takes a ring over where its owner says that it stands. `page` and `table` are set. */
export function mappedRingInit(ring: MappedRing, order: u32): void {
  ring.size = flexRingSize(order);
  ring.inProd = loadIndex(ring.page + IN_PROD);
  ring.inCons = ring.inProd;
  ring.outCons = loadIndex(ring.page + OUT_CONS);
  ring.outProd = ring.outCons;
}

/** Bytes to read, or BAD: out_prod moved back or beyond the ring. */
export function mappedReadable(ring: MappedRing): u32 {
  const prod = loadIndex(ring.page + OUT_PROD);
  const ready = distance(prod, ring.outCons);
  if (ready > ring.size || ready < distance(ring.outProd, ring.outCons)) return BAD;
  ring.outProd = prod;
  return ready;
}

/** Bytes that can be written, or BAD: in_cons moved back or beyond in_prod. */
export function mappedWritable(ring: MappedRing): u32 {
  const cons = loadIndex(ring.page + IN_CONS);
  const used = distance(ring.inProd, cons);
  if (used > distance(ring.inProd, ring.inCons)) return BAD;
  ring.inCons = cons;
  return ring.size - used;
}

/** Where byte `at` of the two arrays, `in` and then `out`, is mapped. */
function addressOf(ring: MappedRing, at: u32): usize {
  const page = load<u32>(ring.table + ((at >> PAGE_SHIFT) << 2));
  return <usize>page + (at & (PAGE_SIZE - 1));
}

/** Bytes from `at` on that stand together, of `size` and before `end`. */
function together(at: u32, end: u32, size: u32): u32 {
  return min(size, min(end - at, PAGE_SIZE - (at & (PAGE_SIZE - 1))));
}

/** Copies `size` bytes, no more than writable, and publishes them. The caller notifies. */
export function mappedWrite(ring: MappedRing, from: usize, size: u32): void {
  let done: u32 = 0;
  while (done < size) {
    const at = (ring.inProd + done) & (ring.size - 1);
    const count = together(at, ring.size, size - done);
    copyToShared(addressOf(ring, at), from + done, count);
    done += count;
  }
  ring.inProd += size;
  storeIndex(ring.page + IN_PROD, ring.inProd); // the peer sees the bytes before the index
}

/** Copies `size` readable bytes out and consumes them. Whether the peer may wait for room. */
export function mappedRead(ring: MappedRing, to: usize, size: u32): bool {
  let done: u32 = 0;
  while (done < size) {
    const at = ring.size + ((ring.outCons + done) & (ring.size - 1));
    const count = together(at, ring.size << 1, size - done);
    copyFromShared(to + done, addressOf(ring, at), count);
    done += count;
  }
  const before = ring.outCons;
  ring.outCons = before + size;
  storeIndex(ring.page + OUT_CONS, ring.outCons); // the copy is done before the space is free
  return distance(loadIndex(ring.page + OUT_PROD), before) >= ring.size;
}
