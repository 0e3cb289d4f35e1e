/**
 * A connected socket of a guest. Bytes go straight between the caller's memory and the data ring:
 * one copy with read and write, none with the windows.
 */
import { EAGAIN, EIO } from '../../assembly/wire/errno.js';
import { SPAN_ADDRESS, SPAN_BYTES, SPAN_SIZE } from '../../assembly/wire/abi.js';
import { callError } from '../core/errors.js';
import type { CoreExports } from '../core/exports.js';
import { copyBytes } from '../machine/copy.js';
import { encodeAddress, type Address } from './address.js';
import { Endpoint } from './endpoint.js';
import type { Guest } from './guest.js';
import { GuestStream, type GuestStreamOptions } from './stream.js';

/** Ring memory that can be read or written now: one span, or two at the wrap of the ring. */
export type Window = readonly Uint8Array[];

export class GuestSocket extends Endpoint {
  bytesRead = 0;
  bytesWritten = 0;

  /** Use guest.connect() or listener.accept(). */
  constructor(
    guest: Guest,
    handle: number,
    /** The address that was connected to; accepted sockets have none, PV Calls does not tell. */
    readonly remote?: Address,
  ) {
    super(guest, handle);
  }

  /**
   * Reads what is there, at least one byte, waiting for it if need be. Result: how many bytes were
   * put into `into`; 0 at the end of the stream. Rejects with the backend's error after the data.
   */
  async read(into: Uint8Array, signal?: AbortSignal): Promise<number> {
    for (;;) {
      const window = this.readable();
      if (window === undefined) {
        await this.readiness(signal);
        continue;
      }
      let count = 0;
      for (const span of window) {
        const part = first(span, into.length - count);
        copyBytes(into, count, part);
        count += part.length;
      }
      if (count > 0) this.consume(count);
      return count;
    }
  }

  /** Writes all of `from`. Resolves when it is in the ring; close() sees it delivered. */
  async write(from: Uint8Array, signal?: AbortSignal): Promise<void> {
    let done = 0;
    while (done < from.length) {
      const count = this.fill([done === 0 ? from : from.subarray(done)]);
      if (count === 0) await this.readiness(signal);
      done += count;
    }
  }

  /** A Duplex over this socket, for everything that takes Node streams. */
  stream(options?: GuestStreamOptions): GuestStream {
    return new GuestStream(this, options);
  }

  /**
   * The bytes that can be read now, where they stand in the ring: valid until consume(). Empty at
   * the end of the stream; undefined when there are none yet, and onReady is called when there are.
   */
  readable(): Window | undefined {
    this.assertOpen('recv');
    const { driver, spansAt } = this.guest;
    const result = driver.enter((core) => core.recv_window(this.handle, spansAt));
    return this.window('recv', result);
  }

  /** Frees the first `count` bytes of the window. */
  consume(count: number): void {
    this.assertOpen('recv');
    this.bytesRead += count;
    const result = this.guest.driver.enter((core) => core.recv_commit(this.handle, count));
    if (result < 0) throw callError('recv', result, this.where);
  }

  /** Room in the ring, to be written before publish(); undefined when there is none yet. */
  writable(): Window | undefined {
    this.assertOpen('send');
    const { driver, spansAt } = this.guest;
    const result = driver.enter((core) => core.send_window(this.handle, spansAt));
    return this.window('send', result);
  }

  /** Publishes the first `count` bytes of the window. */
  publish(count: number): void {
    this.assertOpen('send');
    this.bytesWritten += count;
    const result = this.guest.driver.enter((core) => core.send_commit(this.handle, count));
    if (result < 0) throw callError('send', result, this.where);
  }

  /** Copies as much of the chunks as there is room for and publishes it. Result: bytes. */
  fill(chunks: readonly Uint8Array[]): number {
    let done = 0;
    let offset = 0; // of the chunk that is next
    let next = 0;
    while (next < chunks.length) {
      const room = this.writable();
      if (room === undefined) break;
      let filled = 0;
      for (const span of room) {
        for (let at = 0; at < span.length && next < chunks.length;) {
          const chunk = chunks[next]!;
          const part = first(offset === 0 ? chunk : chunk.subarray(offset), span.length - at);
          copyBytes(span, at, part);
          at += part.length;
          filled += part.length;
          offset += part.length;
          if (offset === chunk.length) [next, offset] = [next + 1, 0];
        }
      }
      if (filled > 0) this.publish(filled);
      done += filled;
    }
    return done;
  }

  protected get where(): Address | undefined {
    return this.remote;
  }

  /** A send of nothing answers EIO when the device is not the one that was written to. */
  protected override isCut(core: CoreExports): boolean {
    return this.bytesWritten > 0 && core.send(this.handle, 0, 0) === -EIO;
  }

  private window(syscall: string, result: number): Window | undefined {
    if (result === -EAGAIN) return undefined;
    if (result < 0) {
      this.guest.driver.kick(); // the device may just have failed over it
      throw callError(syscall, result, this.where);
    }
    if (result === 0) return [];
    const { bytes, words, spansAt } = this.guest;
    const spans: Uint8Array[] = [];
    for (let at = spansAt; at < spansAt + 2 * SPAN_SIZE; at += SPAN_SIZE) {
      const address = words[(at + SPAN_ADDRESS) >>> 2]! >>> 0;
      const size = words[(at + SPAN_BYTES) >>> 2]! >>> 0;
      if (size > 0) spans.push(bytes.subarray(address, address + size));
    }
    return spans;
  }
}

/** The first `count` bytes, or all when there are fewer. */
function first(bytes: Uint8Array, count: number): Uint8Array {
  return bytes.length <= count ? bytes : bytes.subarray(0, count);
}

/** A socket that is not connected yet. Inside the guest only. */
export class ConnectingSocket extends GuestSocket {
  /** @internal */
  async start(signal?: AbortSignal): Promise<void> {
    const { bytes, addressAt } = this.guest;
    const address = this.remote!;
    await this.operate(
      'connect',
      (core) => core.connect(this.handle, addressAt, encodeAddress(bytes, addressAt, address)),
      signal,
    );
  }
}
