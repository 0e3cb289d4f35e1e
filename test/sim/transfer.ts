/**
 * Bytes through a guest's socket, in every way there is: read and write, the zero-copy windows, and
 * Duplex streams; in chunks from one byte to more than the ring; with reads that are given up.
 */
import { once } from 'node:events';
import { MSG_PEEK, SPAN_SIZE } from '../../assembly/wire/abi.js';
import { EAGAIN, EBADF } from '../../assembly/wire/errno.js';
import { PAGE_SHIFT } from '../../assembly/wire/page.js';
import { errnoName } from '../../host/core/errors.js';
import type { CoreExports, Guest, GuestSocket } from '../../host/index.js';
import type { Random } from '../../host/machine/index.js';
import { isAbort, type Env } from './env.js';
import { check, fill, patternOf } from './pattern.js';

const FLEX_RING_SHIFT = 11;
const SCRATCH_AT = 1024; // in the guest's first frame, beyond what the host side uses
const SCRATCH_SIZE = 3072; // bytes

export const ringSize = (order: number): number => 2 ** (order + FLEX_RING_SHIFT);

/** A connection in a guest, and how the bytes on it go. */
export class Transfer {
  private sent = 0;
  private received = 0;
  private readonly bell: Doorbell;
  private readonly buffer: Uint8Array;
  private readonly scratch: Scratch;

  constructor(
    private readonly env: Env,
    readonly socket: GuestSocket,
    private readonly random: Random,
    /** Bytes per direction of its ring. */
    private readonly ring: number,
  ) {
    this.bell = new Doorbell(socket);
    this.buffer = new Uint8Array(2 * ring + 1);
    this.scratch = new Scratch(env.guest);
    env.counts.sockets += 1;
  }

  /** Sends `count` more bytes of stream `id`. */
  async send(id: number, count: number): Promise<void> {
    for (let left = count; left > 0;) {
      const chunk = Math.min(left, this.chunk());
      const before = this.sent;
      const way = this.random.below(3);
      if (way === 0) await this.socket.write(patternOf(id, this.sent, chunk));
      else if (way === 1) await this.publishSome(id, chunk);
      else await this.sendSome(id, chunk);
      if (way === 0) this.sent += chunk;
      left -= this.sent - before;
      await this.dawdle();
    }
  }

  /** Receives `count` more bytes of stream `id`; throws when the stream ends before. */
  async receive(id: number, count: number): Promise<void> {
    const goal = this.received + count;
    while (this.received < goal) {
      const got = await this.receiveSome(id, Math.min(goal - this.received, this.chunk()));
      if (got === 0) throw new Error(`stream ${id} ended after ${this.received} of ${goal} bytes`);
    }
  }

  /** Receives to the end of the stream, which must come after exactly `count` more bytes. */
  async receiveToEnd(id: number, count: number): Promise<void> {
    await this.receive(id, count);
    const more = await this.receiveSome(id, this.ring);
    if (more !== 0) throw new Error(`stream ${id}: ${more} bytes after its end`);
  }

  /** Sends back what comes, to the end of the stream. */
  async echo(id: number): Promise<void> {
    for (;;) {
      const got = await this.receiveSome(id, this.chunk());
      if (got === 0) return;
      await this.send(id, got);
    }
  }

  /** Both directions through a Duplex; the socket is the stream's from here on. */
  async throughStream(send: [number, number], receive: [number, number]): Promise<void> {
    const stream = this.socket.stream();
    const [inId, inCount] = receive;
    const arrived = new Promise<void>((resolve, reject) => {
      stream.once('error', reject);
      stream.once('end', resolve);
      stream.on('data', (chunk: Buffer) => {
        try {
          this.arrive(chunk, inId);
        } catch (error) {
          stream.destroy(error as Error);
        }
        if (this.received === inCount) resolve();
      });
      if (inCount === 0) resolve();
    });
    arrived.catch(() => undefined); // awaited below, when all is sent
    const [outId, outCount] = send;
    for (let left = outCount; left > 0 && !stream.destroyed;) {
      const chunk = patternOf(outId, this.sent, Math.min(left, this.chunk()));
      left -= chunk.length;
      this.sent += chunk.length;
      if (stream.write(chunk)) continue;
      this.env.counts.stalls += 1;
      await Promise.race([once(stream, 'drain'), once(stream, 'close')]);
    }
    await Promise.all([arrived, new Promise<void>((resolve) => stream.end(resolve))]);
    if (this.received !== inCount) throw new Error(`stream ${inId}: ${this.received} bytes came`);
    const closed = once(stream, 'close');
    stream.destroy();
    await closed;
  }

  /** From one byte to more than the ring holds, with a liking for its edges. */
  private chunk(): number {
    const { random, ring } = this;
    const edge = random.pick([ring - 1, ring, ring + 1]);
    const choices = [random.between(1, 16), random.between(1, ring), edge, 2 * ring + 1];
    return random.chance(0.05) ? 1 : random.pick(choices);
  }

  private async receiveSome(id: number, limit: number): Promise<number> {
    await this.dawdle();
    const way = this.random.below(3);
    if (way === 0) return this.consumeSome(id, limit);
    if (way === 1) return this.recvSome(id, limit);
    const into = this.buffer.subarray(0, limit);
    const got = await this.readOrGiveUp(into);
    this.arrive(into.subarray(0, got), id);
    return got;
  }

  /** Now and then a read is given up, and asked again: nothing may be lost between. */
  private async readOrGiveUp(into: Uint8Array): Promise<number> {
    if (!this.random.chance(0.1)) return this.socket.read(into);
    const patience = new AbortController();
    void this.env.pause(this.random.between(0, 3)).then(() => patience.abort());
    try {
      return await this.socket.read(into, patience.signal);
    } catch (error) {
      if (!isAbort(error)) throw error;
      this.env.counts.cancellations += 1;
      return this.socket.read(into);
    }
  }

  /** Zero copy: looks at the bytes where they stand in the ring, and takes a part of them. */
  private async consumeSome(id: number, limit: number): Promise<number> {
    for (;;) {
      const window = this.socket.readable();
      if (window === undefined) {
        await this.bell.next();
        continue;
      }
      let taken = 0;
      for (const span of window) {
        const part = span.subarray(0, limit - taken);
        this.arrive(part, id);
        taken += part.length;
      }
      if (taken > 0) this.socket.consume(taken);
      return taken;
    }
  }

  /** Zero copy: writes the pattern straight into the ring. */
  private async publishSome(id: number, limit: number): Promise<number> {
    for (;;) {
      const window = this.socket.writable();
      if (window === undefined) {
        this.env.counts.stalls += 1;
        await this.bell.next();
        continue;
      }
      let put = 0;
      for (const span of window) {
        const part = span.subarray(0, limit - put);
        fill(part, id, this.sent + put);
        put += part.length;
      }
      this.socket.publish(put);
      this.sent += put;
      return put;
    }
  }

  /** The core's own send and sendv, which copy. */
  private async sendSome(id: number, limit: number): Promise<void> {
    const { scratch, random } = this;
    const count = Math.min(limit, SCRATCH_SIZE);
    for (;;) {
      fill(scratch.bytes.subarray(0, count), id, this.sent);
      const result = random.chance(0.5)
        ? this.core((core) => core.send(this.socket.handle, scratch.at, count))
        : this.core((core) => core.sendv(this.socket.handle, scratch.split(count, random), 2));
      if (result > 0) {
        this.sent += result;
        this.socket.bytesWritten += result;
        return;
      }
      if (result !== -EAGAIN) throw coreError('send', result);
      this.env.counts.stalls += 1;
      await this.bell.next();
    }
  }

  /** The core's own recv and recvv, with a look beforehand now and then. */
  private async recvSome(id: number, limit: number): Promise<number> {
    const { scratch, random } = this;
    const count = Math.min(limit, SCRATCH_SIZE);
    const { handle } = this.socket;
    const recv = (flags: number): number => {
      if (random.chance(0.5))
        return this.core((core) => core.recv(handle, scratch.at, count, flags));
      return this.core((core) => core.recvv(handle, scratch.split(count, random), 2, flags));
    };
    for (;;) {
      if (random.chance(0.2)) {
        const peeked = recv(MSG_PEEK);
        if (peeked > 0) check(scratch.bytes.subarray(0, peeked), id, this.received);
        scratch.bytes.fill(0);
      }
      const result = recv(0);
      if (result >= 0) {
        this.arrive(scratch.bytes.subarray(0, result), id);
        this.socket.bytesRead += result;
        return result;
      }
      if (result !== -EAGAIN) throw coreError('recv', result);
      await this.bell.next();
    }
  }

  private core(call: (core: CoreExports) => number): number {
    if (this.socket.closed) return -EBADF;
    return this.env.guest.driver.call(call);
  }

  /** A program is not always quick: rings fill up meanwhile. */
  private async dawdle(): Promise<void> {
    if (this.random.chance(0.08)) await this.env.pause(this.random.between(1, 30));
  }

  private arrive(bytes: Uint8Array, id: number): void {
    check(bytes, id, this.received);
    this.received += bytes.length;
  }
}

/** Memory of the guest for calls that copy, shared by its sockets: valid within one turn. */
class Scratch {
  /** Address of `bytes`. */
  readonly at: number;
  readonly bytes: Uint8Array;

  constructor(private readonly guest: Guest) {
    this.at = (guest.domain.firstFrame << PAGE_SHIFT) + SCRATCH_AT;
    this.bytes = guest.bytes.subarray(this.at, this.at + SCRATCH_SIZE);
  }

  /** Writes two spans that make `count` bytes of this memory. Result: their address. */
  split(count: number, random: Random): number {
    const first = random.between(0, count);
    const spans = this.at - 2 * SPAN_SIZE;
    const words = [this.at, first, this.at + first, count - first];
    words.forEach((word, i) => (this.guest.words[(spans >>> 2) + i] = word));
    return spans;
  }
}

function coreError(syscall: string, result: number): Error {
  const code = errnoName(result);
  return Object.assign(new Error(`${syscall} ${code}`), { code });
}

/** Turns onReady into promises. */
class Doorbell {
  private waiters: (() => void)[] = [];

  constructor(socket: GuestSocket) {
    const ring = (): void => {
      const { waiters } = this;
      this.waiters = [];
      for (const wake of waiters) wake();
    };
    socket.onReady = ring;
    socket.onGone = ring;
  }

  /** Resolves at the next ring. Nothing rings between a look at the socket and the asking. */
  next(): Promise<void> {
    return new Promise((resolve) => this.waiters.push(resolve));
  }
}
