/** The mixed workload with the guest in a thread of its own, the backend here, on real sockets. */
import { describe, expect, it } from 'vitest';
import {
  add,
  countRun,
  describe as describeCounts,
  newCounts,
  zeroes,
  type Counts,
} from './counts.js';
import { runInWorker } from './guests.js';
import { RealWorld } from './real-world.js';

const RUNS = process.env['PVCALLS_LONG'] ? 500 : 50;
const TIMEOUT_MS = process.env['PVCALLS_LONG'] ? 1_800_000 : 120_000;

async function run(seed: number): Promise<Counts> {
  const layout = seed % 2 === 0 ? 'v7' : 'v1';
  const world = await RealWorld.open({ seed, layout, splice: seed % 4 < 2 });
  const { claims, counts, core } = await runInWorker(world, 'mixed');
  world.claims.push(...claims);
  const total = countRun(world.machine, world.backend, [counts], [core]);
  await world.close();
  return total;
}

describe('a guest in a worker', () => {
  it(
    `loses nothing, invents nothing and leaves nothing behind, ${RUNS} times`,
    { timeout: TIMEOUT_MS },
    async () => {
      const total = newCounts();
      const startMs = performance.now();
      for (let seed = 1; seed <= RUNS; seed++) {
        try {
          add(total, await run(seed));
        } catch (error) {
          throw new Error(`run ${seed}: ${(error as Error).message}`, { cause: error });
        }
      }
      const seconds = (performance.now() - startMs) / 1000;
      console.log(`${describeCounts(total)}; ${(RUNS / seconds).toFixed(1)} runs/s`);
      expect(zeroes(total)).toEqual([]);
      expect(total.bytes).toBeGreaterThan(RUNS * 256 * 1024);
    },
  );
});
