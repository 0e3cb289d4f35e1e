/**
 * Where things lie in the fuzzer's memory, and who may write there.
 *
 *   frame  0 guard | 2 scratch | 3 guard | 4 source | 6 guard | 7 into | 9 guard | 10 shared_info
 *          11 guard | 12 xenstore page | 13 guard | 14 arena ... | guard
 *
 * Guards and the source of sends are nobody's to write, and neither is scratch but for the few
 * places that the ABI names. They are filled with a pattern and compared with it.
 */
import { EVENT_SIZE, COUNTERS_SIZE, SPAN_SIZE } from '../../assembly/wire/abi.js';
import { PAGE_SIZE } from '../../assembly/wire/page.js';

const PAGES = 10; // WebAssembly pages, of 16 frames each
const FRAMES = PAGES * 16;
const SCRATCH = 2 * PAGE_SIZE;
export const EVENT_AT = SCRATCH + 64;
export const WINDOW_AT = SCRATCH + 128;
export const COUNTERS_AT = SCRATCH + 256;
/** Written by the fuzzer, read by the core. */
export const INIT_AT = SCRATCH + 512;
export const ADDRESS_AT = SCRATCH + 640;
export const SPANS_AT = SCRATCH + 1024;
const READ_BY_CORE_END = SCRATCH + 2048;
export const SOURCE_AT = 4 * PAGE_SIZE;
export const SOURCE_SIZE = 2 * PAGE_SIZE;
export const INTO_AT = 7 * PAGE_SIZE;
export const INTO_SIZE = 2 * PAGE_SIZE;
export const SHARED_INFO_AT = 10 * PAGE_SIZE;
export const STORE_AT = 12 * PAGE_SIZE;
export const ARENA_AT = 14 * PAGE_SIZE;
export const ARENA_FRAMES_MAX = FRAMES - 14 - 2;

/** Lies about the core's own indices are at least so far from the truth. */
export const FAR = 0x10_0000;

type Range = readonly [from: number, to: number];

/** What must never change, whatever the peer does; `arenaFrames` end the last range's start. */
function guarded(arenaFrames: number): Range[] {
  return [
    [0, EVENT_AT],
    [EVENT_AT + EVENT_SIZE, WINDOW_AT],
    [WINDOW_AT + 2 * SPAN_SIZE, COUNTERS_AT],
    [COUNTERS_AT + COUNTERS_SIZE, INIT_AT],
    [READ_BY_CORE_END, INTO_AT],
    [INTO_AT + INTO_SIZE, SHARED_INFO_AT],
    [SHARED_INFO_AT + PAGE_SIZE, STORE_AT],
    [STORE_AT + PAGE_SIZE, ARENA_AT],
    [ARENA_AT + arenaFrames * PAGE_SIZE, FRAMES * PAGE_SIZE],
  ];
}

export class FuzzMemory {
  readonly memory = new WebAssembly.Memory({ initial: PAGES, maximum: PAGES, shared: true });
  readonly u8 = new Uint8Array(this.memory.buffer);
  readonly i32 = new Int32Array(this.memory.buffer);
  readonly u32 = new Uint32Array(this.memory.buffer);
  readonly view = new DataView(this.memory.buffer);
  private readonly bytes = Buffer.from(this.memory.buffer as unknown as ArrayBuffer);
  private readonly pattern = Buffer.alloc(FRAMES * PAGE_SIZE);
  private ranges: Range[] = [];

  constructor() {
    for (let at = 0; at < this.pattern.length; at++) this.pattern[at] = at * 7 + (at >>> 8);
  }

  /** All of it as before the first run; the arena is full of what looks like an earlier life. */
  reset(arenaFrames: number): void {
    this.u8.set(this.pattern);
    for (const page of [SHARED_INFO_AT, STORE_AT]) this.u8.fill(0, page, page + PAGE_SIZE);
    this.ranges = guarded(arenaFrames);
  }

  /** The first address that was written and must not have been, or undefined. */
  firstTouched(): number | undefined {
    for (const [from, to] of this.ranges) {
      if (this.bytes.compare(this.pattern, from, to, from, to) === 0) continue;
      for (let at = from; at < to; at++) if (this.bytes[at] !== this.pattern[at]) return at;
    }
    return undefined;
  }

  same(a: number, b: number, size: number): boolean {
    return this.bytes.compare(this.bytes, b, b + size, a, a + size) === 0;
  }

  word(address: number): number {
    return this.u32[address >>> 2]!;
  }

  setWord(address: number, value: number): void {
    this.u32[address >>> 2] = value;
  }
}
