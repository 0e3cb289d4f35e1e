/**
 * One core in one domain, driven as an embedder does, with everything it says written down and
 * everything it writes watched.
 *
 *   domain RAM   | scratch | lent buffers ... | arena ... | frames that nobody may touch |
 */
import * as abi from '../../assembly/wire/abi.js';
import { AF_INET, SOCK_STREAM } from '../../assembly/wire/inet.js';
import { PAGE_SIZE } from '../../assembly/wire/page.js';
import {
  ARM64_EVTCHN_MASK,
  ARM64_EVTCHN_PENDING,
  EVTCHN_2L_NR_CHANNELS,
} from '../../assembly/wire/shared-info.js';
import { XENSTORE_RING_SIZE, XS_REQ_PROD, XS_RSP_CONS } from '../../assembly/wire/xenstore.js';
import { Driver, type EventSink } from '../../host/core/driver.js';
import type { CoreExports, CoreHypercalls } from '../../host/core/exports.js';
import type { Domain, Machine } from '../../host/machine/index.js';
import type { Scheduler } from '../../host/machine/scheduler.js';
import { releaseCore, watchedCore, watchImports, type Watcher } from './core-wasm.js';
import { WriteGuard, type Range } from './write-guard.js';

export interface CoreSettings {
  flags?: number;
  sockets?: number;
  commandTimeoutMs?: number;
  closeTimeoutMs?: number;
  firstIndex?: number;
  /** Called before every load and store of the core. */
  watcher?: Watcher;
}

/** What poll_event said. */
export type CoreEvent =
  | { kind: 'device'; state: number; fault: number; value: number }
  | { kind: 'done'; handle: number; command: number; result: number }
  | { kind: 'ready'; handle: number; mask: number }
  | { kind: 'closed'; handle: number; result: number }
  | { kind: 'store'; request: number; type: number; payload: Uint8Array };

const EVENT_AT = 0;
const SPANS_AT = 64;
const ADDRESS_AT = 128;
const COUNTERS_AT = 256;
const INIT_AT = 512;
const LENT_FRAMES = 17; // one scratch, and 16 of buffers: 64 KiB
const GUARD_FRAMES = 2;
const UNTOUCHED = 0xa5; // what memory of the domain outside the arena is filled with
const GARBAGE = 0x5a; //   what an earlier life has left in the arena

export class GuestCore implements EventSink {
  readonly driver: Driver;
  readonly guard: WriteGuard | undefined;
  readonly arena: Range;
  /** Frames that init found for rings. */
  readonly frames: number;
  /** Everything the core has said and no test has taken. */
  events: CoreEvent[] = [];
  trap: unknown;
  private readonly open = new Set<number>();
  private readonly bytes: Buffer;
  private readonly base: number;

  constructor(
    machine: Machine,
    readonly domain: Domain,
    settings: CoreSettings,
    /** Memory that nobody writes; without it this core is not guarded. */
    quiet?: readonly Range[],
  ) {
    this.base = domain.firstFrame * PAGE_SIZE;
    this.bytes = Buffer.from(machine.memory.buffer as unknown as ArrayBuffer);
    const end = this.base + domain.frameCount * PAGE_SIZE;
    let first = domain.firstFrame + LENT_FRAMES;
    while (first % 4 !== 1) first += 1; // where no larger page of a guest could begin
    this.arena = { start: first * PAGE_SIZE, end: end - GUARD_FRAMES * PAGE_SIZE };
    this.bytes.fill(UNTOUCHED, this.base, end);
    this.bytes.fill(GARBAGE, this.arena.start, this.arena.end);
    this.guard = quiet && new WriteGuard(machine.memory, this.mayWrite(), quiet);
    this.driver = new Driver(
      this.instantiate(machine, settings),
      machine.memory,
      this.base,
      this.watched(machine.scheduler),
      this,
    );
    this.writeInit(settings);
    const initialise = () => this.driver.enter((core) => core.init(this.base + INIT_AT));
    this.frames = this.around('init', initialise);
    if (this.frames <= 0) throw new Error(`init: ${this.frames}`);
    domain.start(() => this.around('an upcall', this.driver.handleUpcall));
  }

  /** The arena, what the store page and shared_info give to the guest, and the event struct. */
  private mayWrite(): Range[] {
    const { sharedInfo, storePage } = this.domain;
    const range = (start: number, size: number) => ({ start, end: start + size });
    return [
      this.arena,
      range(this.base + EVENT_AT, abi.EVENT_SIZE),
      range(sharedInfo, ARM64_EVTCHN_PENDING), // upcall byte and pending_sel
      range(sharedInfo + ARM64_EVTCHN_PENDING, EVTCHN_2L_NR_CHANNELS / 8),
      range(sharedInfo + ARM64_EVTCHN_MASK, EVTCHN_2L_NR_CHANNELS / 8),
      range(storePage, XENSTORE_RING_SIZE),
      range(storePage + XS_REQ_PROD, 4),
      range(storePage + XS_RSP_CONS, 4),
    ];
  }

  private instantiate(machine: Machine, { watcher }: CoreSettings): CoreExports {
    const { guard } = this;
    const hypercalls = Object.fromEntries(
      Object.entries(this.domain.hypercalls as unknown as CoreHypercalls).map(([name, call]) => {
        const hypercall = call as (...numbers: number[]) => number;
        const guarded = (...numbers: number[]): number =>
          guard === undefined
            ? hypercall(...numbers)
            : guard.amid(name, () => hypercall(...numbers));
        return [name, guarded];
      }),
    );
    const env = { memory: machine.memory, ...watchImports(watcher ?? (() => undefined)) };
    const module = watcher === undefined ? releaseCore() : watchedCore();
    return new WebAssembly.Instance(module, { env, hypercalls }).exports as unknown as CoreExports;
  }

  /** Runs the core, watched. */
  private around<T>(what: string, run: () => T): T {
    return this.guard === undefined ? run() : this.guard.around(what, run);
  }

  /** The driver's tasks enter the core, too. */
  private watched(scheduler: Scheduler): Scheduler {
    return {
      now: () => scheduler.now(),
      defer: (task) => scheduler.defer(() => this.around('a deferred task', task)),
      after: (ms, task) => scheduler.after(ms, () => this.around('a timer', task)),
    };
  }

  private writeInit(settings: CoreSettings): void {
    const fields: Record<number, number> = {
      [abi.INIT_ARENA]: this.arena.start,
      [abi.INIT_FRAMES]: (this.arena.end - this.arena.start) / PAGE_SIZE,
      [abi.INIT_SOCKETS]: settings.sockets ?? 16,
      [abi.INIT_SHARED_INFO]: this.domain.sharedInfo,
      [abi.INIT_ARCHITECTURE]: abi.ARCHITECTURE_ARM64,
      [abi.INIT_STORE_PAGE]: this.domain.storePage,
      [abi.INIT_STORE_PORT]: this.domain.storePort,
      [abi.INIT_FLAGS]: settings.flags ?? 0,
      [abi.INIT_RING_ORDER]: abi.RING_ORDER_DEFAULT,
      [abi.INIT_COMMAND_TIMEOUT_MS]: settings.commandTimeoutMs ?? 0,
      [abi.INIT_CLOSE_TIMEOUT_MS]: settings.closeTimeoutMs ?? 1000,
      [abi.INIT_FIRST_INDEX]: settings.firstIndex ?? 0,
    };
    for (const [offset, value] of Object.entries(fields)) {
      this.bytes.writeUInt32LE(value, this.base + INIT_AT + Number(offset));
    }
  }

  // The driver's sink.

  device(state: number, fault: number, value: number): void {
    this.events.push({ kind: 'device', state, fault, value: value >>> 0 });
  }

  done(handle: number, command: number, result: number): void {
    this.events.push({ kind: 'done', handle, command, result });
  }

  ready(handle: number, mask: number): void {
    this.events.push({ kind: 'ready', handle, mask });
  }

  closed(handle: number, result: number): void {
    this.open.delete(handle);
    this.events.push({ kind: 'closed', handle, result });
  }

  store(request: number, type: number, payload: Uint8Array): void {
    this.events.push({ kind: 'store', request, type, payload });
  }

  died(cause: unknown): void {
    this.trap = cause;
  }

  /** What the core has said since the last look, of one kind or all. */
  take(): CoreEvent[];
  take<Kind extends CoreEvent['kind']>(kind: Kind): Extract<CoreEvent, { kind: Kind }>[];
  take(kind?: CoreEvent['kind']): CoreEvent[] {
    const taken = this.events.filter((event) => kind === undefined || event.kind === kind);
    this.events = [];
    return taken;
  }

  /** One entry, as a program would make it. */
  call(entry: (core: CoreExports) => number | void): number {
    return this.around('a call', () => this.driver.call(entry)) ?? 0;
  }

  socket(): number {
    const handle = this.call((core) => core.socket(AF_INET, SOCK_STREAM, 0));
    if (handle > 0) this.open.add(handle);
    return handle;
  }

  /** A handle, or the negative errno. */
  accept(handle: number): number {
    const result = this.call((core) => core.accept(handle));
    if (result > 0) this.open.add(result);
    return result;
  }

  /** Handles that are not closed. */
  handles(): number[] {
    return [...this.open];
  }

  /** connect() with a ring of this order. */
  connect(handle: number, order = 1): number {
    const refused = this.call((core) => core.set_ring_order(handle, order));
    if (refused < 0) return refused;
    const at = this.sockaddr(80);
    return this.call((core) => core.connect(handle, at, 16));
  }

  bind(handle: number): number {
    const at = this.sockaddr(8080);
    return this.call((core) => core.bind(handle, at, 16));
  }

  /** Bytes out, by way of a buffer that is lent; from the middle of the domain's RAM. */
  send(handle: number, bytes: Uint8Array): number {
    this.bytes.set(bytes, this.lentAt);
    return this.call((core) => core.send(handle, this.lentAt, bytes.length));
  }

  /** Bytes in, or the negative errno. The buffer that is lent is as large as asked for. */
  recv(handle: number, size = 65536, flags = 0): Buffer | number {
    this.guard?.lend({ start: this.lentAt, end: this.lentAt + size });
    const result = this.call((core) => core.recv(handle, this.lentAt, size, flags));
    this.guard?.lend();
    if (result <= 0) return result;
    return Buffer.from(this.bytes.subarray(this.lentAt, this.lentAt + result));
  }

  /** A request of the embedder's own to xenstored; its answer is an event. */
  storeRequest(type: number, payload: string): number {
    const at = this.call((core) => core.store_buffer()) >>> 0;
    this.bytes.write(payload, at, 'latin1');
    return this.call((core) => core.store_request(type, 0, payload.length));
  }

  /** COUNTER_* of assembly/wire/abi.ts. */
  counter(offset: number): number {
    const at = this.base + COUNTERS_AT;
    this.guard?.lend({ start: at, end: at + abi.COUNTERS_SIZE });
    this.around('counters', () => this.driver.enter((core) => core.counters(at)));
    this.guard?.lend();
    return this.bytes.readUInt32LE(at + offset);
  }

  /** Spans of the window that receives; their sum comes first. */
  receiveWindow(handle: number): number[] {
    const at = this.base + SPANS_AT;
    this.guard?.lend({ start: at, end: at + 2 * abi.SPAN_SIZE });
    const sum = this.call((core) => core.recv_window(handle, at));
    this.guard?.lend();
    return [sum, ...[0, 4, 8, 12].map((offset) => this.bytes.readUInt32LE(at + offset))];
  }

  /** Where poll_event may write. */
  get eventAt(): number {
    return this.base + EVENT_AT;
  }

  private get lentAt(): number {
    return this.base + PAGE_SIZE;
  }

  private sockaddr(port: number): number {
    const at = this.base + ADDRESS_AT;
    this.bytes.fill(0, at, at + 28);
    this.bytes.writeUInt16LE(AF_INET, at);
    this.bytes.writeUInt16BE(port, at + 2);
    this.bytes.set([127, 0, 0, 1], at + 4);
    return at;
  }
}
