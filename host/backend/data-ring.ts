/**
 * A guest's data ring, mapped: the indexes page and the pages of both byte rings.
 * Spec: pvcalls, "Data ring interface". Invariant: ring_order and the references are read once, at
 * mapping, and everything later goes by the private copies; foreign pages stand wherever the
 * mapping put them, so bytes are reached through a page table, in contiguous spans.
 * Trust: every field of the indexes page is the guest's to scribble on, at any time.
 */
import * as wire from '../../assembly/wire/data-ring.js';
import { EINVAL } from '../../assembly/wire/errno.js';
import { PAGE_SHIFT, PAGE_SIZE } from '../../assembly/wire/page.js';
import type { GrantMapper } from './grants.js';

export type RingLayout = 'v1' | 'v7';

export interface RingRules {
  readonly layout: RingLayout;
  /** Largest ring_order that was advertised. */
  readonly maxOrder: number;
  readonly minOrder: number;
  /** Answer to an order outside these: a negative errno. */
  readonly badOrder: number;
}

/** One direction: a circular buffer of `size` bytes over scattered pages. */
export class ByteRegion {
  /** runs[i]: bytes from the start of page i up to the first page that is not adjacent. */
  private readonly runs: number[];

  /** `start`: where the region begins in the first page; only an order 0 ring has it not 0. */
  constructor(
    private readonly memory: ArrayBufferLike,
    private readonly frames: readonly number[],
    private readonly start: number,
    readonly size: number,
  ) {
    this.runs = new Array<number>(frames.length).fill(PAGE_SIZE);
    for (let i = frames.length - 2; i >= 0; i--) {
      if (frames[i + 1] === frames[i]! + 1) this.runs[i]! += this.runs[i + 1]!;
    }
  }

  /** The longest contiguous memory at an index, `count` bytes at most; not empty for count > 0. */
  span(index: number, count: number): Buffer {
    const slot = index & (this.size - 1);
    const offset = this.start + slot;
    const page = offset >>> PAGE_SHIFT;
    const inPage = offset & (PAGE_SIZE - 1);
    const length = Math.min(count, this.size - slot, this.runs[page]! - inPage);
    const address = this.frames[page]! * PAGE_SIZE + inPage;
    return Buffer.from(this.memory as ArrayBuffer, address, length);
  }

  /** All `count` bytes from an index on, as few spans as the pages allow. */
  spans(index: number, count: number): Buffer[] {
    const spans: Buffer[] = [];
    for (let done = 0; done < count;) {
      const span = this.span(index + done, count - done);
      spans.push(span);
      done += span.length;
    }
    return spans;
  }
}

export class DataRing {
  private readonly words: Int32Array;
  /** What the socket received: we produce. */
  readonly in: ByteRegion;
  /** What the socket is to send: the guest produces. */
  readonly out: ByteRegion;

  private constructor(
    private readonly grants: GrantMapper,
    private readonly indexesFrame: number,
    private readonly dataFrames: readonly number[],
    readonly order: number,
  ) {
    this.words = new Int32Array(grants.memory, indexesFrame * PAGE_SIZE, PAGE_SIZE / 4);
    const size = 2 ** (order + wire.FLEX_RING_SHIFT);
    const half = dataFrames.length >>> 1;
    const inFrames = order === 0 ? dataFrames : dataFrames.slice(0, half);
    const outFrames = order === 0 ? dataFrames : dataFrames.slice(half);
    this.in = new ByteRegion(grants.memory, inFrames, 0, size);
    this.out = new ByteRegion(grants.memory, outFrames, order === 0 ? size : 0, size);
  }

  /** Maps the indexes page and every page it lists; a negative errno, and nothing left mapped. */
  static map(grants: GrantMapper, ref: number, rules: RingRules): DataRing | number {
    const indexesFrame = grants.map(ref);
    if (indexesFrame < 0) return indexesFrame;
    const words = new Int32Array(grants.memory, indexesFrame * PAGE_SIZE, PAGE_SIZE / 4);
    const v7 = rules.layout === 'v7';
    const order = Atomics.load(words, (v7 ? wire.V7_RING_ORDER : wire.V1_RING_ORDER) >>> 2) >>> 0;
    if (order < rules.minOrder || order > rules.maxOrder) {
      grants.unmap(indexesFrame);
      return rules.badOrder;
    }

    const firstRef = (v7 ? wire.V7_REF : wire.V1_REF) >>> 2;
    const frames: number[] = [];
    for (let i = 0; i < 2 ** order; i++) {
      const frame = grants.map(Atomics.load(words, firstRef + i) >>> 0);
      if (frame < 0) {
        for (const mapped of frames) grants.unmap(mapped);
        grants.unmap(indexesFrame);
        return frame;
      }
      frames.push(frame);
    }
    const ring = new DataRing(grants, indexesFrame, frames, order);
    if (ring.startIsValid()) return ring;
    ring.unmap();
    return -EINVAL;
  }

  /** Bytes per direction. */
  get size(): number {
    return this.in.size;
  }

  /** Loads a field of the indexes page, once. */
  load(offset: number): number {
    return Atomics.load(this.words, offset >>> 2) >>> 0;
  }

  store(offset: number, value: number): void {
    Atomics.store(this.words, offset >>> 2, value | 0);
  }

  /** Whether the indices as they stand now can be those of a ring of this size. */
  startIsValid(): boolean {
    const inUsed = (this.load(wire.IN_PROD) - this.load(wire.IN_CONS)) >>> 0;
    const outUsed = (this.load(wire.OUT_PROD) - this.load(wire.OUT_CONS)) >>> 0;
    return inUsed <= this.size && outUsed <= this.size;
  }

  /** Spec: pvcalls, "Release": the buffers first, then the interface. */
  unmap(): void {
    for (const frame of this.dataFrames) this.grants.unmap(frame);
    this.grants.unmap(this.indexesFrame);
  }
}
