/**
 * The backend dies at every point of a transfer and comes back; every way to die, every step.
 * `PVCALLS_SEED=n` runs all steps of that seed, `PVCALLS_LONG=1` all steps of many.
 */
import { describe, expect, it } from 'vitest';
import { ONLY_SEED, repeatSeed } from '../seed.js';
import { DEATHS, runDeath, type DeathName } from './death.js';

const LONG = process.env['PVCALLS_LONG'] !== undefined;
const FIRST = ONLY_SEED ?? 1;
const SEEDS = ONLY_SEED !== undefined ? 1 : LONG ? 8 : 3;
/** Steps between two deaths, and seeds begin at different ones; 1: at every step. */
const STRIDE = ONLY_SEED !== undefined || LONG ? 1 : 67;
const TIMEOUT_MS = LONG ? 3_600_000 : 60_000;

const repeat = (seed: number): string => repeatSeed(seed, 'sim/death.test.ts');

describe('a guest in the middle of a transfer whose backend', () => {
  it.each(Object.keys(DEATHS) as DeathName[])(
    '%s: all are told, and all works again with the same listener',
    { timeout: TIMEOUT_MS },
    async (name) => {
      const codes = new Map<string, number>();
      let deaths = 0;
      for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
        const { steps } = await runDeath(seed, name);
        for (let step = STRIDE === 1 ? 0 : (seed * 29) % STRIDE; step < steps; step += STRIDE) {
          const outcome = await runDeath(seed, name, step).catch((error: Error) => {
            const message = `seed ${seed}, dies after step ${step}; to repeat it: ${repeat(seed)}`;
            throw new Error(`${message}\n${error.message}`, { cause: error });
          });
          deaths += 1;
          for (const code of outcome.codes) codes.set(code, (codes.get(code) ?? 0) + 1);
        }
      }
      const ends = [...codes].map(([code, count]) => `${count} ${code}`).join(', ');
      console.log(`${name}: ${deaths} times; calls ended with ${ends}`);
      expect(codes.get('EIO') ?? 0).toBeGreaterThan(0);
    },
  );
});
