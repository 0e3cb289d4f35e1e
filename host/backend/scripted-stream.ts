/**
 * Connections of the scripted SocketLayer: two flows of bytes, and at either end a Stream of the
 * backend or a script. What a kernel and a network would decide - when, and how many bytes at a
 * time - is drawn from the seed and happens in scheduled tasks only.
 * Invariant: a flow loses and reorders nothing; a reset comes after the bytes before it.
 */
import { ECONNRESET, EPIPE } from '../../assembly/wire/errno.js';
import type { Random } from '../machine/random.js';
import type { Scheduler } from '../machine/scheduler.js';
import type { InetAddress, Stream, StreamSink } from './socket-layer.js';

/** Chance and time, for everything that is scripted. */
export interface Weather {
  readonly random: Random;
  readonly scheduler: Scheduler;
  /** Longest that one step takes, in milliseconds. */
  readonly delayMaxMs: number;
}

export function later({ random, scheduler, delayMaxMs }: Weather, task: () => void): () => void {
  return scheduler.after(random.between(0, delayMaxMs), task);
}

/** Bytes on their way in one direction, as much as two kernels buffer. */
export class Flow {
  /** 0 or a negative errno, once no more bytes will come. */
  ended: number | undefined;
  /** The reader is gone: bytes written now reset the connection. */
  broken = false;
  readable: () => void = () => undefined;
  writable: () => void = () => undefined;
  private bytes = new Uint8Array(0);

  constructor(private readonly capacity: number) {}

  get available(): number {
    return this.bytes.length;
  }

  /** Takes what fits. Result: how many bytes; -EPIPE when nobody will read them. */
  write(bytes: Uint8Array): number {
    if (this.broken || this.ended !== undefined) return -EPIPE;
    const count = Math.min(this.capacity - this.bytes.length, bytes.length);
    if (count === 0) return 0;
    const joined = new Uint8Array(this.bytes.length + count);
    joined.set(this.bytes);
    joined.set(bytes.subarray(0, count), this.bytes.length);
    this.bytes = joined;
    this.readable();
    return count;
  }

  read(count: number): Uint8Array {
    const taken = this.bytes.slice(0, count);
    this.bytes = this.bytes.slice(count);
    this.writable();
    return taken;
  }

  end(error: number): void {
    if (this.ended !== undefined) return;
    this.ended = error;
    this.readable();
    this.writable();
  }

  break(): void {
    this.broken = true;
    this.bytes = new Uint8Array(0);
    this.writable();
  }
}

/** Takes bytes out of a flow in pieces of chance size, at times of chance, in order. */
class Reader {
  private scheduled = false;
  private stopped = false;

  constructor(
    private readonly flow: Flow,
    private readonly weather: Weather,
    /** Takes up to `available` bytes by flow.read; false: nothing can be taken now. */
    private readonly take: (available: number) => boolean,
    private readonly ended: (error: number) => void,
  ) {
    flow.readable = () => this.wake();
  }

  wake(): void {
    if (this.scheduled || this.stopped) return;
    if (this.flow.available === 0 && this.flow.ended === undefined) return;
    this.scheduled = true;
    later(this.weather, () => {
      this.scheduled = false;
      if (!this.stopped) this.step();
    });
  }

  stop(): void {
    this.stopped = true;
  }

  private step(): void {
    const { available, ended } = this.flow;
    if (available > 0) {
      if (this.take(this.weather.random.between(1, available))) this.wake();
    } else if (ended !== undefined) {
      this.stopped = true;
      this.ended(ended);
    }
  }
}

/** The backend's end: what node-net.ts is for real sockets. */
export class ScriptedStream implements Stream {
  private readonly reader: Reader;
  private paused = true;
  private closed = false;
  private pendingSend: (() => void) | undefined;

  constructor(
    private readonly sink: StreamSink,
    private readonly inbound: Flow,
    private readonly outbound: Flow,
    private readonly weather: Weather,
  ) {
    this.reader = new Reader(
      inbound,
      weather,
      (available) => this.receive(available),
      (error) => sink.ended(error),
    );
    outbound.writable = () => this.pendingSend?.();
  }

  resume(): void {
    this.paused = false;
    this.reader.wake();
  }

  send(spans: readonly Uint8Array[], done: (error: number) => void): undefined {
    const rest = [...spans];
    let scheduled = false;
    const step = (): void => {
      scheduled = false;
      if (this.closed) return;
      const error = this.push(rest);
      if (rest.length > 0 && error === 0) return; // until the flow has room
      this.pendingSend = undefined;
      done(error);
    };
    this.pendingSend = () => {
      if (scheduled) return;
      scheduled = true;
      later(this.weather, step);
    };
    this.pendingSend();
  }

  close(reset: boolean): void {
    this.closed = true;
    this.pendingSend = undefined;
    this.reader.stop();
    this.outbound.end(reset || this.inbound.available > 0 ? -ECONNRESET : 0);
    this.inbound.break();
  }

  private receive(available: number): boolean {
    if (this.paused) return false;
    const room = this.sink.room();
    if (room === undefined) {
      this.paused = true;
      return false;
    }
    const bytes = this.inbound.read(Math.min(room.length, available));
    room.set(bytes);
    this.sink.received(bytes.length);
    return true;
  }

  /** Moves bytes of the spans into the flow, reading the ring only now, as a kernel would. */
  private push(rest: Uint8Array[]): number {
    while (rest.length > 0) {
      const span = rest[0]!;
      const part = span.subarray(0, this.weather.random.between(1, span.length));
      const count = this.outbound.write(part);
      if (count < 0) return this.inbound.ended === -ECONNRESET ? -ECONNRESET : count;
      if (count === 0) return 0;
      if (count === span.length) rest.shift();
      else rest[0] = span.subarray(count);
    }
    return 0;
  }
}

/** What the program at the other end of a connection does. */
export interface PeerScript {
  opened?(peer: Peer): void;
  received?(peer: Peer, bytes: Uint8Array): void;
  /** No more bytes come: 0 for an orderly end, else a negative errno. */
  ended?(peer: Peer, error: number): void;
}

/** The other end, in the hands of its script. */
export class Peer {
  private readonly unsent: Uint8Array[] = [];
  private finishing = false;

  constructor(
    /** The address that was connected to. */
    readonly address: InetAddress,
    private readonly inbound: Flow,
    private readonly outbound: Flow,
    weather: Weather,
    script: PeerScript,
  ) {
    outbound.writable = () => this.flush();
    new Reader(
      inbound,
      weather,
      (available) => {
        script.received?.(this, inbound.read(available));
        return true;
      },
      (error) => {
        if (error !== 0) this.outbound.end(error);
        script.ended?.(this, error);
      },
    );
  }

  /** Bytes that the network did not take yet. */
  get backlog(): number {
    return this.unsent.reduce((sum, bytes) => sum + bytes.length, 0);
  }

  /** Sends all of it, in time. */
  write(bytes: Uint8Array): void {
    this.unsent.push(bytes);
    this.flush();
  }

  /** An orderly end after what was written; bytes still come in. */
  end(): void {
    this.finishing = true;
    this.flush();
  }

  reset(): void {
    this.unsent.length = 0;
    this.outbound.end(-ECONNRESET);
    this.inbound.break();
  }

  private flush(): void {
    while (this.unsent.length > 0) {
      const first = this.unsent[0]!;
      const count = this.outbound.write(first);
      if (count < 0) this.unsent.length = 0;
      if (count <= 0) return;
      if (count === first.length) this.unsent.shift();
      else this.unsent[0] = first.subarray(count);
    }
    if (this.finishing) this.outbound.end(0);
  }
}
