/** Code with a mistake in it must fail, by the property that the mistake is about. */
import { describe, expect, it } from 'vitest';

import { RINGS_ENTRY, TRACED, TRACED_RINGS } from '../../host/build/build.mjs';
import { buildMutant } from '../mutants.js';
import { CORE_MUTANTS } from './core-mutants.js';
import { failureOf } from './failure.js';
import { RING_MUTANTS, type RingMutant } from './ring-mutants.js';

/** `npm test` takes two, because each costs a compilation. */
const FEW = ['no second look after rsp_event', 'the consumer notifies by its own last index'];
const CHOSEN = RING_MUTANTS.filter(({ name }) => process.env['PVCALLS_LONG'] || FEW.includes(name));

describe('a mutant of the ring code fails', () => {
  it.each(CHOSEN)('$name', async (mutant: RingMutant) => {
    const name = `ring-${RING_MUTANTS.indexOf(mutant)}`;
    const path = await buildMutant(name, [mutant], { entry: RINGS_ENTRY, flags: TRACED_RINGS });
    const { property, trail } = failureOf(() => mutant.seenBy.run(path));
    console.log(`${mutant.name}: ${property}, after ${trail.length} steps`);
    expect(property).toBe(mutant.property);
  });
});

describe.runIf(process.env['PVCALLS_LONG'])('a mutant of the core fails', () => {
  it.each(CORE_MUTANTS)('$name', async (mutant) => {
    const name = `core-${CORE_MUTANTS.indexOf(mutant)}`;
    const path = await buildMutant(name, mutant.edits, { flags: TRACED });
    const { property, trail } = failureOf(() => mutant.seenBy.run(path));
    console.log(`${mutant.name}: ${property}, after ${trail.length} steps`);
    expect(property).toBe(mutant.property);
  });
});
