/** The guest's side of a data ring, written by hand from the specification, for these tests. */
import * as data from '../../../assembly/wire/data-ring.js';
import { PAGE_SIZE } from '../../../assembly/wire/page.js';
import type { TestGuest } from './test-guest.js';
import { until } from './until.js';

/** A data ring from the guest's side: indexes page, pages in random order, port. */
export class TestRing {
  readonly ref: number;
  readonly port: number;
  readonly indexesFrame: number;
  readonly frames: number[];
  readonly refs: number[];
  readonly size: number;
  readonly words: Int32Array;
  events = 0;
  private waiters: (() => void)[] = [];

  constructor(
    readonly guest: TestGuest,
    readonly order: number,
    layout: 'v1' | 'v7' = 'v1',
    start = 0,
  ) {
    const { hypercalls } = guest;
    [this.indexesFrame] = guest.takeFrames(1) as [number];
    this.frames = guest.takeFrames(2 ** order);
    this.refs = this.frames.map((frame) => hypercalls.gnttab_grant_access(0, frame, 0));
    this.words = guest.words(this.indexesFrame);
    this.size = 2 ** (order + 11);
    const v7 = layout === 'v7';
    Atomics.store(this.words, (v7 ? data.V7_RING_ORDER : data.V1_RING_ORDER) / 4, order);
    this.refs.forEach((ref, i) => {
      Atomics.store(this.words, (v7 ? data.V7_REF : data.V1_REF) / 4 + i, ref | 0);
    });
    for (const index of [data.IN_CONS, data.IN_PROD, data.OUT_CONS, data.OUT_PROD]) {
      this.store(index, start);
    }
    this.ref = hypercalls.gnttab_grant_access(0, this.indexesFrame, 0);
    this.port = hypercalls.evtchn_alloc_unbound(0);
    this.listen();
  }

  listen(): void {
    this.guest.domain.events.on(this.port, () => {
      this.events += 1;
      this.wakeAll();
    });
  }

  wakeAll(): void {
    for (const wake of this.waiters.splice(0)) wake();
  }

  load(offset: number): number {
    return Atomics.load(this.words, offset / 4) >>> 0;
  }

  store(offset: number, value: number): void {
    Atomics.store(this.words, offset / 4, value | 0);
  }

  get inError(): number {
    return this.load(data.IN_ERROR) | 0;
  }

  get outError(): number {
    return this.load(data.OUT_ERROR) | 0;
  }

  notify(): void {
    this.guest.hypercalls.evtchn_send(this.port);
  }

  private event(what: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no event: ${what}`)), 5000);
      this.waiters.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  /** Address of byte `offset` of the data area. */
  private at(offset: number): number {
    return this.frames[Math.floor(offset / PAGE_SIZE)]! * PAGE_SIZE + (offset % PAGE_SIZE);
  }

  /** What is there now; consumes it. */
  take(limit = Infinity): Buffer {
    const memory = Buffer.from(this.guest.machine.memory.buffer as unknown as ArrayBuffer);
    const cons = this.load(data.IN_CONS);
    const count = Math.min((this.load(data.IN_PROD) - cons) >>> 0, limit);
    const bytes = Buffer.alloc(count);
    for (let done = 0; done < count;) {
      const slot = ((cons + done) >>> 0) & (this.size - 1);
      const length = Math.min(count - done, PAGE_SIZE - (slot % PAGE_SIZE), this.size - slot);
      memory.copy(bytes, done, this.at(slot), this.at(slot) + length);
      done += length;
    }
    if (count === 0) return bytes;
    this.store(data.IN_CONS, cons + count);
    if ((this.load(data.IN_PROD) - cons) >>> 0 >= this.size) this.notify();
    return bytes;
  }

  /** The next bytes, at least one; empty when in_error is set and all was read. */
  async read(limit = Infinity): Promise<Buffer> {
    for (;;) {
      const error = this.inError;
      const bytes = this.take(limit);
      if (bytes.length > 0 || error !== 0) return bytes;
      if (this.load(data.IN_PROD) !== this.load(data.IN_CONS) || this.inError !== 0) continue;
      await this.event('data or in_error');
    }
  }

  async readAll(): Promise<Buffer> {
    const parts: Buffer[] = [];
    for (;;) {
      const part = await this.read();
      if (part.length === 0) return Buffer.concat(parts);
      parts.push(part);
    }
  }

  async readExactly(count: number): Promise<Buffer> {
    const parts: Buffer[] = [];
    for (let have = 0; have < count;) {
      const part = await this.read(count - have);
      if (part.length === 0) throw new Error(`ended with ${this.inError} after ${have} bytes`);
      parts.push(part);
      have += part.length;
    }
    return Buffer.concat(parts);
  }

  /** Writes all, waiting for room. */
  async write(bytes: Uint8Array): Promise<void> {
    const memory = new Uint8Array(this.guest.machine.memory.buffer);
    const outStart = this.order === 0 ? this.size : (this.frames.length / 2) * PAGE_SIZE;
    for (let done = 0; done < bytes.length;) {
      if (this.outError !== 0) throw new Error(`out_error ${this.outError}`);
      const prod = this.load(data.OUT_PROD);
      const room = this.size - ((prod - this.load(data.OUT_CONS)) >>> 0);
      if (room === 0) {
        await this.event('room');
        continue;
      }
      const count = Math.min(room, bytes.length - done);
      for (let put = 0; put < count;) {
        const slot = ((prod + put) >>> 0) & (this.size - 1);
        const offset = outStart + slot;
        const length = Math.min(count - put, PAGE_SIZE - (offset % PAGE_SIZE), this.size - slot);
        memory.set(bytes.subarray(done + put, done + put + length), this.at(offset));
        put += length;
      }
      this.store(data.OUT_PROD, prod + count);
      this.notify();
      done += count;
    }
  }

  drained(): Promise<void> {
    return until(() => this.load(data.OUT_CONS) === this.load(data.OUT_PROD), 'drained');
  }

  /** Ends grants and port; throws while the backend maps a page. */
  free(): void {
    const { guest } = this;
    guest.domain.events.off(this.port);
    guest.hypercalls.evtchn_close(this.port);
    for (const ref of [this.ref, ...this.refs]) {
      const result = guest.hypercalls.gnttab_end_access(ref);
      if (result !== 0) throw new Error(`grant ${ref} does not end: ${result}`);
    }
    guest.giveFrames([this.indexesFrame, ...this.frames]);
  }
}
