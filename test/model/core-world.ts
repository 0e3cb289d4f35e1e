/**
 * The whole core between an embedder and a backend: one socket connects, sends more than its ring
 * holds, receives all of it back and then the end of the stream, and is closed. The embedder calls
 * as a kernel does: an event goes in by its port, events come out until there is none, and a call
 * that had EAGAIN is made again when it is said to be ready.
 *
 * Frames are granted by their number, and there is one kind of backend: core-peer.ts.
 */
import {
  COUNTER_EVENTS,
  COUNTER_LOST,
  EVENT_A,
  EVENT_B,
  EVENT_CLOSED,
  EVENT_DEVICE,
  EVENT_DONE,
  EVENT_NONE,
  EVENT_READY,
  INIT_ARENA,
  INIT_FRAMES,
  INIT_RING_ORDER,
  INIT_SOCKETS,
  POLLIN,
  POLLOUT,
} from '../../assembly/wire/abi.js';
import { EAGAIN, EINPROGRESS } from '../../assembly/wire/errno.js';
import type { CoreExports, CoreHypercalls } from '../../host/core/exports.js';
import { makeBackend } from './core-peer.js';
import { Violation, type Range, type Step, type World } from './explorer.js';
import { numbersAt } from './numbers.js';
import { PeerCpu } from './peer-cpu.js';

export const RING = 4096;
/** One ring and a little: the last send may have to wait. */
export const TOTAL = RING + 100;

/** Counters that the core keeps as they stand in struct counters. */
const COUNTERS_SIZE = COUNTER_LOST;
const NO_PORT = 4000;

const FRAMES = 12;
const CONFIG = 0x1000;
const EVENT = 0x1100;
const ADDRESS = 0x1200;
const OURS_AT = 0x1400;
const CPU_AT = 0x1600;
const CPU_CAPACITY = 12;
const SOURCE = 0x2000;
const TARGET = 0x4000;
const ARENA = 0x10000;
const PAGES = 2;
/** What this scenario touches of the command ring: header and a few slots. */
const COMMANDS_SIZE = 64 + 8 * 64;
const INDEXES_SIZE = 140;

/** The stream. */
export const STREAM = Buffer.from(
  Uint8Array.from({ length: TOTAL }, (_, n) => n * 31 + (n >>> 8) * 7 + 1),
);

/** What the embedder does next. */
const CONNECTING = 0;
const SENDING = 1;
const RECEIVING = 2;
const CLOSING = 3;
const OVER = 4;

const NUMBERS = [
  'phase',
  'polling', //     events are to be taken until there is none
  'waiting', //     for which POLL* bits, or 1 for the end of a command
  'handle',
  'sent',
  'got',
  'corePending', // bit per port
  'peerPending', // bit per port
  'ports', //       given out so far
  'closed', //      bit per port
  'granted', //     grants that have not ended
  'mapped', //      the backend maps the data ring
  'pc', //          from here on the backend's: core-peer.ts
  'reqCons',
  'rspPvt',
  'reqId',
  'cmd',
  'id',
  'ref',
  'port',
  'moved',
  'outCons',
  'inProd',
  'io',
  'write',
  'ended',
] as const;

export type CoreNumbers = Record<(typeof NUMBERS)[number], number>;

export interface CoreOptions {
  /** Whether the backend has a full barrier after each store: see peer-cpu.ts. */
  readonly ordered: boolean;
  /** Most bytes of one send. */
  readonly sendMax: number;
}

export class CoreWorld implements World {
  readonly memory = new WebAssembly.Memory({ initial: PAGES, maximum: 65536, shared: true });
  readonly own: CoreNumbers;
  readonly cpu: PeerCpu;
  readonly peer: () => readonly Step[];
  regions: readonly Range[] = [];
  privateRegions: readonly Range[] = [];
  followingRegions: readonly Range[] = [];
  /** Pages that this scenario shares: command ring, indexes page; and where the bytes are. */
  commands = 0;
  indexes = 0;
  private core!: CoreExports;
  /** Ends of the scenario that were reached. */
  ends = 0;
  private readonly words: Int32Array;
  readonly bytes: Buffer;

  /** `point` is where the peer may act before a hypercall. */
  constructor(
    private readonly options: CoreOptions,
    private readonly point: () => void,
  ) {
    this.words = new Int32Array(this.memory.buffer);
    this.bytes = Buffer.from(this.memory.buffer);
    this.own = numbersAt(this.memory, OURS_AT, NUMBERS);
    const fire = (port: number) => (this.own.corePending |= 1 << port);
    this.cpu = new PeerCpu(this.memory, CPU_AT, options.ordered, CPU_CAPACITY, fire);
    this.peer = makeBackend(this);
  }

  readonly hypercalls: CoreHypercalls = {
    evtchn_alloc_unbound: () => (this.own.ports += 1),
    evtchn_send: (port) => {
      this.point();
      this.own.peerPending |= 1 << port;
      return 0;
    },
    evtchn_mask: () => {
      throw new Violation('an honest backend is taken for a storm');
    },
    evtchn_unmask: () => 0,
    evtchn_close: (port) => {
      this.own.closed |= 1 << port;
      this.own.corePending &= ~(1 << port);
      return 0;
    },
    gnttab_grant_access: (_remote, frame) => {
      this.own.granted += 1;
      return frame;
    },
    gnttab_end_access: (ref) => {
      this.point();
      if (this.own.mapped !== 0 && ref << 12 !== this.commands) {
        throw new Violation('a grant is ended while the backend maps it');
      }
      this.own.granted -= 1;
      return 0;
    },
  };

  /** Starts the device; none of it is explored. */
  begin(core: CoreExports): void {
    this.core = core;
    const config = (field: number, value: number) => (this.words[(CONFIG + field) >>> 2] = value);
    config(INIT_ARENA, ARENA);
    config(INIT_FRAMES, FRAMES);
    config(INIT_SOCKETS, 1);
    config(INIT_RING_ORDER, 1);
    const frames = core.init(CONFIG);
    if (frames <= 0) throw new Error(`init: ${frames}`);
    this.commands = core.attach_offer(3) << 12;
    core.attach_connected(1, 0);
    while (core.poll_event(EVENT) !== EVENT_NONE);
    const tablesEnd = ARENA + ((FRAMES - frames) << 12);
    this.indexes = this.commands + 4096; // frames are taken from the lowest on
    this.bytes.set(STREAM, SOURCE);
    this.regions = [
      [OURS_AT, CPU_AT + PeerCpu.size(CPU_CAPACITY)],
      [this.commands, this.commands + COMMANDS_SIZE],
      [this.indexes, this.indexes + INDEXES_SIZE],
    ];
    const counters = this.findCounters();
    this.privateRegions = [
      [ARENA, counters],
      [counters + COUNTERS_SIZE, tablesEnd],
    ];
    this.followingRegions = [
      [counters, counters + COUNTERS_SIZE],
      [this.indexes + 4096, this.indexes + 4096 + 2 * RING],
    ];
  }

  /** Where the core counts, by what an event of no port's changes: states may differ there. */
  private findCounters(): number {
    const before = this.words.slice();
    this.core.handle_event(NO_PORT);
    const changed = this.words.findIndex((word, index) => word !== before[index]);
    return changed * 4 - COUNTER_EVENTS;
  }

  /** Whether these bytes of memory are those of the stream from `at` on. */
  isStream(address: number, at: number, size: number): boolean {
    return STREAM.compare(this.bytes, address, address + size, at, at + size) === 0;
  }

  /** Every access lies in the two pages and the ring. */
  access(_kind: number, address: number, size: number): boolean {
    const inside = ([from, to]: Range): boolean => address >= from && address + size <= to;
    if (!this.regions.some(inside) && !this.followingRegions.some(inside)) {
      throw new Violation('touches what is not shared');
    }
    return true;
  }

  calls(): readonly Step[] {
    const { own } = this;
    if (own.polling) return [this.steps.poll];
    const calls: Step[] = this.ports.filter((_, port) => own.corePending & (1 << port));
    if (own.waiting === 0 && own.phase !== OVER) calls.push(this.steps[own.phase as 0]!);
    return calls;
  }

  check(): void {
    const { own } = this;
    if (own.polling || own.corePending || this.peer().length > 0) return;
    if (own.waiting !== 0) throw new Violation('both sleep, and the work is not done');
    if (own.phase !== OVER) return;
    if (own.granted !== 1) throw new Violation('grants are left over');
    this.ends += 1;
  }

  private readonly ports: readonly Step[] = [0, 1, 2].map((port) => ({
    name: `event of port ${port}`,
    run: () => {
      this.own.corePending &= ~(1 << port);
      this.core.handle_event(port);
      this.own.polling = 1;
    },
  }));

  private readonly steps = {
    poll: { name: 'takes an event', run: () => this.pollEvent() },
    [CONNECTING]: { name: 'connects', run: () => this.then(() => this.connect()) },
    [SENDING]: { name: 'sends', run: () => this.then(() => this.send()) },
    [RECEIVING]: { name: 'receives', run: () => this.then(() => this.receive()) },
    [CLOSING]: { name: 'closes', run: () => this.then(() => this.close()) },
  };

  private then(call: () => void): void {
    call();
    this.own.polling = 1;
  }

  private connect(): void {
    const { own, core } = this;
    own.handle = core.socket(2, 1, 0);
    this.words.fill(0, ADDRESS >>> 2, (ADDRESS + 28) >>> 2);
    this.words[ADDRESS >>> 2] = 0x39300002; // AF_INET, port 12345
    if (core.connect(own.handle, ADDRESS, 16) !== -EINPROGRESS) throw new Violation('no connect');
    own.waiting = 1;
  }

  private send(): void {
    const { own } = this;
    const size = Math.min(this.options.sendMax, TOTAL - own.sent);
    const sent = this.core.send(own.handle, SOURCE + own.sent, size);
    if (sent === -EAGAIN) own.waiting = POLLOUT;
    else if (sent <= 0) throw new Violation(`send: ${sent}`);
    else own.sent += sent;
    if (own.sent === TOTAL) own.phase = RECEIVING;
  }

  private receive(): void {
    const { own } = this;
    const count = this.core.recv(own.handle, TARGET, RING, 0);
    if (count === -EAGAIN) own.waiting = POLLIN;
    else if (count < 0) throw new Violation(`recv: ${count}`);
    else if (!this.isStream(TARGET, own.got, count)) {
      throw new Violation('a byte is lost, invented or too early');
    } else own.got += count;
    if (count !== 0) return;
    if (own.got !== TOTAL) throw new Violation('the stream ends before its last byte');
    own.phase = CLOSING;
  }

  private close(): void {
    if (this.core.close(this.own.handle) !== 0) throw new Violation('no close');
    this.own.waiting = 1;
  }

  private pollEvent(): void {
    const { own } = this;
    const kind = this.core.poll_event(EVENT);
    const [a, b] = [this.words[(EVENT + EVENT_A) >>> 2]!, this.words[(EVENT + EVENT_B) >>> 2]!];
    if (kind === EVENT_NONE) own.polling = 0;
    else if (kind === EVENT_DEVICE) throw new Violation(`the device fails with fault ${b}`);
    else if (kind === EVENT_READY) {
      if (own.waiting & a) own.waiting = 0;
    } else if (kind === EVENT_DONE) {
      if (own.phase !== CONNECTING || b !== 0) throw new Violation(`command ${a}: ${b}`);
      own.phase = SENDING;
      own.waiting = 0;
    } else if (kind === EVENT_CLOSED) {
      if (own.phase !== CLOSING || own.granted !== 1) throw new Violation('closed too early');
      own.phase = OVER;
      own.waiting = 0;
    }
  }
}
