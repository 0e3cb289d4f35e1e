/**
 * The part of a thread that runs domains: it learns that upcalls are due and delivers them.
 *
 * An upcall for a domain of this thread is deferred through the scheduler. For a domain of another
 * thread, its bit is set in that thread's bitmap and the thread's wake word is moved; the other
 * side sleeps on that word, with Atomics.waitAsync on an event loop or in `waitForUpcalls`.
 * A sleeper reads the word before it reads the bitmap, so no wake-up is lost.
 */
import { EVTCHN_PENDING_SEL, EVTCHN_UPCALL_PENDING } from '../../assembly/wire/shared-info.js';
import type { Scheduler } from './scheduler.js';
import {
  COUNTER_WORDS,
  DOMAIN_THREAD,
  HEADER_TOTALS,
  THREADS_MAX,
  THREAD_COUNTERS,
  THREAD_DUE,
  THREAD_USED,
  THREAD_WAKE,
  type MachineState,
} from './machine-state.js';

/** Counters, by their place in the thread record. */
export const SENDS = 0;
export const COALESCED = 1;
export const LOST = 2;
export const WAKES = 3;
export const UPCALLS = 4;
export const SPURIOUS = 5;

/** Long enough to cost nothing. */
const HOLD_MS = 2 ** 30;

export interface MachineCounters {
  /** evtchn_send calls that found an open port. */
  sends: number;
  /** Events whose port was already pending. */
  coalesced: number;
  /** Events sent on an unbound port. */
  lost: number;
  /** Times that another thread was woken. */
  wakes: number;
  /** Upcalls delivered to domains. */
  upcalls: number;
  /** Upcalls that found no selector bit set, and events that found no handler. */
  spurious: number;
}

interface Hosted {
  readonly domid: number;
  readonly onUpcall: () => void;
  due: boolean;
  readonly deliver: () => void;
}

export class ThreadHost {
  private readonly i32: Int32Array;
  private readonly record: number;
  private readonly hosted: (Hosted | undefined)[] = [];
  private hostedCount = 0;
  private readonly dueHere = new Set<Hosted>();
  private listening = false;
  private closed = false;
  /** Sleeping in waitAsync does not keep a worker alive; domains that run in it must. */
  private readonly opened: boolean;
  private hold: NodeJS.Timeout | undefined;

  /** `shared`: another thread may have opened the machine. */
  constructor(
    private readonly state: MachineState,
    private readonly scheduler: Scheduler,
    private shared: boolean,
  ) {
    this.opened = shared;
    this.i32 = state.i32;
    this.thread = state.locked(() => this.claimRecord());
    this.record = state.threadRecord(this.thread);
  }

  readonly thread: number;

  count(counter: number): void {
    this.i32[this.record + THREAD_COUNTERS + counter]!++;
  }

  /** Sums over all threads, those that have left included. */
  counters(): MachineCounters {
    const sums: number[] = [];
    for (let counter = 0; counter < COUNTER_WORDS; counter++) {
      let sum = this.i32[HEADER_TOTALS + counter]! >>> 0;
      for (let thread = 0; thread < THREADS_MAX; thread++) {
        const record = this.state.threadRecord(thread);
        if (this.i32[record + THREAD_USED] === 0) continue;
        sum += this.i32[record + THREAD_COUNTERS + counter]! >>> 0;
      }
      sums.push(sum);
    }
    return {
      sends: sums[SENDS]!,
      coalesced: sums[COALESCED]!,
      lost: sums[LOST]!,
      wakes: sums[WAKES]!,
      upcalls: sums[UPCALLS]!,
      spurious: sums[SPURIOUS]!,
    };
  }

  /** Hosts a domain here. Throws when another thread does. */
  start(domid: number, onUpcall: () => void): void {
    const at = this.state.domainRecord(domid) + DOMAIN_THREAD;
    const was = Atomics.compareExchange(this.i32, at, 0, this.thread + 1);
    if (was !== 0) {
      const where = was === this.thread + 1 ? 'on this thread' : `on thread ${was - 1}`;
      throw new Error(`start: domain ${domid} already runs ${where}; stop() it there first`);
    }
    const hosted: Hosted = { domid, onUpcall, due: false, deliver: () => this.deliver(hosted) };
    this.hosted[domid] = hosted;
    this.hostedCount++;
    if (this.opened) this.hold ??= setInterval(() => undefined, HOLD_MS);
    if (this.upcallPending(domid)) this.makeDue(hosted); // events from before the start
    this.listen();
  }

  stop(domid: number): void {
    if (this.hosted[domid] === undefined) return;
    this.hosted[domid] = undefined;
    this.hostedCount--;
    Atomics.store(this.i32, this.state.domainRecord(domid) + DOMAIN_THREAD, 0);
    if (this.hostedCount > 0) return;
    clearInterval(this.hold);
    this.hold = undefined;
    this.poke(this.record);
  }

  /** Gets the upcall of a domain going; its upcall byte has just become 1. */
  wake(domid: number): void {
    const thread = Atomics.load(this.i32, this.state.domainRecord(domid) + DOMAIN_THREAD) - 1;
    if (thread < 0) return; // start() will look
    if (thread === this.thread) {
      const hosted = this.hosted[domid];
      if (hosted !== undefined) this.makeDue(hosted);
      return;
    }
    const record = this.state.threadRecord(thread);
    const bit = 1 << (domid & 31);
    const was = Atomics.or(this.i32, record + THREAD_DUE + (domid >>> 5), bit);
    if ((was & bit) !== 0) return; // woken for it already
    this.count(WAKES);
    this.poke(record);
  }

  /** Other threads exist from now on: sleep in a way that they can end. */
  becomeShared(): void {
    this.shared = true;
    this.listen();
  }

  /** Blocks until an upcall is due or the time is up, then delivers what is due. */
  waitForUpcalls(timeoutMs: number): boolean {
    const seen = Atomics.load(this.i32, this.record + THREAD_WAKE);
    if (this.deliverDue()) return true;
    Atomics.wait(this.i32, this.record + THREAD_WAKE, seen, timeoutMs);
    return this.deliverDue();
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    for (const hosted of this.hosted) if (hosted !== undefined) this.stop(hosted.domid);
    this.poke(this.record);
    this.state.locked(() => {
      for (let counter = 0; counter < COUNTER_WORDS; counter++) {
        this.i32[HEADER_TOTALS + counter]! += this.i32[this.record + THREAD_COUNTERS + counter]!;
      }
      this.i32[this.record + THREAD_USED] = 0;
    });
  }

  private claimRecord(): number {
    for (let thread = 0; thread < THREADS_MAX; thread++) {
      const record = this.state.threadRecord(thread);
      if (this.i32[record + THREAD_USED] !== 0) continue;
      const dueWords = Math.ceil(this.state.geometry.maxDomains / 32);
      this.i32.fill(0, record + THREAD_COUNTERS, record + THREAD_DUE + dueWords);
      this.i32[record + THREAD_USED] = 1;
      return thread;
    }
    throw new Error(`openMachine: ${THREADS_MAX} threads have it open already; close() some`);
  }

  private upcallPending(domid: number): boolean {
    return Atomics.load(this.state.u8, this.state.sharedInfo(domid) + EVTCHN_UPCALL_PENDING) !== 0;
  }

  private makeDue(hosted: Hosted): void {
    if (hosted.due) return;
    hosted.due = true;
    this.dueHere.add(hosted);
    this.scheduler.defer(hosted.deliver);
  }

  private deliver(hosted: Hosted): void {
    if (!hosted.due) return; // waitForUpcalls was faster
    hosted.due = false;
    this.dueHere.delete(hosted);
    if (this.hosted[hosted.domid] !== hosted) return; // stopped meanwhile
    const sel = (this.state.sharedInfo(hosted.domid) + EVTCHN_PENDING_SEL) / 4;
    this.count(UPCALLS);
    if (this.i32[sel] === 0 && this.i32[sel + 1] === 0) this.count(SPURIOUS);
    hosted.onUpcall();
  }

  private deliverDue(): boolean {
    this.collect();
    const due = [...this.dueHere];
    for (const hosted of due) this.deliver(hosted);
    return due.length > 0;
  }

  /** Takes over what other threads have put into the bitmap. */
  private collect(): void {
    const words = Math.ceil(this.state.geometry.maxDomains / 32);
    for (let word = 0; word < words; word++) {
      let bits = Atomics.exchange(this.i32, this.record + THREAD_DUE + word, 0);
      while (bits !== 0) {
        const bit = 31 - Math.clz32(bits);
        bits &= ~(1 << bit);
        const hosted = this.hosted[word * 32 + bit];
        if (hosted !== undefined) this.makeDue(hosted);
      }
    }
  }

  private listen(): void {
    if (!this.shared || this.listening) return;
    while (this.hostedCount > 0 && !this.closed) {
      const seen = Atomics.load(this.i32, this.record + THREAD_WAKE);
      this.collect();
      const wait = Atomics.waitAsync(this.i32, this.record + THREAD_WAKE, seen);
      if (!wait.async) continue;
      this.listening = true;
      void wait.value.then(() => {
        this.listening = false;
        this.listen();
      });
      return;
    }
  }

  private poke(record: number): void {
    Atomics.add(this.i32, record + THREAD_WAKE, 1);
    Atomics.notify(this.i32, record + THREAD_WAKE);
  }
}
