/** `PVCALLS_SEED=n`: one run alone, in the tests that draw their runs from seeds. */

const given = process.env['PVCALLS_SEED'];

/** The seed that was asked for, if any. A typing error must not become a run of nothing. */
export const ONLY_SEED = given === undefined ? undefined : Number(given);
if (given === '' || (ONLY_SEED !== undefined && !(Number.isInteger(ONLY_SEED) && ONLY_SEED >= 0))) {
  throw new Error(`PVCALLS_SEED=${given} is no seed: a whole number from 0 on`);
}

/** How to see the run of a seed again. `file`: the test, below test/. */
export const repeatSeed = (seed: number, file: string): string =>
  `PVCALLS_SEED=${seed} npm test -- test/${file}`;
