/**
 * A connection between two guests of this backend: two ends, one for each pump. What one pump sends
 * is copied from its ring straight into the ring of the other, inside the event that brought it.
 *
 * Bytes are held in our own memory only where a kernel would and no ring can: until the connection
 * is accepted, and when the sender releases its socket while the receiver's ring is full.
 * Invariant: bytes reach the sink in order, all of them, before `ended`.
 */
import { ECONNRESET, EPIPE } from '../../assembly/wire/errno.js';
import type { Stream, StreamSink } from './socket-layer.js';

/** Bytes held for one end that is not accepted yet. */
const HELD_MAX = 65536;

const NOTHING = new Uint8Array(0);

/** Bytes that may be held for somebody who receives, as a part of what another one allows. */
export class Allowance {
  constructor(
    private bytes: number,
    private readonly whole?: Allowance,
  ) {}

  /** How many more. */
  get left(): number {
    return Math.min(this.bytes, this.whole?.left ?? Infinity);
  }

  /** So many are held, or, negative, no more. */
  take(count: number): void {
    this.bytes -= count;
    this.whole?.take(count);
  }
}

export class SpliceEnd implements Stream {
  private peer!: SpliceEnd; // `pair` sets it
  /** Received, and not yet in the ring. */
  private held: Uint8Array = NOTHING;
  /** What to tell the sink once `held` is empty. */
  private end: number | undefined;
  private started = false;
  private closed = false;
  /** Our sink has bytes that the peer had no room for. */
  private waiting = false;

  private constructor(
    private readonly allowance: Allowance,
    private sink?: StreamSink,
  ) {}

  /** Two connected ends: that of the sink, and one that has no sink yet; each with its limit. */
  static pair(sink: StreamSink, mine: Allowance, theirs: Allowance): [SpliceEnd, SpliceEnd] {
    const [near, far] = [new SpliceEnd(mine, sink), new SpliceEnd(theirs)];
    near.peer = far;
    far.peer = near;
    return [near, far];
  }

  /** Takes the sink of the end that was accepted. */
  attach(sink: StreamSink): this {
    this.sink = sink;
    return this;
  }

  resume(): void {
    const { sink, peer } = this;
    if (this.closed || sink === undefined) return;
    this.started = true;
    if (this.held.length > 0) this.drop(sink.put([this.held]));
    if (this.closed || this.held.length > 0) return;
    if (this.end !== undefined) return sink.ended(this.end);
    if (!peer.waiting) return;
    peer.waiting = false;
    peer.sink?.writable();
  }

  send(spans: readonly Uint8Array[]): number {
    return this.give(spans, HELD_MAX, false);
  }

  /** What finds no room in the ring of the peer is held: no one comes back for it. */
  sendLast(spans: readonly Uint8Array[]): number {
    return this.give(spans, Infinity, true);
  }

  close(reset: boolean): void {
    if (this.closed) return;
    this.closed = true;
    const unread = this.held.length > 0 || this.peer.waiting;
    this.drop(this.held.length);
    this.peer.finish(reset || unread ? -ECONNRESET : 0);
  }

  /** Result: bytes that the peer took, or a negative errno when it is gone. */
  private give(spans: readonly Uint8Array[], heldMax: number, last: boolean): number {
    const { peer } = this;
    let taken = 0;
    if (!peer.closed && peer.started && peer.held.length === 0) taken = peer.sink!.put(spans);
    if (peer.closed) return this.end === -ECONNRESET ? -ECONNRESET : -EPIPE;
    const size = spans.reduce((sum, span) => sum + span.length, 0);
    if (taken < size && (last || !peer.started)) taken += peer.hold(spans, taken, heldMax);
    this.waiting = taken < size;
    return taken;
  }

  /** Holds what follows the first `from` bytes, as much as is allowed. Result: bytes. */
  private hold(spans: readonly Uint8Array[], from: number, max: number): number {
    const { held, allowance } = this;
    const room = Math.min(max - held.length, allowance.left);
    if (room <= 0) return 0;
    const bytes = Buffer.concat(spans).subarray(from, from + room);
    this.held = held.length === 0 ? bytes : Buffer.concat([held, bytes]);
    allowance.take(bytes.length);
    return bytes.length;
  }

  private drop(count: number): void {
    this.allowance.take(-count);
    this.held = count === this.held.length ? NOTHING : this.held.subarray(count);
  }

  /** The peer has closed. */
  private finish(error: number): void {
    if (this.closed) return;
    this.end = error;
    if (this.started && this.held.length === 0) this.sink?.ended(error);
    if (!this.waiting) return;
    this.waiting = false;
    this.sink?.writable(); // to be told that nobody takes the rest
  }
}
