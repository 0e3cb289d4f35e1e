/**
 * The backend's end of one data ring, mapped by the references that the frontend wrote. It may
 * store anything anywhere on those pages, at any time.
 */
import * as data from '../../assembly/wire/data-ring.js';
import { PAGE_SIZE } from '../../assembly/wire/page.js';
import type { Domain } from '../../host/machine/index.js';

export class HostileRing {
  readonly order: number;
  readonly refs: readonly number[];
  /** Bytes per direction. */
  readonly size: number;
  /** Frames of the data, in the order of the references. */
  readonly frames: readonly number[];
  readonly indexesFrame: number;
  readonly port: number;
  /** Events that came from the frontend. */
  events = 0;
  private readonly words: Int32Array;
  private readonly pages: readonly Uint8Array[];

  /** Maps the ring and binds its port, as CONNECT and ACCEPT name them. */
  constructor(
    private readonly domain: Domain,
    guest: number,
    readonly ref: number,
    remotePort: number,
  ) {
    const { hypercalls } = domain;
    const map = (each: number): number => {
      const frame = hypercalls.gnttab_map(guest, each, 1);
      if (frame < 0) throw new Error(`reference ${each} does not map: ${frame}`);
      return frame;
    };
    this.indexesFrame = map(ref);
    const indexes = domain.bytes(this.indexesFrame);
    this.words = new Int32Array(indexes.buffer, indexes.byteOffset, PAGE_SIZE / 4);
    this.order = this.load(data.V1_RING_ORDER);
    this.refs = Array.from({ length: 2 ** this.order }, (_, i) => this.load(data.V1_REF + 4 * i));
    this.frames = this.refs.map(map);
    this.pages = this.frames.map((frame) => domain.bytes(frame));
    this.size = 2 ** (this.order + data.FLEX_RING_SHIFT);
    this.port = hypercalls.evtchn_bind_interdomain(guest, remotePort);
    if (this.port < 0) throw new Error(`port ${remotePort} does not bind: ${this.port}`);
    domain.events.on(this.port, () => (this.events += 1));
  }

  load(offset: number): number {
    return Atomics.load(this.words, offset / 4) >>> 0;
  }

  /** Stores a word of the indexes page, whatever it means there. */
  store(offset: number, value: number): void {
    Atomics.store(this.words, offset / 4, value | 0);
  }

  kick(): void {
    this.domain.hypercalls.evtchn_send(this.port);
  }

  /** Puts bytes behind in_prod, without a look at in_cons. */
  write(bytes: Uint8Array, prod = this.load(data.IN_PROD)): void {
    bytes.forEach((byte, i) => this.poke((prod + i) & (this.size - 1), byte));
  }

  /** Puts bytes into `in` and publishes them. */
  produce(bytes: Uint8Array): void {
    this.write(bytes);
    this.store(data.IN_PROD, this.load(data.IN_PROD) + bytes.length);
  }

  /** Bytes of `out` that are published; takes them. */
  consume(): Buffer {
    const cons = this.load(data.OUT_CONS);
    const count = (this.load(data.OUT_PROD) - cons) >>> 0;
    if (count > this.size) throw new Error(`the frontend published ${count} bytes`);
    const bytes = Buffer.alloc(count);
    for (let i = 0; i < count; i++)
      bytes[i] = this.peek(this.size + ((cons + i) & (this.size - 1)));
    this.store(data.OUT_CONS, cons + count);
    return bytes;
  }

  /** Lets go of all pages and of the port. */
  unmap(): void {
    const { hypercalls, events } = this.domain;
    for (const frame of [this.indexesFrame, ...this.frames]) hypercalls.gnttab_unmap(frame);
    events.off(this.port);
    hypercalls.evtchn_close(this.port);
  }

  private poke(at: number, byte: number): void {
    this.pages[Math.floor(at / PAGE_SIZE)]![at % PAGE_SIZE] = byte;
  }

  private peek(at: number): number {
    return this.pages[Math.floor(at / PAGE_SIZE)]![at % PAGE_SIZE]!;
  }
}
