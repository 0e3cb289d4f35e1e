/**
 * Moves the bytes of one connected socket between its stream and its data ring.
 * Spec: pvcalls, "Data ring", "Workflow". We produce `in` and consume `out`.
 *
 * Inbound, the stream writes straight into the free span that `room` gives and `received`
 * publishes it. Outbound, the stream takes spans of the ring itself, and out_cons moves only when
 * the kernel has all of them, so the ring is the only buffer and backpressure is the guest's. The
 * stream of a splice `put`s them into the other guest's ring, and out_cons moves by what it took.
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
import { copyBytes } from '../machine/copy.js';
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
  private moved = 0; // bytes, both ways, at the last event
  private open = Infinity; // see hadReason

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

  /** The guest notified. Result: false when it was for nothing. */
  handleEvent(): boolean {
    this.counts.notificationsReceived += 1;
    this.filled = false;
    if (this.stalled && this.free() > 0) {
      this.stalled = false;
      this.stream?.resume();
    }
    this.sendMore();
    return this.hadReason();
  }

  /** Bytes that the guest has not read, or that the kernel has not taken. */
  get unfinished(): { unread: boolean; unsent: boolean } {
    return {
      unread: this.ring.load(wire.IN_CONS) !== this.inProd,
      unsent: this.sending || (!this.outDone && this.ring.load(wire.OUT_PROD) !== this.outCons),
    };
  }

  /** RELEASE: hands over what a stream that takes bytes at once has not taken yet. */
  sendLast(): void {
    if (this.stream?.sendLast === undefined || this.outDone) return;
    const count = this.published();
    if (count > 0) this.took(this.stream.sendLast(this.ring.out.spans(this.outCons, count)));
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
    if (free > 0) return this.ring.in.span(this.inProd, Math.min(free, this.ring.size >>> 1));
    this.stall();
    return undefined;
  }

  put(spans: readonly Uint8Array[]): number {
    const free = this.free();
    let taken = 0;
    let size = 0;
    for (const span of spans) {
      size += span.length;
      for (let done = 0; done < span.length && taken < free;) {
        const wanted = Math.min(span.length - done, free - taken);
        const room = this.ring.in.span(this.inProd + taken, wanted);
        const whole = room.length === span.length;
        copyBytes(room, 0, whole ? span : span.subarray(done, done + room.length));
        done += room.length;
        taken += room.length;
      }
    }
    if (taken > 0) this.received(taken);
    if (taken < size) this.stall();
    return taken;
  }

  writable(): void {
    this.sendMore();
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

  /**
   * Whether bytes have moved since the last event, or the guest has read or published some that are
   * for later. `open` is what it can still read or publish without us: it only shrinks meanwhile,
   * whatever the guest writes into its indices, so nobody has a reason for ever.
   */
  private hadReason(): boolean {
    const moved = this.counts.bytesIn + this.counts.bytesOut;
    const unread = (this.inProd - this.ring.load(wire.IN_CONS)) >>> 0;
    const published = (this.ring.load(wire.OUT_PROD) - this.outCons) >>> 0;
    const open = Math.max(unread + this.ring.size - published, 0);
    if (moved === this.moved && open >= this.open) return false;
    this.moved = moved;
    this.open = open;
    return true;
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

  /** The stream found less room than it has bytes. */
  private stall(): void {
    if (!this.stalled && !this.inDone) this.counts.fullRings += 1;
    this.stalled = true;
  }

  /**
   * One look at out_prod: bytes published after it come with a notification of their own, so that
   * no guest keeps us here.
   */
  private sendMore(): void {
    if (this.stream === undefined || this.sending || this.outDone) return;
    const count = this.published();
    if (count === 0) return;
    this.sending = true;
    const spans = this.ring.out.spans(this.outCons, count);
    const taken = this.stream.send(spans, (error) => {
      this.sending = false;
      this.took(error === 0 ? count : error);
      this.sendMore();
    });
    if (taken === undefined) return;
    this.sending = false;
    this.took(taken);
  }

  /** Bytes of `out` that wait; 0 also when out_prod lies, which ends the socket. */
  private published(): number {
    const count = (this.ring.load(wire.OUT_PROD) - this.outCons) >>> 0;
    if (count <= this.ring.size) return count;
    this.fail(`out_prod is ${count} bytes ahead of out_cons in a ring of ${this.ring.size}`);
    return 0;
  }

  /** The stream took so many bytes, or failed with a negative errno. */
  private took(count: number): void {
    if (count === 0 || this.closed || this.outDone) return;
    if (count < 0) {
      this.outDone = true;
      this.ring.store(wire.OUT_ERROR, count);
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
