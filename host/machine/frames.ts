/**
 * Frames and their owners. A frame record is `owner + 1 | flags << 16` and the first grant of the
 * frame plus 1 (grants of one frame form a list through the grant table of its owner).
 * Frames that were never given away are zero and stay untouched; used ones are scrubbed when they
 * are given away again. The lock must be held for everything here that changes something.
 */
import { PAGE_SIZE } from '../../assembly/wire/page.js';
import type { MachineState } from './machine-state.js';

const OWNER_MASK = 0xffff;
const FLAG_USED = 1 << 16;
const ZEROES = new Uint8Array(PAGE_SIZE);

export class Frames {
  /** No frame below is free, as far as this thread has seen. */
  private lowest: number;

  constructor(private readonly state: MachineState) {
    this.lowest = state.firstFreeFrame;
  }

  /** The owner of a frame; undefined for a free one, frame 0 and numbers beyond the memory. */
  owner(frame: number): number | undefined {
    if (frame >= this.state.geometry.frames) return undefined;
    const owner = this.state.i32[this.state.frameRecord(frame)]! & OWNER_MASK;
    return owner === 0 ? undefined : owner - 1;
  }

  /** First grant of a frame plus 1; 0 for none. */
  firstGrant(frame: number): number {
    return this.state.i32[this.state.frameRecord(frame) + 1]!;
  }

  setFirstGrant(frame: number, link: number): void {
    this.state.i32[this.state.frameRecord(frame) + 1] = link;
  }

  /** Gives `count` contiguous zeroed frames to a domain. Result: the first; undefined when full. */
  allocate(owner: number, count: number): number | undefined {
    const { lowest } = this;
    const { firstFreeFrame } = this.state;
    // Another thread may have freed frames below.
    const first = this.findRun(lowest, count) ?? this.findRun(firstFreeFrame, count);
    if (first === undefined) return undefined;
    if (first === lowest) this.lowest = first + count;
    const { i32, u8 } = this.state;
    for (let frame = first; frame < first + count; frame++) {
      const at = this.state.frameRecord(frame);
      if ((i32[at]! & FLAG_USED) !== 0) {
        u8.set(ZEROES, frame * PAGE_SIZE);
      }
      i32[at] = (owner + 1) | FLAG_USED;
      i32[at + 1] = 0;
    }
    return first;
  }

  free(frame: number): void {
    const at = this.state.frameRecord(frame);
    this.lowest = Math.min(this.lowest, frame);
    this.state.i32[at] = FLAG_USED;
    this.state.i32[at + 1] = 0;
  }

  private findRun(from: number, count: number): number | undefined {
    const { i32, geometry } = this.state;
    let length = 0;
    for (let frame = from; frame < geometry.frames; frame++) {
      const taken = (i32[this.state.frameRecord(frame)]! & OWNER_MASK) !== 0;
      length = taken ? 0 : length + 1;
      if (length === count) return frame - count + 1;
    }
    return undefined;
  }
}
