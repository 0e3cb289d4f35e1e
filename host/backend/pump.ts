/**
 * Moves the bytes of one connected socket between its stream and its data ring.
 * Spec: pvcalls, "Data ring", "Workflow". We produce `in` and consume `out`.
 *
 * Inbound, the stream writes straight into the free span that `room` gives and `received`
 * publishes it. Outbound, the stream takes spans of the ring itself, and out_cons moves only when
 * the kernel has all of them, so the ring is the only buffer and backpressure is the guest's.
 *
 * Notify rule: one notification per published batch; as consumer, only when the ring may be full as
 * the guest last saw it. Each index is stored before the peer's is loaded, or the last wake-up
 * could be lost.
 * Invariant: a published byte comes before in_error; an error, once set, stays.
 * Trust: in_cons and out_prod are the guest's: read once, checked raw, then used. in_prod and
 * out_cons in the page are copies for the guest and never read back.
 */
import * as wire from '../../assembly/wire/data-ring.js';
import { EIO, ENOTCONN } from '../../assembly/wire/errno.js';
import type { RingCount } from './counters.js';
import type { DataRing } from './data-ring.js';
import type { Stream, StreamSink } from './socket-layer.js';

export interface PumpHooks {
  /** Sends the event channel notification. */
  readonly notify: () => void;
  /** The guest broke the rules of this ring; the stream has been reset. */
  readonly fault: (reason: string) => void;
  /** See Rules. */
  readonly notifiesAlways: boolean;
  /** See Rules. */
  readonly looksOnce: boolean;
}

export class Pump implements StreamSink {
  private stream: Stream | undefined;
  private inProd: number; //  what we published
  private outCons: number; // what the kernel has taken
  private stalled = false; // the stream found no room and waits for resume
  private inSeen = 0; // in_cons as last loaded
  private filled = false; // looksOnce: the ring as last seen is full, and not looked at again
  private outTold: number; // out_cons when the guest was last notified of it
  private sending = false;
  private inDone = false;
  private outDone = false;
  private closed = false;

  constructor(
    private readonly ring: DataRing,
    private readonly counts: RingCount,
    private readonly hooks: PumpHooks,
  ) {
    this.inProd = ring.load(wire.IN_PROD);
    this.outCons = ring.load(wire.OUT_CONS);
    this.outTold = this.outCons;
  }

  /** Takes the connected stream; bytes flow from here on. */
  start(stream: Stream): void {
    this.stream = stream;
    stream.resume();
    this.sendMore();
  }

  /** The guest notified; maybe for nothing. */
  handleEvent(): void {
    this.counts.notificationsReceived += 1;
    this.filled = false;
    if (this.stalled && this.free() > 0) {
      this.stalled = false;
      this.stream?.resume();
    }
    this.sendMore();
  }

  /** Bytes that the guest has not read, or that the kernel has not taken. */
  get unfinished(): { unread: boolean; unsent: boolean } {
    return {
      unread: this.ring.load(wire.IN_CONS) !== this.inProd,
      unsent: this.sending || (!this.outDone && this.ring.load(wire.OUT_PROD) !== this.outCons),
    };
  }

  /** Lets go of stream and ring: neither is touched afterwards. */
  close(reset: boolean): void {
    this.closed = true;
    this.stream?.close(reset);
    this.stream = undefined;
  }

  // StreamSink

  room(): Uint8Array | undefined {
    const free = this.free();
    if (free > 0) return this.ring.in.span(this.inProd, free);
    if (!this.stalled && !this.inDone) this.counts.fullRings += 1;
    this.stalled = true;
    return undefined;
  }

  received(bytes: number): void {
    if (this.closed || this.inDone) return;
    this.countWrap(this.inProd, bytes);
    this.counts.bytesIn += bytes;
    this.inProd = (this.inProd + bytes) >>> 0;
    this.ring.store(wire.IN_PROD, this.inProd); // the guest sees the bytes before the new index
    this.hooks.notify();
    this.filled = this.hooks.looksOnce && (this.inProd - this.inSeen) >>> 0 >= this.ring.size;
  }

  ended(error: number): void {
    if (this.closed || this.inDone) return;
    this.inDone = true;
    this.ring.store(wire.IN_ERROR, error === 0 ? -ENOTCONN : error);
    this.hooks.notify();
  }

  /** Free bytes of `in`; 0 also when no more may be written. */
  private free(): number {
    if (this.closed || this.inDone || this.filled) return 0;
    this.inSeen = this.ring.load(wire.IN_CONS);
    const used = (this.inProd - this.inSeen) >>> 0;
    if (used <= this.ring.size) return this.ring.size - used;
    this.fail(`in_cons is ${used} bytes behind in_prod in a ring of ${this.ring.size}`);
    return 0;
  }

  private sendMore(): void {
    if (this.stream === undefined || this.sending || this.outDone) return;
    const count = (this.ring.load(wire.OUT_PROD) - this.outCons) >>> 0;
    if (count === 0) return;
    if (count > this.ring.size) {
      this.fail(`out_prod is ${count} bytes ahead of out_cons in a ring of ${this.ring.size}`);
      return;
    }
    this.sending = true;
    this.stream.send(this.ring.out.spans(this.outCons, count), (error) => this.sent(count, error));
  }

  private sent(count: number, error: number): void {
    this.sending = false;
    if (this.closed || this.outDone) return;
    if (error !== 0) {
      this.outDone = true;
      this.ring.store(wire.OUT_ERROR, error);
      this.hooks.notify();
      return;
    }
    const before = this.outCons;
    this.countWrap(before, count);
    this.counts.bytesOut += count;
    this.outCons = (before + count) >>> 0;
    this.ring.store(wire.OUT_CONS, this.outCons); // before the load: see the notify rule above
    const mayBeFull = (this.ring.load(wire.OUT_PROD) - this.outTold) >>> 0 >= this.ring.size;
    if (mayBeFull || this.hooks.notifiesAlways) {
      this.outTold = this.outCons;
      this.hooks.notify();
    }
    this.sendMore();
  }

  private fail(reason: string): void {
    this.inDone = true;
    this.outDone = true;
    this.ring.store(wire.IN_ERROR, -EIO);
    this.ring.store(wire.OUT_ERROR, -EIO);
    this.stream?.close(true);
    this.stream = undefined;
    this.hooks.notify();
    this.hooks.fault(reason);
  }

  private countWrap(index: number, bytes: number): void {
    if ((index & (this.ring.size - 1)) + bytes >= this.ring.size) this.counts.wraps += 1;
  }
}
