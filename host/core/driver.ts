/**
 * The drive loop of one core: upcalls and time go in, events come out, in turns.
 *
 * Every entry into the core passes through `enter`, one at a time. A trap is our bug: the instance
 * is dead from then on and everybody who waits learns it once, with the trap as the cause.
 */
import {
  EVENT_A,
  EVENT_B,
  EVENT_C,
  EVENT_CLOSED,
  EVENT_DEVICE,
  EVENT_DONE,
  EVENT_HANDLE,
  EVENT_NONE,
  EVENT_READY,
  EVENT_STORE,
  TIMEOUT_NONE,
} from '../../assembly/wire/abi.js';
import type { Scheduler } from '../machine/scheduler.js';
import type { CoreExports } from './exports.js';

/** Who is told of the core's events; see EVENT_* in assembly/wire/abi.ts. */
export interface EventSink {
  device(state: number, fault: number, value: number): void;
  done(handle: number, command: number, result: number): void;
  ready(handle: number, mask: number): void;
  closed(handle: number, result: number): void;
  store(request: number, type: number, payload: Uint8Array): void;
  /** The core trapped: nothing will ever happen again. */
  died(cause: unknown): void;
}

export class Driver {
  private readonly words: Int32Array;
  private flushDue = false;
  private cancelTimer: (() => void) | undefined;
  private timerAt = Infinity;
  private dead: unknown;
  private stopped = false;

  /** `scratch` is the address of EVENT_SIZE bytes that only this driver uses. */
  constructor(
    private readonly core: CoreExports,
    private readonly memory: WebAssembly.Memory,
    private readonly scratch: number,
    private readonly scheduler: Scheduler,
    private readonly sink: EventSink,
  ) {
    this.words = new Int32Array(memory.buffer);
  }

  /** Runs one entry of the core. Throws, with the trap as cause, when the core is dead. */
  enter<T>(call: (core: CoreExports) => T): T {
    if (this.dead !== undefined) throw new Error('the core has trapped', { cause: this.dead });
    try {
      return call(this.core);
    } catch (trap) {
      this.dead = trap;
      this.stop();
      this.scheduler.defer(() => this.sink.died(trap));
      throw new Error('the core has trapped', { cause: trap });
    }
  }

  /** An entry that may start a deadline or leave events: time first, events soon after. */
  call<T>(call: (core: CoreExports) => T): T {
    const result = this.enter((core) => {
      core.handle_timeout(this.nowMs());
      return call(core);
    });
    this.kick();
    return result;
  }

  /** The domain's upcall. */
  readonly handleUpcall = (): void => {
    if (this.stopped) return;
    this.guarded((core) => {
      core.handle_timeout(this.nowMs());
      core.handle_upcall();
    });
    this.flush();
  };

  /** Hands over events soon, but not from inside the caller. */
  kick(): void {
    if (this.flushDue || this.stopped) return;
    this.flushDue = true;
    this.scheduler.defer(() => {
      this.flushDue = false;
      this.flush();
    });
  }

  stop(): void {
    this.stopped = true;
    this.cancelTimer?.();
    this.cancelTimer = undefined;
  }

  /** Goes on after stop(), with whatever has happened since. */
  start(): void {
    this.stopped = false;
    this.kick();
  }

  private nowMs(): number {
    return Math.floor(this.scheduler.now()) >>> 0;
  }

  /** An entry nobody waits for: a trap goes to the sink alone. */
  private guarded(call: (core: CoreExports) => void): void {
    try {
      this.enter(call);
    } catch {
      // the sink has been told
    }
  }

  private flush(): void {
    if (this.stopped) return;
    let kind = EVENT_NONE;
    do {
      kind = EVENT_NONE;
      this.guarded((core) => (kind = core.poll_event(this.scratch)));
      if (kind !== EVENT_NONE) this.emit(kind);
    } while (kind !== EVENT_NONE && !this.stopped);
    if (!this.stopped) this.armTimer();
  }

  private emit(kind: number): void {
    const at = this.scratch;
    const handle = this.word(at + EVENT_HANDLE);
    const a = this.word(at + EVENT_A);
    const b = this.word(at + EVENT_B);
    const c = this.word(at + EVENT_C);
    if (kind === EVENT_READY) this.sink.ready(handle, a);
    else if (kind === EVENT_DONE) this.sink.done(handle, a, b);
    else if (kind === EVENT_CLOSED) this.sink.closed(handle, b);
    else if (kind === EVENT_DEVICE) this.sink.device(a, b, c);
    else if (kind === EVENT_STORE) {
      this.sink.store(handle, c, new Uint8Array(this.memory.buffer, a >>> 0, b).slice());
    }
  }

  private word(address: number): number {
    return this.words[address >>> 2]!;
  }

  /** The timer that is running is left alone unless it would come too late. */
  private armTimer(): void {
    let delayMs = TIMEOUT_NONE;
    this.guarded((core) => (delayMs = core.poll_timeout() >>> 0));
    if (delayMs === TIMEOUT_NONE || this.stopped) return;
    const at = this.scheduler.now() + delayMs;
    if (this.cancelTimer !== undefined && this.timerAt <= at + 1) return;
    this.cancelTimer?.();
    this.timerAt = at;
    this.cancelTimer = this.scheduler.after(Math.max(1, delayMs), () => {
      this.cancelTimer = undefined;
      this.guarded((core) => core.handle_timeout(this.nowMs()));
      this.flush();
    });
  }
}
