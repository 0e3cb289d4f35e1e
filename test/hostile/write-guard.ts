/**
 * What the core may write, checked byte by byte over the whole memory of the machine: all domains,
 * and the machine's own tables. What others write too is compared at every border between the core
 * and somebody else (entries, a hypercall), so a difference is the core's own doing; what nobody
 * writes at all is compared once, at the end.
 */
export interface Range {
  readonly start: number;
  readonly end: number;
}

const VIOLATIONS_MAX = 3; // more say nothing new

export class WriteGuard {
  readonly violations: string[] = [];
  private readonly memory: Buffer;
  private readonly before: Buffer;
  private watched: Range[] = [];

  /** `allowed`: the core's to write at any time. `quiet`: nobody's. */
  constructor(
    memory: WebAssembly.Memory,
    private readonly allowed: readonly Range[],
    private readonly quiet: readonly Range[],
  ) {
    this.memory = Buffer.from(memory.buffer as unknown as ArrayBuffer);
    this.before = Buffer.from(this.memory);
    this.lend();
  }

  /** Buffers that the caller lends for the entries until the next lend(). */
  lend(...lent: Range[]): void {
    const left = [...this.allowed, ...this.quiet, ...lent].sort((a, b) => a.start - b.start);
    this.watched = [];
    let at = 0;
    for (const { start, end } of left) {
      if (start > at) this.watched.push({ start: at, end: start });
      at = Math.max(at, end);
    }
    if (at < this.memory.length) this.watched.push({ start: at, end: this.memory.length });
  }

  /** Runs the core, for as many entries as nobody else comes between. */
  around<T>(what: string, run: () => T): T {
    this.take();
    try {
      return run();
    } finally {
      this.compare(this.watched, what);
    }
  }

  /** Somebody else acts while the core is in the middle of something. */
  amid<T>(what: string, act: () => T): T {
    this.compare(this.watched, `before ${what}`);
    const result = act();
    this.take();
    return result;
  }

  /** The core has stopped for good. */
  end(): void {
    this.compare(this.quiet, 'at some time');
  }

  private take(): void {
    for (const { start, end } of this.watched) this.memory.copy(this.before, start, start, end);
  }

  private compare(ranges: readonly Range[], during: string): void {
    for (const { start, end } of ranges) {
      if (this.memory.compare(this.before, start, end, start, end) === 0) continue;
      if (this.violations.length === VIOLATIONS_MAX) return;
      let at = start;
      while (this.memory[at] === this.before[at]) at += 1;
      this.violations.push(
        `${during}: the core wrote 0x${at.toString(16)}, outside arena and rings`,
      );
    }
  }
}
