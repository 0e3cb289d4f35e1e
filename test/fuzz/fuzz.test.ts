/**
 * Every byte that a peer can write, changed at random times, under a core that is busy with all it
 * can do. `PVCALLS_SEED=n` runs that one alone; `PVCALLS_LONG=1` makes 10^8 mutations.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ONLY_SEED, repeatSeed } from '../seed.js';
import { fuzz } from './fuzz.js';
import type { Trace } from './ops.js';
import { runTrace } from './run.js';

const LONG = process.env['PVCALLS_LONG'] !== undefined;
const MUTATIONS = LONG ? 1e8 : 1e6;
const TIMEOUT_MS = LONG ? 1_800_000 : 120_000;
const REPORTS = new URL('../../build/reports/', import.meta.url);
const CORPUS = new URL('corpus/', import.meta.url);

/** Every fault that there is; a million mutations meet them all. */
const FAULTS =
  'RSP_PROD REQ_ID CMD ID RET IN_PROD OUT_CONS IN_ERROR OUT_ERROR STORE VERSION MAX_PAGE_ORDER ' +
  'FUNCTION_CALLS BACKEND_NODE OFFER';
const LONG_FAULTS = `${FAULTS} STORE_ERROR`;

const core = new WebAssembly.Module(
  readFileSync(new URL('../../build/core.wasm', import.meta.url)),
);

async function runFrom(from: number, runs: number): Promise<void> {
  const { coverage, seconds, failure } = await fuzz(core, { from, mutations: MUTATIONS, runs });
  if (failure !== undefined) {
    const { message, seed, trace } = failure;
    mkdirSync(REPORTS, { recursive: true });
    writeFileSync(new URL(`fuzz-${seed}.json`, REPORTS), JSON.stringify(trace));
    throw new Error(
      `${message}\nto repeat it: ${repeatSeed(seed, 'fuzz/fuzz.test.ts')}\n` +
        `${trace.ops.length} operations are enough, in build/reports/fuzz-${seed}.json; ` +
        'once it is mended, keep them in test/fuzz/corpus',
    );
  }
  const rate = (coverage.mutations / seconds / 1000).toFixed(0);
  console.log(`${coverage.describe()}\n  ${rate} thousand mutations/s`);
  if (ONLY_SEED !== undefined) return;
  expect(coverage.mutations).toBeGreaterThanOrEqual(MUTATIONS);
  expect(coverage.faultNames().join(' ')).toBe(LONG ? LONG_FAULTS : FAULTS);
  expect(coverage.states.every((count) => count > 0)).toBe(true);
  expect(coverage.events.slice(1).every((count) => count > 0)).toBe(true);
  expect(coverage.masked).toBeGreaterThan(0);
  expect(coverage.ops.every((count) => count > 0)).toBe(true);
}

describe('a core whose peer writes anything anywhere', () => {
  if (ONLY_SEED !== undefined) {
    it(`does not trap, and writes nowhere else, with seed ${ONLY_SEED}`, () =>
      runFrom(ONLY_SEED!, 1));
    return;
  }
  it(
    `does not trap, and writes nowhere else, in ${MUTATIONS.toExponential(0)} mutations`,
    { timeout: TIMEOUT_MS },
    () => runFrom(1, Infinity),
  );

  it.each(readdirSync(CORPUS))('passes what has failed before: %s', (name) => {
    runTrace(core, JSON.parse(readFileSync(new URL(name, CORPUS), 'utf8')) as Trace);
  });
});
