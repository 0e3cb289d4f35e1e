/**
 * The ring code between two ends, in every order that their accesses to shared memory can have:
 * docs/protocols/verification.md. `PVCALLS_LONG=1` explores more.
 */
import { describe, expect, it } from 'vitest';

import { buildMutant } from '../mutants.js';
import { RINGS_ENTRY, TRACED } from '../../host/build/build.mjs';
import { describeFindings } from './explorer.js';
import { failureOf } from './failure.js';
import { LONG, NO_BARRIER, SETTINGS, WIDE, type Setting } from './settings.js';

const PATIENT = Boolean(process.env['PVCALLS_LONG']);

function holds({ name, run }: Setting, path?: string): void {
  const found = run(path);
  console.log(`${name}: ${describeFindings(found)}`);
  expect(found.states).toBeGreaterThan(100);
}

describe('no wake-up is lost, nothing lost, doubled or invented', () => {
  it.each(Object.values(SETTINGS))('$name', (setting) => holds(setting));

  it.runIf(PATIENT).each(LONG)('$name', (setting) => holds(setting));

  it.runIf(PATIENT)('with 4 bytes and 4-bit indices', async () => {
    const flags = [...TRACED, '--use', 'INDEX_BITS=4', '--use', 'RING_SLOTS=2'];
    const path = await buildMutant('rings-wide', [], { entry: RINGS_ENTRY, flags });
    for (const setting of WIDE) holds(setting, path);
  });

  it('but by a backend that has left out its barriers', () => {
    expect(failureOf(() => NO_BARRIER.run()).property).toMatch(/sleeps, and a re\w+ waits/);
  });
});
