/**
 * A handle of the core and the promises that wait for its events. A command that is in progress is
 * one promise; readiness is another; the end of the handle settles them all.
 */
import { EINPROGRESS, EIO, ETIMEDOUT } from '../../assembly/wire/errno.js';
import { callError, type CallError } from '../core/errors.js';
import type { CoreExports } from '../core/exports.js';
import type { Address } from './address.js';
import type { Guest } from './guest.js';

const SYSCALLS = ['socket', 'connect', 'release', 'bind', 'listen', 'accept', 'poll'] as const;

/** Results of RELEASE after which nobody knows what became of the last bytes. */
const UNSURE = [-EIO, -ETIMEDOUT];

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

export abstract class Endpoint {
  private operation: Waiter | undefined;
  private readyWaiters: Waiter[] = [];
  private closeWaiters: Waiter[] = [];
  private gone: Error | undefined;
  private ending = false;
  /** The backend was lost before close(), and maybe bytes with it. */
  private cut = false;
  /** Called at every readiness event, for users that do not wait with promises. */
  onReady: ((mask: number) => void) | undefined;
  /** Called once, when the handle is free again or the core has died. */
  onGone: ((error: Error | undefined) => void) | undefined;

  /** Use Guest. */
  constructor(
    readonly guest: Guest,
    readonly handle: number,
  ) {
    guest.adopt(this);
  }

  /** Whether close() or abort() was called, or the handle is gone. */
  get closed(): boolean {
    return this.ending || this.gone !== undefined;
  }

  /**
   * Closes; what was written still goes out. Resolves when the backend has let go. Rejects with EIO
   * when it was lost before, and with ETIMEDOUT when it does not answer: what was written may not
   * have arrived. Who does not look at the result is not bothered with it.
   */
  close(): Promise<void> {
    const closed = this.end((core) => {
      this.cut = this.isCut(core);
      return core.close(this.handle);
    });
    closed.catch(() => undefined);
    return closed;
  }

  /** Closes at once; unsent bytes are dropped, and the peer is reset where the backend can. */
  abort(): Promise<void> {
    return this.end((core) => core.abort(this.handle)).catch(() => undefined);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** @internal The core says that a command is finished. */
  handleDone(command: number, result: number): void {
    const waiter = this.operation;
    this.operation = undefined;
    if (result === 0) waiter?.resolve();
    else waiter?.reject(callError(SYSCALLS[command] ?? 'command', result, this.where));
  }

  /** @internal */
  handleReady(mask: number): void {
    const waiters = this.readyWaiters;
    this.readyWaiters = [];
    for (const waiter of waiters) waiter.resolve();
    this.onReady?.(mask);
  }

  /** @internal The handle is free. */
  handleClosed(result: number): void {
    if (this.cut || UNSURE.includes(result)) {
      const lost = callError('close', this.cut ? -EIO : result, this.where);
      for (const waiter of this.closeWaiters) waiter.reject(lost);
      this.closeWaiters = [];
    }
    this.handleGone();
  }

  /** @internal The handle is free, or will never be heard of again. */
  handleGone(error?: Error): void {
    if (this.gone !== undefined) return;
    this.gone = error ?? this.refusal('close');
    for (const waiter of [this.operation, ...this.readyWaiters]) waiter?.reject(this.gone);
    for (const { resolve, reject } of this.closeWaiters) {
      if (error === undefined) resolve();
      else reject(error);
    }
    this.operation = undefined;
    this.readyWaiters = [];
    this.closeWaiters = [];
    this.onGone?.(error);
  }

  /** @internal The guest was resumed without what the core knew: the handle means nothing now. */
  handleLost(error: Error): void {
    this.handleGone(error);
  }

  /** Whether bytes that were written may be lost already. */
  protected isCut(_core: CoreExports): boolean {
    return false;
  }

  /** The address errors speak of. */
  protected abstract get where(): Address | undefined;

  /** Runs a command of the core that ends with handleDone. Aborting it closes the handle. */
  protected async operate(
    syscall: string,
    call: (core: CoreExports) => number,
    signal?: AbortSignal,
  ): Promise<void> {
    signal?.throwIfAborted();
    this.assertOpen(syscall);
    const result = this.guest.driver.call(call);
    if (result !== -EINPROGRESS) throw callError(syscall, result, this.where);
    const onAbort = (): void => void this.abort();
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      await new Promise<void>((resolve, reject) => (this.operation = { resolve, reject }));
    } catch (error) {
      signal?.throwIfAborted();
      throw error;
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  }

  /** Waits for the next readiness event: ask the core again then. */
  protected readiness(signal?: AbortSignal): Promise<void> {
    if (signal !== undefined) return this.readinessOr(signal);
    return new Promise((resolve, reject) => this.readyWaiters.push({ resolve, reject }));
  }

  private async readinessOr(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    let onAbort = (): void => undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        const waiter = { resolve, reject };
        onAbort = () => {
          this.readyWaiters = this.readyWaiters.filter((other) => other !== waiter);
          reject(signal.reason as Error);
        };
        signal.addEventListener('abort', onAbort, { once: true });
        this.readyWaiters.push(waiter);
      });
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  protected assertOpen(syscall: string): void {
    if (this.gone !== undefined) throw this.gone;
    if (this.ending) throw this.refusal(syscall);
  }

  private refusal(syscall: string): CallError {
    const error = new Error(`${syscall} EBADF: the socket is closed; open a new one`);
    return Object.assign(error, { code: 'EBADF', errno: -9, syscall });
  }

  private async end(call: (core: CoreExports) => number): Promise<void> {
    if (this.gone !== undefined) return;
    const over = new Promise<void>((resolve, reject) =>
      this.closeWaiters.push({ resolve, reject }),
    );
    this.ending = true;
    if (this.operation !== undefined || this.readyWaiters.length > 0) {
      const refused = this.refusal('close'); // with a stack: not for nobody
      for (const waiter of [this.operation, ...this.readyWaiters]) waiter?.reject(refused);
    }
    this.operation = undefined;
    this.readyWaiters = [];
    this.guest.driver.call(call);
    await over;
  }
}
