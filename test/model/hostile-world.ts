/**
 * The ring code against every peer there is: whatever it loads from the shared page may be anything
 * that a narrow index, or an error, can be, each time it loads. So what the page holds is no part
 * of a state; what the core keeps is.
 *
 * What must hold: no access outside the ring; amounts within it; what we publish is our private
 * index, whatever stands in the page; no more responses than requests; what was accepted once is
 * not taken back, and a latched error stays.
 */
import { IN_CONS, IN_ERROR, OUT_ERROR, OUT_PROD } from '../../assembly/wire/data-ring.js';
import { REQ_PROD, SLOT_SIZE, SRING_SLOTS } from '../../assembly/wire/ring.js';
import type { RingExports } from './command-world.js';
import type { DataExports, Direction } from './data-world.js';
import { STORE, Violation, type Step, type World } from './explorer.js';
import { numbersAt } from './numbers.js';

const STATE_AT = 1024;
const STATE_END = 1076;
const BUFFER_AT = 2048;
const PAGE = 4096;
const OURS_AT = 8192;
const DATA_AT = 65536;
const INDICES = [0, 1, 2, 3, 4, 5, 6, 7];
const ERRORS = [0, -107, -32, 5];
const MASK = 7;
const SLOTS = 2;
const RESPONSE = 24;

type Range = readonly [from: number, to: number];

abstract class HostileWorld implements World {
  readonly regions: readonly Range[] = [[OURS_AT, OURS_AT + 64]];
  readonly privateRegions: readonly Range[] = [[STATE_AT, STATE_END]];
  protected readonly words: Int32Array;
  /** The word that is about to be loaded, or 0. */
  private loading = 0;
  private readonly indices: readonly Step[];
  private readonly errors: readonly Step[];

  constructor(
    readonly memory: WebAssembly.Memory,
    private readonly allowed: readonly Range[],
  ) {
    this.words = new Int32Array(memory.buffer);
    const say = (value: number): Step => ({
      name: `says ${value}`,
      run: () => {
        this.words[this.loading >>> 2] = value;
        this.loading = 0;
      },
    });
    this.indices = INDICES.slice(1).map(say);
    this.errors = ERRORS.slice(1).map(say);
  }

  abstract calls(): readonly Step[];
  abstract check(): void;

  /** What a load gives is chosen here; to let the core go on is to say 0. */
  access(kind: number, address: number, size: number): boolean {
    if (!this.allowed.some(([from, to]) => address >= from && address + size <= to)) {
      throw new Violation('touches what is not the ring');
    }
    this.loading = 0;
    if (kind === STORE || address >= PAGE + 128 || size !== 4) return false;
    this.loading = address;
    this.words[address >>> 2] = 0;
    return true;
  }

  peer(): readonly Step[] {
    if (this.loading === 0) return [];
    const error = this.loading === PAGE + IN_ERROR || this.loading === PAGE + OUT_ERROR;
    return this.isData && error ? this.errors : this.indices;
  }

  protected abstract readonly isData: boolean;
}

export class HostileCommands extends HostileWorld {
  protected readonly isData = false;
  private readonly own;
  private readonly steps: readonly Step[];

  constructor(
    memory: WebAssembly.Memory,
    private readonly core: () => RingExports,
  ) {
    super(memory, [
      [PAGE, PAGE + 16],
      [PAGE + SRING_SLOTS, PAGE + SRING_SLOTS + SLOTS * SLOT_SIZE],
    ]);
    this.own = numbersAt(memory, OURS_AT, ['put', 'pushed', 'taken', 'broken']);
    this.steps = [
      { name: 'pushes', run: () => this.push() },
      { name: 'takes a response', run: () => this.take() },
      { name: 'puts a request', run: () => this.put() },
    ];
  }

  calls(): readonly Step[] {
    if (this.own.broken) return [];
    return this.core().command_outstanding() < SLOTS ? this.steps : this.steps.slice(0, 2);
  }

  check(): void {
    const { own } = this;
    if (this.core().command_outstanding() !== ((own.put - own.taken) & MASK)) {
      throw new Violation('the core has lost count of its requests');
    }
  }

  private put(): void {
    this.core().command_put(BUFFER_AT);
    this.own.put = (this.own.put + 1) & MASK;
  }

  private push(): void {
    const { own } = this;
    const idle = own.pushed === own.put;
    this.core().command_push();
    own.pushed = own.put;
    if (!idle && this.words[(PAGE + REQ_PROD) >>> 2] !== own.pushed) {
      throw new Violation('the core publishes what is not its index');
    }
  }

  private take(): void {
    const { own } = this;
    const got = this.core().command_take(BUFFER_AT, RESPONSE);
    if (got < 0) own.broken = 1;
    if (got !== 1) return;
    if (own.taken === own.pushed) throw new Violation('takes a response that nobody owes');
    own.taken = (own.taken + 1) & MASK;
  }
}

/** As DataExports, and the errors. */
export interface HostileDataExports extends DataExports {
  data_error(out: number): number;
}

export class HostileData extends HostileWorld {
  protected readonly isData = true;
  private readonly own;
  private readonly inLooks: readonly Step[];
  private readonly outLooks: readonly Step[];
  private readonly reads: readonly Step[];
  private readonly writes: readonly Step[];

  constructor(
    memory: WebAssembly.Memory,
    private readonly core: () => HostileDataExports,
    private readonly size: number,
    private readonly direction: Direction,
  ) {
    super(memory, [
      [PAGE, PAGE + 76],
      [DATA_AT, DATA_AT + 2 * size],
    ]);
    const names = ['read', 'wrote', 'ready', 'room', 'inError', 'outError', 'broken'] as const;
    this.own = numbersAt(memory, OURS_AT, names);
    const { own } = this;
    own.room = size;
    this.inLooks = [
      { name: 'looks for bytes', run: () => (own.ready = this.amount(own.ready, true)) },
      { name: 'looks at in_error', run: () => (own.inError = this.error(own.inError, 0)) },
    ];
    this.outLooks = [
      { name: 'looks for room', run: () => (own.room = this.amount(own.room, false)) },
      { name: 'looks at out_error', run: () => (own.outError = this.error(own.outError, 1)) },
    ];
    const some = (what: string, run: (count: number) => void) =>
      Array.from({ length: size }, (_, i) => ({
        name: `${what} ${i + 1}`,
        run: () => run(i + 1),
      }));
    this.reads = some('reads', (count) => this.read(count));
    this.writes = some('writes', (count) => this.write(count));
  }

  calls(): readonly Step[] {
    const { broken, ready, room } = this.own;
    if (broken) return [];
    return this.direction === 'in'
      ? [...this.inLooks, ...this.reads.slice(0, ready)]
      : [...this.outLooks, ...this.writes.slice(0, room)];
  }

  check(): void {}

  /** Bytes or room, no less than was found before and not used. */
  private amount(before: number, incoming: boolean): number {
    const found = incoming ? this.core().data_readable() : this.core().data_writable();
    if (found === -1) {
      this.own.broken = 1;
      return 0;
    }
    if (found >>> 0 > this.size) throw new Violation('more bytes than the ring has');
    if (found < before) throw new Violation('an index went back, and was believed');
    return found;
  }

  private error(before: number, out: number): number {
    const found = this.core().data_error(out);
    if (found > 0) this.own.broken = 1;
    else if (before !== 0 && found !== before) throw new Violation('a latched error has changed');
    return found;
  }

  private read(count: number): void {
    const { own } = this;
    this.core().data_read(BUFFER_AT, count);
    own.ready -= count;
    own.read = this.published(IN_CONS, own.read + count);
  }

  private write(count: number): void {
    const { own } = this;
    this.core().data_write(BUFFER_AT, count);
    own.room -= count;
    own.wrote = this.published(OUT_PROD, own.wrote + count);
  }

  private published(word: number, index: number): number {
    if (this.words[(PAGE + word) >>> 2] !== (index & MASK)) {
      throw new Violation('the core publishes what is not its index');
    }
    return index & MASK;
  }
}
