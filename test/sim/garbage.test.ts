/**
 * Memory full of what rings may hold: indices, errors, orders and references of an earlier life, in
 * every frame that becomes a ring, at first and each time it is used again.
 */
import { it } from 'vitest';
import { ONLY_SEED, repeatSeed } from '../seed.js';
import { runSeed, runRestart } from './seeded-run.js';

const LONG = process.env['PVCALLS_LONG'] !== undefined;
const FIRST = ONLY_SEED ?? 1;
const SEEDS = ONLY_SEED !== undefined ? 1 : LONG ? 500 : 8;
const TIMEOUT_MS = LONG ? 600_000 : 30_000;

const repeat = (seed: number): string => repeatSeed(seed, 'sim/garbage.test.ts');

it.each([
  ['a whole system', runSeed],
  ['a guest whose backend restarts', runRestart],
])('%s works in memory full of garbage', { timeout: TIMEOUT_MS }, async (_, run) => {
  for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
    await run(seed, { garbage: true }).catch((error: Error) => {
      throw new Error(`to repeat it: ${repeat(seed)}\n${error.message}`, { cause: error });
    });
  }
});
