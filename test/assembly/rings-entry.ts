/**
 * The ring arithmetic of the core as a module of its own, for the tests that compare it with Xen's
 * macros (test/host/rings.ts, test/native/rings.test.ts), and for those that run a peer between any
 * two accesses of it (test/model). Everything stands in memory that the test supplies: private
 * state below 4096, the shared page at 4096, data from 65536 on.
 */
import {
  BAD,
  ByteRing,
  byteRingInit,
  consumeIn,
  copyIn,
  copyOut,
  flexRingSize,
  loadInError,
  loadOutError,
  publishOut,
  readable,
  writable,
} from '../../assembly/ring/byte-ring';
import { storeIndex } from '../../assembly/ring/order';
import { crossed, distance } from '../../assembly/ring/serial';
import {
  RESPONSE_OVERFLOW,
  SharedRing,
  ringInit,
  ringOutstanding,
  ringPush,
  ringPut,
  ringTake,
} from '../../assembly/ring/shared-ring';
import { IN_CONS, IN_PROD, OUT_CONS, OUT_PROD } from '../../assembly/wire/data-ring';
import { REQ_EVENT, REQ_PROD, RING_SIZE, RSP_EVENT, RSP_PROD } from '../../assembly/wire/ring';

const STATE: usize = 1024;
const RESPONSE: usize = 2048;
const PAGE: usize = 4096;
const DATA: usize = 65536;

function sharedRing(reqProdPvt: u32, reqProd: u32, rspCons: u32): SharedRing {
  const ring = changetype<SharedRing>(STATE);
  ringInit(ring, PAGE);
  ring.reqProdPvt = reqProdPvt;
  ring.reqProd = reqProd;
  ring.rspCons = rspCons;
  ring.rspProd = rspCons;
  return ring;
}

function byteRing(order: u32, first: u32): ByteRing {
  const ring = changetype<ByteRing>(STATE);
  ring.page = PAGE;
  ring.data = DATA;
  ring.order = order;
  byteRingInit(ring, first);
  return ring;
}

export function serial_distance(producer: u32, consumer: u32): u32 {
  return distance(producer, consumer);
}

export function serial_crossed(before: u32, after: u32, event: u32): u32 {
  return crossed(before, after, event) ? 1 : 0;
}

/** RING_PUSH_REQUESTS_AND_CHECK_NOTIFY. */
export function push(before: u32, after: u32, event: u32): u32 {
  const ring = sharedRing(after, before, before);
  storeIndex(PAGE + REQ_PROD, before);
  storeIndex(PAGE + REQ_EVENT, event);
  return ringPush(ring) ? 1 : 0;
}

/** RING_FINAL_CHECK_FOR_RESPONSES: whether there is work. Outstanding: a whole ring. */
export function final_check(rspProd: u32, rspCons: u32): u32 {
  const ring = sharedRing(rspCons + RING_SIZE, rspCons + RING_SIZE, rspCons);
  storeIndex(PAGE + RSP_PROD, rspProd);
  return ringTake(ring, RESPONSE, 24) == 0 ? 0 : 1;
}

/** rsp_event, or req_prod, as the last call left it on the shared page. */
export function rsp_event(): u32 {
  return load<u32>(PAGE + RSP_EVENT);
}

export function req_prod(): u32 {
  return load<u32>(PAGE + REQ_PROD);
}

/** RING_FREE_REQUESTS. */
export function free_requests(reqProdPvt: u32, rspCons: u32): u32 {
  return RING_SIZE - ringOutstanding(sharedRing(reqProdPvt, reqProdPvt, rspCons));
}

/** RING_RESPONSE_PROD_OVERFLOW, with a whole ring of requests outstanding. */
export function response_overflow(rspCons: u32, rspProd: u32): u32 {
  const ring = sharedRing(rspCons + RING_SIZE, rspCons + RING_SIZE, rspCons);
  storeIndex(PAGE + RSP_PROD, rspProd);
  return ringTake(ring, RESPONSE, 24) == RESPONSE_OVERFLOW ? 1 : 0;
}

export function flex_ring_size(order: u32): u32 {
  return flexRingSize(order);
}

/** pvcalls_queued() of `in`: bytes to read. */
export function queued_in(prod: u32, cons: u32, order: u32): u32 {
  const ring = byteRing(order, cons);
  storeIndex(PAGE + IN_PROD, prod);
  return readable(ring);
}

/** pvcalls_queued() of `out`: bytes the peer has not taken, the ring having been full before. */
export function queued_out(prod: u32, cons: u32, order: u32): u32 {
  const ring = byteRing(order, prod);
  ring.outCons = prod - ring.size;
  storeIndex(PAGE + OUT_CONS, cons);
  const room = writable(ring);
  return room == BAD ? BAD : ring.size - room;
}

/** pvcalls_write_packet(): `count` bytes from `from` into `out`. Result: where `out` begins. */
export function write_packet(prod: u32, order: u32, from: usize, count: u32): usize {
  const ring = byteRing(order, prod);
  copyIn(ring, from, count, 0);
  publishOut(ring, count);
  return DATA + ring.size;
}

export function out_prod(): u32 {
  return load<u32>(PAGE + OUT_PROD);
}

/** pvcalls_read_packet(): `count` bytes of `in`, which begins at 65536, to `to`. */
export function read_packet(cons: u32, order: u32, to: usize, count: u32): void {
  const ring = byteRing(order, cons);
  copyOut(ring, to, count, 0);
  consumeIn(ring, count);
}

export function in_cons(): u32 {
  return load<u32>(PAGE + IN_CONS);
}

/** From here on for test/model: one ring that lives from call to call. */
export function command_init(): void {
  ringInit(changetype<SharedRing>(STATE), PAGE);
}

export function command_outstanding(): u32 {
  return ringOutstanding(changetype<SharedRing>(STATE));
}

export function command_put(request: usize): void {
  ringPut(changetype<SharedRing>(STATE), request);
}

export function command_push(): u32 {
  return ringPush(changetype<SharedRing>(STATE)) ? 1 : 0;
}

export function command_take(response: usize, size: u32): i32 {
  return ringTake(changetype<SharedRing>(STATE), response, size);
}

/** A data ring of `size` bytes each way, a power of two and smaller than any order gives. */
export function data_init(size: u32): void {
  byteRing(0, 0).size = size;
}

/** As pvcalls/ready.ts and stream.ts: what may be moved is counted from what look() left behind. */
export function data_readable(): u32 {
  const ring = changetype<ByteRing>(STATE);
  return readable(ring) == BAD ? BAD : distance(ring.inProd, ring.inCons);
}

export function data_writable(): u32 {
  const ring = changetype<ByteRing>(STATE);
  return writable(ring) == BAD ? BAD : ring.size - distance(ring.outProd, ring.outCons);
}

/** The latched error of `in` or `out`, or 1 when it was impossible. */
export function data_error(out: u32): i32 {
  const ring = changetype<ByteRing>(STATE);
  if ((out ? loadOutError(ring) : loadInError(ring)) == BAD) return 1;
  return out ? ring.outError : ring.inError;
}

export function data_read(to: usize, size: u32): u32 {
  const ring = changetype<ByteRing>(STATE);
  copyOut(ring, to, size, 0);
  return consumeIn(ring, size) ? 1 : 0;
}

export function data_write(from: usize, size: u32): void {
  const ring = changetype<ByteRing>(STATE);
  copyIn(ring, from, size, 0);
  publishOut(ring, size);
}
