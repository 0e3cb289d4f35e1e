/**
 * One direction of a data ring between its two ends: the core's code as it is, with a ring of a few
 * bytes and narrow indices, and a backend. The stream never ends: byte number n of it has the value
 * n modulo 8, with a mark, so that one which is lost, doubled or old shows.
 *
 * The driver does what the core's send() and recv() do: look, move some bytes if there are any,
 * notify by the rule; else sleep until the event channel fires.
 */
import { IN_CONS, IN_PROD, OUT_CONS, OUT_PROD } from '../../assembly/wire/data-ring.js';
import { Violation, type Step, type World } from './explorer.js';
import { numbersAt } from './numbers.js';
import { PeerCpu } from './peer-cpu.js';

/** The byte with this number. */
export const byteOf = (number: number): number => 0x50 | (number & 7);

const STATE_AT = 1024;
const STATE_END = 1076;
const BUFFER_AT = 2048;
const BUFFER_END = BUFFER_AT + 8;
const PAGE = 4096;
const OURS_AT = 8192;
const CPU_AT = OURS_AT + 128;
const CPU_CAPACITY = 8;
const OURS_END = CPU_AT + PeerCpu.size(CPU_CAPACITY);
const DATA_AT = 65536;

export const SHARED = {
  inCons: PAGE + IN_CONS,
  inProd: PAGE + IN_PROD,
  outCons: PAGE + OUT_CONS,
  outProd: PAGE + OUT_PROD,
} as const;

export interface DataExports {
  data_init(size: number): void;
  data_readable(): number;
  data_writable(): number;
  data_read(to: number, size: number): number;
  data_write(from: number, size: number): void;
}

/** Phases of the driver. */
const SLEEPING = 0;
const AWAKE = 1;
const MOVING = 2; // has seen `count` bytes, or room for them
const TOLD = 3; //  is to notify

const NUMBERS = [
  'phase',
  'corePending', // an event waits for the core
  'peerPending', // and one for the peer
  'count',
  'done', //        number of the next byte of the core, to send or to get
  'peerDone', //    and of the peer
  'pc', //          from here on the peer's: where it is
  'index', //       its own index
  'queued', //      bytes that its kernel has for us
  'moved', //       bytes it is about to move
  'io', //          counters of Linux's worker
  'read',
  'write',
  'masked', //      the event channel is, until the worker has done with it
] as const;

export type DataNumbers = Record<(typeof NUMBERS)[number], number>;
export type DataPeer = (world: DataWorld) => () => readonly Step[];
export type Direction = 'in' | 'out';

export interface DataOptions {
  readonly direction: Direction;
  /** Bytes of the ring. */
  readonly size: number;
  /** Width of an index. The consumer's rule needs more than two rings of bytes to be told apart. */
  readonly indexBits: number;
  readonly peer: DataPeer;
  /** Arrivals of bytes that a producer has not looked at; 1: and only when it has none left. */
  readonly arrivals: number;
  /** Whether the peer has a full barrier after each store: see peer-cpu.ts. */
  readonly ordered: boolean;
}

export class DataWorld implements World {
  readonly regions;
  readonly privateRegions = [[STATE_AT, STATE_END]] as const;
  readonly own: DataNumbers;
  readonly cpu: PeerCpu;
  readonly peer: () => readonly Step[];
  readonly size: number;
  readonly arrivals: number;
  /** Where the bytes of this direction are. */
  readonly base: number;
  private readonly mask: number;
  private readonly bytes: Uint8Array;
  private readonly wake: readonly Step[];
  private readonly look: readonly Step[];
  private readonly send: readonly Step[];
  private readonly move: readonly Step[];
  /** Whether the core consumes. */
  readonly incoming: boolean;

  constructor(
    readonly memory: WebAssembly.Memory,
    private readonly core: () => DataExports,
    { direction, size, indexBits, peer, arrivals, ordered }: DataOptions,
  ) {
    this.mask = (1 << indexBits) - 1;
    this.size = size;
    this.arrivals = arrivals;
    this.incoming = direction === 'in';
    this.base = DATA_AT + (this.incoming ? 0 : size);
    this.regions = [
      [BUFFER_AT, BUFFER_END],
      [PAGE, PAGE + 76],
      [OURS_AT, OURS_END],
      [DATA_AT, DATA_AT + 2 * size],
    ] as const;
    this.bytes = new Uint8Array(memory.buffer);
    this.own = numbersAt(memory, OURS_AT, NUMBERS);
    const { own } = this;
    own.phase = AWAKE;
    this.cpu = new PeerCpu(memory, CPU_AT, ordered, CPU_CAPACITY, () => (own.corePending = 1));
    this.wake = [{ name: 'gets the event', run: () => this.event() }];
    this.look = [{ name: 'looks', run: () => this.lookAtRing() }];
    this.send = [{ name: 'notifies', run: () => this.notify() }];
    this.move = Array.from({ length: size }, (_, i) => ({
      name: `${this.incoming ? 'takes' : 'sends'} ${i + 1}`,
      run: () => this.moveBytes(i + 1),
    }));
    this.peer = peer(this);
  }

  readonly behind = (producer: number, consumer: number): number =>
    (producer - consumer) & this.mask;
  readonly after = (index: number, count: number): number => (index + count) & this.mask;

  calls(): readonly Step[] {
    const { phase, corePending, count } = this.own;
    if (phase === TOLD) return this.send;
    if (phase === AWAKE) return this.look;
    if (phase === MOVING) return this.move.slice(0, count);
    return corePending ? this.wake : [];
  }

  /** Every access lies in the indices or in this direction's bytes. */
  access(_kind: number, address: number, size: number): boolean {
    const inPage = address >= PAGE && address + size <= PAGE + 76;
    const inData = address >= this.base && address + size <= this.base + this.size;
    if (!inPage && !inData) throw new Violation('touches what is not the ring');
    return true;
  }

  check(): void {
    const { own } = this;
    const reachable = own.peerPending !== 0 && own.masked === 0;
    const peerSleeps = own.pc === 0 && own.io === 0 && !reachable && this.cpu.settled;
    if (own.phase !== SLEEPING || own.corePending || !peerSleeps) return;
    if (own.peerDone !== own.done) throw new Violation('both sleep, and bytes are in the ring');
    const more = !this.incoming || own.queued > 0; // the core always has more to send
    if (more) throw new Violation('both sleep, and there is room for bytes that wait');
  }

  /** The peer has taken the byte at its index. */
  accept(byte: number): void {
    const { own } = this;
    if (byte !== byteOf(own.peerDone)) throw new Violation('a byte is lost, invented or too early');
    own.peerDone = this.after(own.peerDone, 1);
  }

  private event(): void {
    this.own.corePending = 0;
    this.own.phase = AWAKE;
  }

  private lookAtRing(): void {
    const { own } = this;
    const count = this.incoming ? this.core().data_readable() : this.core().data_writable();
    if (count >>> 0 > this.size) throw new Violation('the core refuses what an honest backend did');
    own.count = count;
    own.phase = count > 0 ? MOVING : SLEEPING;
  }

  private moveBytes(count: number): void {
    const { own } = this;
    own.count = 0;
    if (this.incoming) this.read(count);
    else this.write(count);
  }

  private read(count: number): void {
    const { own } = this;
    const told = this.core().data_read(BUFFER_AT, count);
    for (let i = 0; i < count; i++) {
      if (this.bytes[BUFFER_AT + i] !== byteOf(own.done + i)) {
        throw new Violation('a byte is lost, invented or too early');
      }
    }
    this.bytes.fill(0, BUFFER_AT, BUFFER_END);
    own.done = this.after(own.done, count);
    own.phase = told ? TOLD : AWAKE;
  }

  /** The core always notifies: pvcalls/stream.ts, publish(). */
  private write(count: number): void {
    const { own } = this;
    for (let i = 0; i < count; i++) this.bytes[BUFFER_AT + i] = byteOf(own.done + i);
    own.done = this.after(own.done, count);
    this.core().data_write(BUFFER_AT, count);
    this.bytes.fill(0, BUFFER_AT, BUFFER_END);
    own.phase = TOLD;
  }

  private notify(): void {
    this.own.peerPending = 1;
    this.own.phase = AWAKE;
  }
}
