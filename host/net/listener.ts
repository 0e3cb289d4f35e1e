/**
 * Listens at an address of the backend, whichever backend that is: when it goes, and when the guest
 * is resumed, the listener waits for the next one and binds there again. Who waits in accept() goes
 * on waiting; connections that were not accepted yet are gone.
 *
 *   listening --- backend gone ---> lost --- device connected, bound ---> listening
 *       |                            |  refused REFUSALS_MAX times, or no backend will come
 *       +--- close(), abort() --> closed <--+
 */
import { callError, type CallError } from '../core/errors.js';
import { EBADF, EIO } from '../../assembly/wire/errno.js';
import type { Address } from './address.js';
import type { Guest } from './guest.js';
import type { ListenOptions } from './options.js';
import { PassiveSocket } from './passive-socket.js';
import type { GuestSocket } from './socket.js';

/** A new backend may find the address still in use, and we our sockets not closed yet. */
const REFUSALS_MAX = 8;
const PAUSE_MS = 25; // doubled after each refusal: 6 seconds in all
const BACKLOG = 128;

export class GuestListener implements AsyncDisposable {
  readonly local: Address;
  /** Called at every readiness event of the core, for users that do not wait with promises. */
  onReady: ((mask: number) => void) | undefined;
  /** Called once, when the listener is closed; `error` says why, when nobody asked for it. */
  onGone: ((error: Error | undefined) => void) | undefined;
  /** Called when the backend has gone: nothing is accepted until onListening. */
  onLost: ((error: Error) => void) | undefined;
  /** Called when the listener is bound again. */
  onListening: (() => void) | undefined;
  private passive: PassiveSocket | undefined;
  private turn: Promise<unknown> = Promise.resolve();
  private readonly ended = new AbortController();
  private waiters: (() => void)[] = [];
  private over: Promise<void> | undefined;
  private failure: Error | undefined;

  /** Use guest.listen(). */
  constructor(
    readonly guest: Guest,
    private readonly options: ListenOptions,
  ) {
    const { host, port } = options;
    this.local = { host, port };
  }

  /** Whether close() or abort() was called, or the listener could not be bound again. */
  get closed(): boolean {
    return this.ended.signal.aborted;
  }

  /** Whether a backend listens for it now. */
  get listening(): boolean {
    return this.passive !== undefined && !this.passive.lost && !this.closed;
  }

  /** @internal The core's handle; 0 while there is none. */
  get handle(): number {
    return this.passive?.handle ?? 0;
  }

  /** @internal bind and listen; rejects with the backend's own error. */
  async start(signal?: AbortSignal): Promise<void> {
    const { ringOrder, backlog = BACKLOG } = this.options;
    const { guest, local } = this;
    const passive = new PassiveSocket(guest, guest.open('listen'), local);
    await guest.orClosed(passive, signal, async () => {
      guest.setRingOrder('listen', passive, ringOrder);
      await passive.start(backlog, signal);
    });
    if (this.closed) return void passive.close();
    if (passive.lost) {
      void passive.abort();
      throw callError('listen', -EIO, local);
    }
    this.passive = passive;
    passive.onReady = (mask) => this.onReady?.(mask);
    passive.onLost = (error) => void this.renew(error);
    passive.onGone = (error) => this.handleGone(passive, error);
    guest.keep(this);
  }

  /** The next connection, in the order of asking. Rejects when the listener is closed. */
  accept(signal?: AbortSignal): Promise<GuestSocket> {
    const before = this.turn;
    const mine = this.acceptAfter(before, signal);
    this.turn = Promise.allSettled([before, mine]); // who gives up lets nobody past
    return mine;
  }

  /** Connections until the listener is closed. */
  async *[Symbol.asyncIterator](): AsyncGenerator<GuestSocket, void, undefined> {
    while (!this.closed) {
      try {
        yield await this.accept();
      } catch (error) {
        if (this.closed && this.failure === undefined) return;
        throw error;
      }
    }
  }

  /** Closes. Resolves when the backend has let go. */
  close(): Promise<void> {
    return (this.over ??= this.end((passive) => passive.close()));
  }

  /** Closes at once. */
  abort(): Promise<void> {
    return (this.over ??= this.end((passive) => passive.abort()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  private async acceptAfter(before: Promise<unknown>, signal?: AbortSignal): Promise<GuestSocket> {
    await (signal === undefined ? before : orAborted(before, signal));
    return this.acceptNext(signal);
  }

  private async acceptNext(signal?: AbortSignal): Promise<GuestSocket> {
    for (;;) {
      if (this.closed) throw this.failure ?? this.refusal();
      const passive = this.listening ? this.passive : undefined;
      if (passive === undefined) await this.change(signal);
      else {
        const socket = await passive.accept(signal);
        if (socket !== undefined) return socket;
      }
    }
  }

  /** The backend has gone: waits for another, and binds there. */
  private async renew(reason: Error): Promise<void> {
    const { signal } = this.ended;
    const { guest } = this;
    this.onLost?.(reason);
    void this.passive?.abort(); // nothing is asked of anybody: the handle is given back
    for (let refusals = 0; !this.closed;) {
      let life = 0;
      try {
        await guest.connected(signal);
        life = guest.lives;
        await this.start(signal);
        if (this.closed) return;
        this.wake();
        this.onListening?.();
        return;
      } catch (error) {
        if (this.closed) return;
        // Not by the errno: a backend that is there can refuse with EIO, too.
        const refused = guest.state === 'connected' && guest.lives === life;
        if (guest.failure !== undefined || (refused && ++refusals === REFUSALS_MAX)) {
          return this.fail(error as Error);
        }
        const pauseMs = PAUSE_MS * 2 ** refusals;
        await new Promise<void>((resolve) => void guest.machine.scheduler.after(pauseMs, resolve));
      }
    }
  }

  private handleGone(passive: PassiveSocket, error: Error | undefined): void {
    if (passive === this.passive && !passive.lost && error !== undefined) this.fail(error);
  }

  private fail(error: Error): void {
    if (this.closed) return;
    this.failure = error;
    void this.abort();
  }

  private async end(call: (passive: PassiveSocket) => Promise<void>): Promise<void> {
    this.ended.abort(this.failure ?? this.refusal());
    this.guest.letGo(this);
    this.wake();
    if (this.passive !== undefined) await call(this.passive).catch(() => undefined);
    this.onGone?.(this.failure);
  }

  /** Resolves when the listener is bound again or closed. */
  private change(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.waiters = this.waiters.filter((other) => other !== wake);
        reject(signal?.reason as Error);
      };
      const wake = (): void => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      this.waiters.push(wake);
    });
  }

  private wake(): void {
    const { waiters } = this;
    this.waiters = [];
    for (const wake of waiters) wake();
  }

  private refusal(): CallError {
    return callError('accept', -EBADF, this.local, 'the listener is closed; open a new one');
  }
}

/** Settles as the promise does, or rejects with the signal's reason. */
async function orAborted(promise: Promise<unknown>, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  let onAbort = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason as Error);
    signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
