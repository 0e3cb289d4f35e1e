/**
 * Whether the fuzzer would find it: cores with one check taken out each. `npm run test:long`.
 * How many mutations each takes is printed; most need a few hundred runs at most.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { buildMutant } from '../mutants.js';
import { fuzz } from './fuzz.js';
import { MUTANTS } from './mutants.js';

const MUTATIONS = 2e7;
const STUCK_MS = 10_000;

describe.runIf(process.env['PVCALLS_LONG'])('the fuzzer finds a core in which', () => {
  it.each(MUTANTS)('$name', async ({ name, ...edit }) => {
    const folder = `fuzz-${name.replaceAll(/\W+/g, '-')}`;
    const module = new WebAssembly.Module(readFileSync(await buildMutant(folder, [edit])));
    const found = fuzz(module, { from: 1, mutations: MUTATIONS, runs: Infinity }, STUCK_MS).then(
      ({ failure, coverage }) =>
        failure &&
        `after ${coverage.mutations} mutations, shown by ${failure.trace.ops.length} ` +
          `operations: ${failure.trace.what}`,
      (error: Error) => error.message,
    );
    console.log(`${name}: ${await found}`);
    expect(await found).toBeDefined();
  });
});
