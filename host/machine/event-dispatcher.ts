/**
 * Event handling for domains run by TypeScript: what a kernel's upcall does, over shared_info.
 * Spec: event channels, 2-level ABI: clear the upcall byte, exchange pending_sel, and for each
 * pending and unmasked port clear the bit, then call the handler. The byte goes first, or an event
 * that arrives during the scan would be lost. Handlers may be called for nothing.
 */
import {
  EVTCHN_2L_NR_CHANNELS,
  EVTCHN_PENDING_SEL,
  EVTCHN_UPCALL_PENDING,
} from '../../assembly/wire/shared-info.js';
import type { MachineState } from './machine-state.js';
import { SPURIOUS, type ThreadHost } from './thread-host.js';

export class EventDispatcher {
  private readonly handlers = new Map<number, () => void>();
  private readonly selWords: number;
  private readonly pendingWords: number;
  private readonly maskWords: number;
  private readonly upcallByte: number;
  private started = false;
  private failures: unknown[] = [];

  /** `start` makes the domain run on this thread with `scan` as its upcall. */
  constructor(
    private readonly state: MachineState,
    private readonly threads: ThreadHost,
    domid: number,
    private readonly start: (scan: () => void) => void,
  ) {
    const info = state.sharedInfo(domid);
    this.upcallByte = info + EVTCHN_UPCALL_PENDING;
    this.selWords = (info + EVTCHN_PENDING_SEL) / 4;
    this.pendingWords = (info + state.pendingOffset) / 4;
    this.maskWords = (info + state.maskOffset) / 4;
  }

  /** Sets the handler of a port; the first one starts the domain on this thread. */
  on(port: number, handler: () => void): void {
    if (!(port > 0 && port < EVTCHN_2L_NR_CHANNELS)) {
      throw new RangeError(`events.on: ${port} is not a port; pass what evtchn_* returned`);
    }
    this.handlers.set(port, handler);
    if (this.started) return;
    this.start(() => this.scan());
    this.started = true;
  }

  off(port: number): void {
    this.handlers.delete(port);
  }

  /** The domain was stopped: forgets all handlers. */
  reset(): void {
    this.handlers.clear();
    this.started = false;
  }

  private scan(): void {
    const { i32, u8 } = this.state;
    Atomics.store(u8, this.upcallByte, 0);
    for (let half = 0; half < 2; half++) {
      let sel = Atomics.exchange(i32, this.selWords + half, 0);
      while (sel !== 0) {
        const bit = 31 - Math.clz32(sel & -sel);
        sel &= sel - 1;
        this.scanWord((half * 32 + bit) * 2);
        this.scanWord((half * 32 + bit) * 2 + 1);
      }
    }
    const [failure] = this.failures.splice(0);
    if (failure !== undefined) throw failure;
  }

  /** 32 ports. A handler that throws does not keep the others from their events. */
  private scanWord(word: number): void {
    const { i32 } = this.state;
    const masked = Atomics.load(i32, this.maskWords + word);
    let bits = Atomics.load(i32, this.pendingWords + word) & ~masked;
    while (bits !== 0) {
      const bit = 31 - Math.clz32(bits & -bits);
      bits &= bits - 1;
      Atomics.and(i32, this.pendingWords + word, ~(1 << bit));
      try {
        this.dispatch(word * 32 + bit);
      } catch (error) {
        this.failures.push(error);
      }
    }
  }

  private dispatch(port: number): void {
    const handler = this.handlers.get(port);
    if (handler === undefined) this.threads.count(SPURIOUS);
    else handler();
  }
}
