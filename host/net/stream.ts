/**
 * A Duplex over a connected socket, with backpressure both ways.
 *
 * PV Calls version 1 cannot carry a half-close: end() promises only that nothing more is written.
 * The socket stays until the peer ends too, or destroy(); both deliver what was written.
 */
import { Duplex, type DuplexOptions } from 'node:stream';
import { copyBytes } from '../machine/copy.js';
import type { GuestSocket } from './socket.js';

export type GuestStreamOptions = Pick<
  DuplexOptions,
  'allowHalfOpen' | 'highWaterMark' | 'readableHighWaterMark' | 'writableHighWaterMark' | 'signal'
>;

type Callback = (error?: Error | null) => void;

export class GuestStream extends Duplex {
  private reading = false;
  private pending: { chunks: Uint8Array[]; callback: Callback } | undefined;
  private resetting = false;
  private idleMs = 0;
  private idle: NodeJS.Timeout | undefined;

  /** Use socket.stream(). The socket is the stream's from here on. */
  constructor(
    readonly socket: GuestSocket,
    options: GuestStreamOptions = {},
  ) {
    super({ allowHalfOpen: true, ...options, autoDestroy: true, emitClose: true });
    socket.onReady = () => this.go();
    socket.onGone = (error) => this.destroy(error);
  }

  /** Destroys the stream and resets the connection, where the backend can. */
  resetAndDestroy(): this {
    this.resetting = true;
    return this.destroy();
  }

  // What clients of node:net call without need here; the settings are the backend's.
  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  /** Emits 'timeout' after so long without a byte either way; 0 stops it. */
  setTimeout(timeoutMs: number, callback?: () => void): this {
    this.idleMs = timeoutMs;
    if (callback !== undefined) this.once('timeout', callback);
    this.active();
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  override _read(): void {
    this.reading = true;
    this.pull();
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, callback: Callback): void {
    this.pending = { chunks: [chunk], callback };
    this.flush();
  }

  override _writev(items: { chunk: Uint8Array }[], callback: Callback): void {
    this.pending = { chunks: items.map((item) => item.chunk), callback };
    this.flush();
  }

  override _destroy(error: Error | null, callback: Callback): void {
    this.socket.onReady = undefined;
    this.socket.onGone = undefined;
    clearTimeout(this.idle);
    const over = this.resetting ? this.socket.abort() : this.socket.close();
    over.then(
      () => callback(error),
      (failure: Error) => callback(error ?? failure),
    );
  }

  private active(): void {
    clearTimeout(this.idle);
    if (this.idleMs > 0) this.idle = setTimeout(() => this.emit('timeout'), this.idleMs).unref();
  }

  private go(): void {
    if (this.idleMs > 0) this.active();
    if (this.reading) this.pull();
    if (this.pending !== undefined) this.flush();
  }

  private pull(): void {
    try {
      while (this.reading) {
        const window = this.socket.readable();
        if (window === undefined) return;
        if (window.length === 0) {
          this.reading = false;
          this.push(null);
          return;
        }
        for (const span of window) {
          const chunk = Buffer.allocUnsafe(span.length); // the ring's bytes are overwritten soon
          copyBytes(chunk, 0, span);
          this.socket.consume(chunk.length);
          this.reading = this.push(chunk);
          if (!this.reading) break;
        }
      }
    } catch (error) {
      this.destroy(error as Error);
    }
  }

  private flush(): void {
    const { pending } = this;
    if (pending === undefined) return;
    try {
      pending.chunks = skip(pending.chunks, this.socket.fill(pending.chunks));
    } catch (error) {
      this.pending = undefined;
      pending.callback(error as Error);
      return;
    }
    if (pending.chunks.length > 0) return;
    this.pending = undefined;
    pending.callback();
  }
}

/** What is left of the chunks after their first `count` bytes. */
function skip(chunks: Uint8Array[], count: number): Uint8Array[] {
  let left = count;
  let next = 0;
  while (next < chunks.length && chunks[next]!.length <= left) left -= chunks[next++]!.length;
  const rest = chunks.slice(next);
  if (left > 0) rest[0] = rest[0]!.subarray(left);
  return rest;
}
