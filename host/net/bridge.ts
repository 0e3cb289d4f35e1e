/**
 * Joins a socket of node:net and a socket of a guest: every byte one receives, the other sends.
 *
 *   host socket -> 'data' -> one copy into the data ring -> guest socket's peer
 *   host socket <- the kernel reads the data ring itself <- guest socket's peer
 *
 * The ring is the only buffer, so backpressure goes through in both directions. Ends stay ends and
 * resets resets. PV Calls version 1 cannot carry a half-close: the host's FIN is kept here, and the
 * guest socket stays until its peer ends too, or until nothing has moved for `idleMs`.
 * Invariant: ring memory is released only when no write of the host socket still points into it.
 */
import type { Socket } from 'node:net';
import { endOrReset } from '../backend/node-end.js';
import type { GuestSocket, Window } from './socket.js';

export interface BridgeOptions {
  /** After the host's FIN: how long nothing may move before the guest socket closes. */
  idleMs: number;
  /**
   * What the host's FIN means: 'hold' keeps the guest socket for the answer, 'close' closes it once
   * all is delivered, which is how a FIN can be passed on at all. Default 'hold'.
   */
  onHostEnd?: 'hold' | 'close';
}

/** `error`: why the connection was reset; absent after an orderly end. */
export interface BridgeResult {
  readonly toGuest: number;
  readonly fromGuest: number;
  readonly error?: Error;
}

/** Windows passed on in one turn of the event loop before others get theirs. */
const BURST = 8;

export class Bridge {
  /** Resolves, and never rejects, when both sockets are gone. */
  readonly done: Promise<BridgeResult>;
  private resolve!: (result: BridgeResult) => void;
  /** Received from the host, and not yet in the ring. */
  private leftover: Uint8Array | undefined;
  /** The kernel has not taken the spans of the ring it was given. */
  private writing = false;
  private burst = 0;
  private hostEnded = false;
  private guestEnded = false;
  /** The ring takes no more; what it still holds for the host goes out first. */
  private outError: Error | undefined;
  private over = false;
  private idle: NodeJS.Timeout | undefined;

  /** Both sockets are the bridge's from here on. The host socket must have allowHalfOpen. */
  constructor(
    private readonly host: Socket,
    private readonly guest: GuestSocket,
    private readonly options: BridgeOptions,
  ) {
    this.done = new Promise((resolve) => (this.resolve = resolve));
    guest.onReady = () => this.move();
    guest.onGone = (error) => this.fail(error ?? new Error('the guest socket was closed'));
    host.on('data', (chunk: Uint8Array) => this.take(chunk));
    host.on('end', () => endOrReset(this.host, (reset) => this.endOfHost(reset)));
    host.on('error', (error) => this.fail(error));
    host.on('close', () => this.hostClosed());
    this.pull();
    host.resume();
  }

  /** The host has ended and the peer has not: kept only for an answer that may never come. */
  get held(): boolean {
    return this.hostEnded && !this.guestEnded && !this.over;
  }

  /** Closes both ways in good order; what the host sent is still delivered. */
  close(): void {
    this.finish();
  }

  /** Resets both ways; also ends a close() that takes too long. */
  abort(reason: Error): void {
    if (this.over) void this.guest.abort();
    else this.fail(reason);
  }

  private move(): void {
    this.pull();
    this.push();
  }

  /** Ring -> host: the kernel reads the ring; it is freed when the kernel has taken all. */
  private pull(): void {
    if (this.writing || this.guestEnded || this.over) return;
    const window = this.attempt(() => this.guest.readable());
    if (window === undefined) return;
    if (window.length === 0) this.endOfGuest();
    else this.send(window);
  }

  private send(window: Window): void {
    this.writing = true;
    this.active();
    let count = 0;
    for (const span of window) count += span.length;
    const last = window.length - 1;
    if (last > 0) this.host.cork();
    window.forEach((span, i) => {
      if (i < last) this.host.write(span);
      else this.host.write(span, (error) => this.sent(count, error));
    });
    if (last > 0) this.host.uncork();
  }

  private sent(count: number, error: Error | null | undefined): void {
    this.writing = false;
    if (this.over) return;
    if (error) return this.fail(error);
    this.attempt(() => this.guest.consume(count));
    if (++this.burst < BURST) return this.pull();
    this.burst = 0;
    setImmediate(() => this.pull());
  }

  /** Host -> ring. */
  private take(chunk: Uint8Array): void {
    if (this.over || this.outError !== undefined) return;
    this.leftover = this.leftover === undefined ? chunk : Buffer.concat([this.leftover, chunk]);
    this.push();
    if (this.leftover !== undefined) this.host.pause();
  }

  private push(): void {
    const { leftover } = this;
    if (leftover === undefined || this.over) return;
    let count: number;
    try {
      count = this.guest.fill([leftover]);
    } catch (error) {
      return this.sendingFailed(error as Error);
    }
    if (count > 0) this.active();
    if (count < leftover.length) {
      this.leftover = leftover.subarray(count);
      return;
    }
    this.leftover = undefined;
    if (this.hostEnded) this.hostIsDone();
    else if (this.host.isPaused()) this.host.resume();
  }

  /** The peer takes no more. Its own end or reset comes through the ring after its last bytes. */
  private sendingFailed(error: Error): void {
    this.outError = error;
    this.leftover = undefined;
    this.host.resume(); // what still comes is dropped, as by a peer that has closed
    if (this.guestEnded) this.fail(error);
  }

  private endOfHost(reset: boolean): void {
    if (this.over) return;
    if (reset) return this.fail(new Error('the host socket was reset'));
    this.hostEnded = true;
    if (this.leftover === undefined) this.hostIsDone();
  }

  private hostIsDone(): void {
    if (this.guestEnded || this.options.onHostEnd === 'close') return this.finish();
    this.idle = setTimeout(() => this.finish(), this.options.idleMs);
  }

  private endOfGuest(): void {
    if (this.outError !== undefined) return this.fail(this.outError);
    this.guestEnded = true;
    if (this.hostEnded && this.leftover === undefined) this.finish();
    else this.host.end();
  }

  private active(): void {
    this.idle?.refresh();
  }

  /** The call's result; undefined when it failed, and with it the connection. */
  private attempt<T>(call: () => T): T | undefined {
    try {
      return call();
    } catch (error) {
      this.fail(error as Error);
      return undefined;
    }
  }

  /** Node closes a socket by itself once both ends are through; the ring may still take bytes. */
  private hostClosed(): void {
    if (this.hostEnded && this.guestEnded) return;
    this.fail(new Error('the host socket was closed'));
  }

  private finish(): void {
    if (this.over) return;
    this.leave();
    // A host that does not take what it is sent must not take the end for the whole.
    if (this.writing) this.host.resetAndDestroy();
    else this.host.destroySoon();
    this.release(this.guest.close());
  }

  private fail(error: Error): void {
    if (this.over) return;
    this.leave();
    // The host first: the kernel lets go of the ring before the ring is released. Node cannot reset
    // while a FIN is on its way.
    if (this.host.writableEnded && !this.host.writableFinished) this.host.destroy();
    else this.host.resetAndDestroy();
    this.release(this.guest.abort(), error);
  }

  private leave(): void {
    this.over = true;
    this.leftover = undefined;
    clearTimeout(this.idle);
    this.guest.onReady = undefined;
    this.guest.onGone = undefined;
  }

  private release(closed: Promise<void>, error?: Error): void {
    const { bytesRead: fromGuest, bytesWritten: toGuest } = this.guest;
    const done = (reason = error): void =>
      this.resolve({ toGuest, fromGuest, ...(reason && { error: reason }) });
    closed.then(
      () => done(),
      (failure: Error) => done(error ?? failure),
    );
  }
}
