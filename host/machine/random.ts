/**
 * Repeatable randomness: sfc32 (Chris Doty-Humphrey's small fast counter, 128 bits of state).
 * The state is four words of a typed array, so it may lie in shared memory. Not for secrets.
 */
export const RANDOM_STATE_WORDS = 4;

/** Fills the four state words from a seed of up to 53 bits and runs the generator in. */
export function seedState(state: Int32Array, at: number, seed: number): void {
  state[at] = seed | 0;
  state[at + 1] = Math.floor(seed / 2 ** 32) | 0;
  state[at + 2] = 0x9e3779b9 | 0;
  state[at + 3] = 1;
  for (let round = 0; round < 12; round++) nextU32(state, at);
}

/** The next unsigned 32-bit number. */
export function nextU32(state: Int32Array, at: number): number {
  const a = state[at]!;
  const b = state[at + 1]!;
  const c = state[at + 2]!;
  const counter = state[at + 3]!;
  const result = (a + b + counter) | 0;
  state[at] = b ^ (b >>> 9);
  state[at + 1] = (c + (c << 3)) | 0;
  state[at + 2] = (((c << 21) | (c >>> 11)) + result) | 0;
  state[at + 3] = (counter + 1) | 0;
  return result >>> 0;
}

/** A number from 0 to count - 1. */
export function nextBelow(state: Int32Array, at: number, count: number): number {
  return Math.floor((nextU32(state, at) / 2 ** 32) * count);
}

/** A generator with its own state. */
export class Random {
  private readonly state = new Int32Array(RANDOM_STATE_WORDS);

  constructor(seed: number) {
    seedState(this.state, 0, seed);
  }

  u32(): number {
    return nextU32(this.state, 0);
  }

  /** A number from 0 to count - 1. */
  below(count: number): number {
    return nextBelow(this.state, 0, count);
  }

  /** A number from low to high, both included. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  /** True so often: 0 never, 1 always. */
  chance(probability: number): boolean {
    return this.u32() / 2 ** 32 < probability;
  }

  /** One of the items; there must be one. */
  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }

  /** Shuffles in place. */
  shuffle<T>(items: T[]): T[] {
    for (let left = items.length; left > 1; left--) {
      const other = this.below(left);
      const last = items[left - 1]!;
      items[left - 1] = items[other]!;
      items[other] = last;
    }
    return items;
  }
}

/** A fresh seed, for runs that were given none. */
export function randomSeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0]!;
}
