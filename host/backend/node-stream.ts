/**
 * One node:net socket as a Stream.
 *
 * Node's `onread` asks for a buffer when the handle is made and after each read, for the next one;
 * it keeps the last buffer while reading is stopped. So the buffer handed over must never be ring
 * space unless that space is ours to fill: when the ring has no room, Node gets a spare buffer
 * instead and reading stops. The first read after that lands in the spare and is copied; from the
 * second on, bytes go straight into the ring again. All sockets have one spare: what is read into
 * it is copied out before anything else is read. Ring space that Node holds stays free, because
 * only `received` moves in_prod, and is let go of when the socket is destroyed.
 * Invariant: bytes reach the sink in order, all of them, before `ended`.
 */
import type net from 'node:net';
import { ECONNRESET } from '../../assembly/wire/errno.js';
import { errnoOf } from './errors.js';
import { endOrReset } from './node-end.js';
import type { Stream, StreamSink } from './socket-layer.js';

const spare = Buffer.allocUnsafeSlow(65536);

export class NodeStream implements Stream {
  private socket: net.Socket | undefined;
  /** Received, and not yet in the ring. */
  private leftover: Uint8Array | undefined;
  /** What to tell the sink once leftover is empty. */
  private end: number | undefined;
  private closed = false;
  private window: Uint8Array | undefined;

  constructor(private readonly sink: StreamSink) {}

  /** For net.connect. */
  readonly onread = {
    buffer: (): Uint8Array => {
      this.window ??= this.closed || this.leftover !== undefined ? undefined : this.sink.room();
      return this.window ?? spare;
    },
    /** False stops reading; `buffer` is asked right after, in either case. */
    callback: (bytes: number, buffer: Uint8Array): boolean => {
      const window = this.window;
      this.window = undefined;
      if (this.closed) return false;
      if (buffer === window) this.sink.received(bytes);
      else this.deliver(buffer.subarray(0, bytes));
      if (this.leftover === undefined) this.window = this.sink.room();
      return this.window !== undefined;
    },
  };

  /** For accepted sockets: the 'data' event. */
  readonly handleData = (chunk: Uint8Array): void => {
    if (this.closed) return;
    this.deliver(chunk);
    if (this.leftover !== undefined) this.socket?.pause();
  };

  /** Takes the connected socket. */
  attach(socket: net.Socket): void {
    this.socket = socket;
    socket.on('end', () => {
      endOrReset(socket, (reset) => this.finish(reset ? -ECONNRESET : 0));
    });
    socket.on('error', (error) => this.fail(error));
  }

  fail(error: unknown): void {
    this.finish(errnoOf(error));
  }

  resume(): void {
    if (this.closed) return;
    const { leftover } = this;
    this.leftover = undefined;
    if (leftover !== undefined) this.deliver(leftover);
    if (this.leftover !== undefined) return;
    if (this.end !== undefined) this.sink.ended(this.end);
    else this.socket?.resume();
  }

  send(spans: readonly Uint8Array[], done: (error: number) => void): undefined {
    const { socket } = this;
    if (socket === undefined) return;
    const last = spans.length - 1;
    // Several spans leave in one writev; a write never calls back from inside itself.
    if (last > 0) socket.cork();
    spans.forEach((span, i) => {
      if (i < last) socket.write(span);
      else socket.write(span, (error) => done(error ? errnoOf(error) : 0));
    });
    if (last > 0) socket.uncork();
  }

  close(reset: boolean): void {
    if (this.closed) return;
    this.closed = true;
    this.window = undefined;
    if (reset) this.socket?.resetAndDestroy();
    else this.socket?.destroy();
  }

  /** Copies into the ring; what finds no room waits in `leftover` for `resume`. */
  private deliver(bytes: Uint8Array): void {
    if (this.leftover !== undefined) {
      this.leftover = Buffer.concat([this.leftover, bytes]);
      return;
    }
    const count = this.sink.put([bytes]);
    if (count < bytes.length) this.leftover = Buffer.from(bytes.subarray(count));
  }

  private finish(error: number): void {
    if (this.closed || this.end !== undefined) return;
    this.end = error;
    if (this.leftover === undefined) this.sink.ended(error);
  }
}
