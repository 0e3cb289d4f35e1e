/**
 * Frontend half of a request/response ring. C reference: public/io/ring.h.
 *
 *        rsp_cons            rsp_prod                 req_prod_pvt
 *   ---------|------------------|--------------------------|---------  free-running indices
 *            | answered, unread | outstanding at the peer  | free
 *
 * req_prod_pvt and rsp_cons are private; the shared page holds copies that the peer may overwrite
 * without effect. The distance between them is the number of requests whose response has not been
 * taken, and never exceeds the ring, so a slot is never written while its request is unanswered.
 */
import {
  REQ_EVENT,
  REQ_PROD,
  RING_SIZE,
  RSP_EVENT,
  RSP_PROD,
  SLOT_SIZE,
  SRING_SLOTS,
} from '../wire/ring';
import { PAGE_SIZE } from '../wire/page';
import { copyFromShared, copyToShared, loadIndex, storeIndex } from './order';
import { advance, crossed, distance } from './serial';

/** Slots of the ring; fewer in a test build with `--use RING_SLOTS=n`, as INDEX_BITS. */
const SLOTS: u32 = isDefined(RING_SLOTS) ? RING_SLOTS : RING_SIZE;

/** Private state of the frontend's end. */
@unmanaged
export class SharedRing {
  page: usize; //       address of the shared page
  reqProdPvt: u32; //   requests written, published or not
  reqProd: u32; //      requests published
  rspCons: u32; //      responses taken
  rspProd: u32; //      last rsp_prod that was read and found good
  rspEvent: u32; //     rsp_event as last published
}

/** takeResponse found a rsp_prod beyond the requests outstanding. */
export const RESPONSE_OVERFLOW: i32 = -1;

/** Whatever an earlier life left in the page is gone. ring.h: SHARED_RING_INIT, FRONT_RING_INIT. */
export function ringInit(ring: SharedRing, page: usize): void {
  memory.fill(page, 0, PAGE_SIZE);
  storeIndex(page + REQ_EVENT, 1);
  storeIndex(page + RSP_EVENT, 1);
  ring.page = page;
  ring.reqProdPvt = 0;
  ring.reqProd = 0;
  ring.rspCons = 0;
  ring.rspProd = 0;
  ring.rspEvent = 1;
}

/** Requests whose response has not been taken. */
export function ringOutstanding(ring: SharedRing): u32 {
  return distance(ring.reqProdPvt, ring.rspCons);
}

function slotAddress(ring: SharedRing, index: u32): usize {
  return ring.page + SRING_SLOTS + (index & (SLOTS - 1)) * SLOT_SIZE;
}

/** Writes one request of SLOT_SIZE bytes. The caller has seen ringOutstanding < RING_SIZE. */
export function ringPut(ring: SharedRing, request: usize): void {
  copyToShared(slotAddress(ring, ring.reqProdPvt), request, SLOT_SIZE);
  ring.reqProdPvt = advance(ring.reqProdPvt, 1);
}

/** Publishes what was put. Whether the backend asked to be notified of it. */
export function ringPush(ring: SharedRing): bool {
  const before = ring.reqProd;
  const after = ring.reqProdPvt;
  if (before == after) return false;
  ring.reqProd = after;
  storeIndex(ring.page + REQ_PROD, after); // backend sees the requests before the new index
  return crossed(before, after, loadIndex(ring.page + REQ_EVENT)); // and the index before we look
}

/**
 * Copies the next response out. Result: 1, 0 when there is none and rsp_event asks for the next one
 * (the final check has been made), or RESPONSE_OVERFLOW. Who looks again and again stores rsp_event
 * once: each store takes the line with the indices away from the backend, which looks too.
 */
export function ringTake(ring: SharedRing, response: usize, size: u32): i32 {
  if (ring.rspCons == ring.rspProd) {
    let prod = loadIndex(ring.page + RSP_PROD);
    if (prod == ring.rspCons) {
      const next = advance(ring.rspCons, 1);
      if (ring.rspEvent == next) return 0;
      ring.rspEvent = next;
      storeIndex(ring.page + RSP_EVENT, next);
      prod = loadIndex(ring.page + RSP_PROD); // a response published before rsp_event was seen
      if (prod == ring.rspCons) return 0;
    }
    if (distance(prod, ring.rspCons) > distance(ring.reqProd, ring.rspCons))
      return RESPONSE_OVERFLOW;
    ring.rspProd = prod;
  }
  copyFromShared(response, slotAddress(ring, ring.rspCons), size);
  ring.rspCons = advance(ring.rspCons, 1);
  return 1;
}
