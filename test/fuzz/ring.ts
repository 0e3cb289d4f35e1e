/**
 * A data ring as the peer and the checks see it. Spec: pvcalls, "Data ring interface".
 * `inCons` and `outProd` are what the core must have; what the page says of them is the mutator's.
 */
import { FLEX_RING_SHIFT } from '../../assembly/wire/data-ring.js';
import { PAGE_SIZE } from '../../assembly/wire/page.js';

/** Bits of `touched`: what the mutator has written in this ring. */
export const TOUCHED_IN_PROD = 1;
export const TOUCHED_OUT_CONS = 2;
export const TOUCHED_ERRORS = 4;

export class Ring {
  readonly size: number;
  readonly frames: number;
  /** Address of `in`; `out` follows it. */
  readonly data: number;
  /** The core's own, by what its calls answered. */
  inCons = 0;
  outProd = 0;
  /** The peer's, at least as far as the core has seen them. */
  inSeen = 0;
  outSeen = 0;
  /** The backend's own. */
  inProd = 0;
  outCons = 0;
  mapped = false;
  touched = 0;

  constructor(
    readonly page: number,
    readonly port: number,
    readonly order: number,
  ) {
    this.size = 1 << (order + FLEX_RING_SHIFT);
    this.frames = (1 << order) + 1;
    this.data = page + PAGE_SIZE;
  }

  /** The core has just started it afresh. */
  begin(first: number): void {
    this.inCons = this.outProd = this.inSeen = this.outSeen = first >>> 0;
  }

  /** The backend takes it over. */
  attach(): void {
    this.inProd = this.inCons;
    this.outCons = this.outProd;
  }
}
