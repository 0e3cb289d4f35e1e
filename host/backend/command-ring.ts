/**
 * The backend's half of a command ring, written from ring.h's rules and independent of the core's.
 * C reference: public/io/ring.h. Invariant: rspProdPvt <= reqCons <= rspProdPvt + 32, so a response
 * never overwrites a request that was not taken. Own indices live here; the page holds copies for
 * the peer. Trust: req_prod, rsp_event and the slots are the guest's, each read once.
 */
import { PAGE_SHIFT } from '../../assembly/wire/page.js';
import { REQUEST_SIZE } from '../../assembly/wire/pvcalls.js';
import * as wire from '../../assembly/wire/ring.js';

export class CommandRing {
  private readonly words: Int32Array;
  private readonly bytes: Uint8Array;
  private reqCons: number;
  private rspProdPvt: number;
  private rspPublished: number;

  /** Attaches to a mapped page: both sides start where the frontend left rsp_prod. */
  constructor(memory: ArrayBufferLike, frame: number) {
    const address = frame * (1 << PAGE_SHIFT);
    this.words = new Int32Array(memory, address, 1024);
    this.bytes = new Uint8Array(memory, address, 4096);
    const start = this.load(wire.RSP_PROD);
    this.reqCons = start;
    this.rspProdPvt = start;
    this.rspPublished = start;
  }

  /** Requests taken and not yet answered. */
  get outstanding(): number {
    return (this.reqCons - this.rspProdPvt) >>> 0;
  }

  /**
   * Takes the next request: a private copy of its slot, or undefined when there is none, or
   * 'overflow' when req_prod claims more than there is space for, or went backwards.
   */
  take(): Uint8Array<ArrayBuffer> | undefined | 'overflow' {
    const requests = (this.load(wire.REQ_PROD) - this.reqCons) >>> 0;
    // REQUEST_PROD_OVERFLOW, and the bound that ring.h puts on the requests to consume, in one.
    if (requests > wire.RING_SIZE - this.outstanding) return 'overflow';
    if (requests === 0) return undefined;
    const offset = this.slotOffset(this.reqCons);
    const slot = new Uint8Array(REQUEST_SIZE);
    slot.set(this.bytes.subarray(offset, offset + REQUEST_SIZE));
    this.reqCons = (this.reqCons + 1) >>> 0;
    return slot;
  }

  /**
   * RING_FINAL_CHECK_FOR_REQUESTS: asks to be notified of the next request, then looks again.
   * True: there is work already.
   */
  finalCheck(): boolean {
    if (this.hasRequests()) return true;
    this.store(wire.REQ_EVENT, this.reqCons + 1);
    // The new req_event is visible before this second look.
    return this.hasRequests();
  }

  /** Puts a response into the next slot; the guest sees it at `publish`. */
  push(response: Uint8Array): void {
    this.bytes.set(response, this.slotOffset(this.rspProdPvt));
    this.rspProdPvt = (this.rspProdPvt + 1) >>> 0;
  }

  /** RING_PUSH_RESPONSES_AND_CHECK_NOTIFY. True: the guest asked to be notified of one of them. */
  publish(): boolean {
    const before = this.rspPublished;
    const now = this.rspProdPvt;
    if (before === now) return false;
    this.rspPublished = now;
    this.store(wire.RSP_PROD, now); // the frontend sees responses before the new index
    const rspEvent = this.load(wire.RSP_EVENT);
    return (now - rspEvent) >>> 0 < (now - before) >>> 0;
  }

  private hasRequests(): boolean {
    return this.load(wire.REQ_PROD) !== this.reqCons;
  }

  private slotOffset(index: number): number {
    return wire.SRING_SLOTS + (index & (wire.RING_SIZE - 1)) * wire.SLOT_SIZE;
  }

  private load(offset: number): number {
    return Atomics.load(this.words, offset >>> 2) >>> 0;
  }

  private store(offset: number, value: number): void {
    Atomics.store(this.words, offset >>> 2, value | 0);
  }
}
