/** Whole systems from seeds. `PVCALLS_SEED=n` runs that one alone, `PVCALLS_LONG=1` runs 5,000. */
import { describe, expect, it } from 'vitest';
import { ONLY_SEED, repeatSeed } from '../seed.js';
import { add, describe as describeCounts, newCounts, zeroes } from './counts.js';
import { runSeed } from './seeded-run.js';

const SEEDS = process.env['PVCALLS_LONG'] ? 5_000 : 300;
const TWICE = 10; // seeds that are run again and must do the same
const TIMEOUT_MS = process.env['PVCALLS_LONG'] ? 1_800_000 : 120_000;

const repeat = (seed: number): string => repeatSeed(seed, 'sim/seeds.test.ts');

/** A failing seed says how to see it again. */
async function run(seed: number) {
  try {
    return await runSeed(seed);
  } catch (error) {
    const { message } = error as Error;
    throw new Error(`seed ${seed} fails; to repeat it: ${repeat(seed)}\n${message}`, {
      cause: error,
    });
  }
}

describe('whole systems from seeds', ONLY_SEED === undefined ? describeAll : describeOne);

function describeAll(): void {
  it(
    `lose nothing and invent nothing, and leave nothing behind, ${SEEDS} times`,
    { timeout: TIMEOUT_MS },
    async () => {
      const total = newCounts();
      const startMs = performance.now();
      for (let seed = 1; seed <= SEEDS; seed++) {
        const { counts } = await run(seed);
        expect(counts.sockets, `sockets of seed ${seed}`).toBeGreaterThanOrEqual(4);
        expect(counts.wraps, `ring wraps of seed ${seed}`).toBeGreaterThanOrEqual(3);
        expect(counts.bytes, `bytes of seed ${seed}`).toBeGreaterThanOrEqual(256 * 1024);
        add(total, counts);
      }
      const seconds = (performance.now() - startMs) / 1000;
      console.log(`${describeCounts(total)}; ${(SEEDS / seconds).toFixed(1)} seeds/s`);
      expect(zeroes(total)).toEqual([]);
    },
  );

  it('do the same when the seed is the same', { timeout: TIMEOUT_MS }, async () => {
    for (let seed = 1; seed <= TWICE; seed++) {
      const [first, second] = [await run(seed), await run(seed)];
      expect(second, repeat(seed)).toEqual(first);
    }
    expect((await run(1)).trace).not.toBe((await run(2)).trace);
  });
}

function describeOne(): void {
  it(`of seed ${ONLY_SEED}`, { timeout: TIMEOUT_MS }, async () => {
    const { counts, trace, plan } = await run(ONLY_SEED!);
    console.log(plan, `${describeCounts(counts)}; trace ${trace}`);
  });
}
