/** The backend goes away in the middle of everything, and another one takes its place. */
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { ONLY_SEED, repeatSeed } from '../seed.js';
import { runHere, runThere } from './guests.js';
import { busy } from './outlive.js';
import { RealWorld } from './real-world.js';
import { runRestart } from './seeded-run.js';

const LONG = process.env['PVCALLS_LONG'] !== undefined;
const SEEDS = ONLY_SEED !== undefined ? 1 : LONG ? 1_000 : 60;
const FIRST = ONLY_SEED ?? 1;
const WAIT_MS = 5_000;
const TIMEOUT_MS = LONG ? 600_000 : 15_000;

const repeat = (seed: number): string => repeatSeed(seed, 'sim/restart.test.ts');

describe('a guest whose backend goes away in the middle of transfers', () => {
  it(
    `learns it, reconnects to the next one, and works again, ${SEEDS} times`,
    { timeout: TIMEOUT_MS },
    async () => {
      for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
        await runRestart(seed).catch((error: Error) => {
          throw new Error(`to repeat it: ${repeat(seed)}\n${error.message}`, { cause: error });
        });
      }
    },
  );

  it.each([
    ['on the thread of the machine', runHere],
    ['in a worker', runThere],
  ])('does so on real sockets, %s', { timeout: TIMEOUT_MS }, async (_, run) => {
    const world = await RealWorld.open({ seed: 1 });
    const work = run(world, 'outlive');
    work.catch(() => undefined); // awaited below
    for (let ms = 0; ms < WAIT_MS && !busy(world.backend); ms++) await sleep(1);
    expect(busy(world.backend)).toBe(true);
    await world.backend.close();
    world.backend = world.newBackend();
    await work;
    await world.close();
  });
});
