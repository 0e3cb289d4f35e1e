/**
 * Visits every state that a core and its peer can reach together, one shared access at a time.
 *
 * The core is a traced build (docs/decisions/012): before each access to shared memory it calls
 * `before`, and there the peer may take any number of steps, each of them one shared access too.
 * All that either end remembers stands in the wasm memory, so a state between calls of the core can
 * be saved and restored. One in the middle of a call cannot: it is reached by calling again and
 * choosing the same, and told from others by what the call began with and has loaded since.
 *
 * States are remembered by 53 bits of hash. A clash would leave a part unvisited without a word; at
 * a million states the chance is one in ten thousand.
 */

/** As in ring/order.ts: what the core is about to do. */
export const LOAD = 0;
export const STORE = 1;
export const UPDATE = 2;

export type Range = readonly [from: number, to: number];

/** One thing that may happen next. */
export interface Step {
  readonly name: string;
  readonly run: () => void;
}

export interface World {
  readonly memory: WebAssembly.Memory;
  /** Bytes, in fours, that a state consists of besides what the core keeps for itself. */
  readonly regions: readonly Range[];
  /** What the core keeps. In a call it follows from what it was before and was loaded since. */
  readonly privateRegions: readonly Range[];
  /** Bytes that follow from the others, saved but not compared. */
  readonly followingRegions?: readonly Range[];
  /** What the peer may do now, at any time. */
  peer(): readonly Step[];
  /** How the core may be entered now, when it is not in a call. */
  calls(): readonly Step[];
  /**
   * Looks at an access of the core before it is done. Throws a Violation. False when the peer never
   * touches these bytes: then it makes no difference whether it acts before or after.
   */
  access(kind: number, address: number, size: number): boolean;
  /** Looks at a state between calls. Throws a Violation. */
  check(): void;
}

/** A property does not hold. `trail` says what was done, from the beginning. */
export class Violation extends Error {
  trail: string[] = [];
  constructor(readonly property: string) {
    super(property);
  }
}

export interface Findings {
  readonly states: number;
  /** Steps of either end that were followed from a state. */
  readonly steps: number;
  /** Calls of the core, each with another schedule. */
  readonly runs: number;
  readonly seconds: number;
}

/** `12,345 states, 23,456 steps, 3,456 schedules of a call, 1.2 s`. */
export function describeFindings({ states, steps, runs, seconds }: Findings): string {
  const [s, t, r] = [states, steps, runs].map((count) => count.toLocaleString('en'));
  return `${s} states, ${t} steps, ${r} schedules of a call, ${seconds.toFixed(1)} s`;
}

/** A state between calls, and how it was reached. */
interface Saved {
  words: Uint32Array;
  readonly parent: Saved | undefined;
  readonly trail: readonly string[];
}

/** A state in a call that has been seen before: the call is left. */
const SEEN = Symbol('seen');

const NONE = new Uint32Array(0);

/** Most states at which to give up: the world is larger than was meant. */
const STATES_MAX = 12_000_000;

export class Explorer {
  private readonly words: Uint32Array;
  private readonly bytes: Uint8Array;
  private readonly saved: readonly Range[];
  private readonly seen = new Set<number>();
  private readonly names = new Map<string, number>();
  private readonly waiting: Saved[] = [];
  private steps = 0;
  private runs = 0;

  /** In a call: which, what it began with, what it has loaded, and what was chosen on the way. */
  private inCall = false;
  private historyLow = 0;
  private historyHigh = 0;
  private chosen: number[] = [];
  private counts: number[] = [];
  private depth = 0;
  private trail: string[] = [];

  constructor(private readonly world: World) {
    this.words = new Uint32Array(world.memory.buffer);
    this.bytes = new Uint8Array(world.memory.buffer);
    const { regions, privateRegions, followingRegions = [] } = world;
    this.saved = [...regions, ...privateRegions, ...followingRegions];
  }

  /** The hook to instantiate the core with. Set-up calls, before explore(), pass through. */
  readonly before = (kind: number, address: number, size: number): void => {
    if (!this.inCall) return;
    if (this.world.access(kind, address, size)) this.point();
    this.remember(kind);
    if (kind !== STORE) {
      // What is copied in pieces goes to private memory, but may be overwritten there.
      for (let at = address; at < address + size; at++) this.remember(this.bytes[at]!);
    }
  };

  /** Lets the peer act here too: before a hypercall, say. */
  readonly point = (): void => {
    if (!this.inCall) return;
    for (;;) {
      const steps = this.world.peer();
      if (steps.length === 0) return;
      const choice = this.choose(steps.length + 1);
      if (choice === 0) return;
      this.take(steps[choice - 1]!);
    }
  };

  /** From the state that memory holds now. Throws the first Violation, with its trail. */
  explore(): Findings {
    const start = performance.now();
    this.keep(undefined, []);
    // The nearest first, so that a trail is short.
    for (let next = 0; next < this.waiting.length; next++) {
      const at = this.waiting[next]!;
      try {
        this.exploreFrom(at);
      } catch (error) {
        if (error instanceof Violation) error.trail = [...trailOf(at), ...this.trail];
        throw error;
      }
      at.words = NONE;
    }
    const seconds = (performance.now() - start) / 1000;
    return { states: this.seen.size, steps: this.steps, runs: this.runs, seconds };
  }

  private exploreFrom(from: Saved): void {
    this.restore(from);
    const peers = this.world.peer().length;
    for (let i = 0; i < peers; i++) {
      this.restore(from);
      this.trail = [];
      this.take(this.world.peer()[i]!);
      this.keep(from, this.trail);
    }
    this.restore(from);
    const calls = this.world.calls().length;
    for (let i = 0; i < calls; i++) this.exploreCall(from, i);
  }

  /** Every schedule of one call, by doing it again and again. */
  private exploreCall(from: Saved, index: number): void {
    this.chosen = [];
    this.counts = [];
    do {
      this.restore(from);
      this.trail = [];
      this.depth = 0;
      const call = this.world.calls()[index]!;
      this.beginCall(call);
      try {
        call.run();
        this.inCall = false;
        this.keep(from, this.trail);
      } catch (error) {
        this.inCall = false;
        if (error !== SEEN) throw error;
      }
    } while (this.nextSchedule());
  }

  private beginCall(call: Step): void {
    let name = this.names.get(call.name);
    if (name === undefined) this.names.set(call.name, (name = this.names.size + 1));
    this.historyLow = 0x811c9dc5;
    this.historyHigh = 0x1b873593;
    this.remember(name);
    this.rememberRanges(this.world.privateRegions);
    this.trail.push(`core: ${call.name}`);
    this.runs += 1;
    this.steps += 1;
    this.inCall = true;
  }

  private remember(value: number): void {
    this.historyLow = Math.imul(this.historyLow ^ value, 0x85ebca6b);
    this.historyLow ^= this.historyLow >>> 15;
    this.historyHigh = Math.imul(this.historyHigh ^ value, 0xc2b2ae35);
    this.historyHigh ^= this.historyHigh >>> 13;
  }

  /** 0 lets the core go on. Leaves the call when what can follow is known already. */
  private choose(count: number): number {
    if (this.depth === this.chosen.length) {
      if (!this.isNew()) throw SEEN;
      this.chosen.push(0);
      this.counts.push(count);
      this.steps += count;
    }
    return this.chosen[this.depth++]!;
  }

  private nextSchedule(): boolean {
    while (this.chosen.length > 0) {
      const last = this.chosen.length - 1;
      this.chosen[last]! += 1;
      if (this.chosen[last]! < this.counts[last]!) return true;
      this.chosen.pop();
      this.counts.pop();
    }
    return false;
  }

  private take(step: Step): void {
    if (!this.inCall) this.steps += 1;
    this.trail.push(`peer: ${step.name}`);
    step.run();
  }

  private rememberRanges(ranges: readonly Range[]): void {
    let [low, high] = [this.historyLow, this.historyHigh];
    for (const [from, to] of ranges) {
      for (let at = from >>> 2; at < to >>> 2; at++) {
        const value = this.words[at]!;
        low = Math.imul(low ^ value, 0xcc9e2d51);
        low ^= low >>> 15;
        high = Math.imul(high ^ value, 0x9e3779b1);
        high ^= high >>> 13;
      }
    }
    this.historyLow = low;
    this.historyHigh = high;
  }

  /** Whether the state in memory, at this point of a call or of none, is new. */
  private isNew(): boolean {
    const [low, high] = [this.historyLow, this.historyHigh];
    this.rememberRanges(this.world.regions);
    const key = (this.historyHigh >>> 11) * 0x100000000 + (this.historyLow >>> 0);
    this.historyLow = low;
    this.historyHigh = high;
    const before = this.seen.size;
    this.seen.add(key);
    if (this.seen.size > STATES_MAX) throw new Error('more states than can be remembered');
    return this.seen.size > before;
  }

  private keep(parent: Saved | undefined, trail: readonly string[]): void {
    this.historyLow = 1;
    this.historyHigh = 2;
    this.rememberRanges(this.world.privateRegions);
    if (!this.isNew()) return;
    this.world.check();
    const size = this.saved.reduce((sum, [from, to]) => sum + (to - from), 0);
    const words = new Uint32Array(size >>> 2);
    let at = 0;
    for (const [from, to] of this.saved) {
      words.set(this.words.subarray(from >>> 2, to >>> 2), at);
      at += (to - from) >>> 2;
    }
    this.waiting.push({ words, parent, trail });
  }

  private restore({ words }: Saved): void {
    let at = 0;
    for (const [from, to] of this.saved) {
      const count = (to - from) >>> 2;
      this.words.set(words.subarray(at, at + count), from >>> 2);
      at += count;
    }
  }
}

function trailOf(last: Saved): string[] {
  const parts: (readonly string[])[] = [];
  for (let at: Saved | undefined = last; at; at = at.parent) parts.push(at.trail);
  return parts.reverse().flat();
}
