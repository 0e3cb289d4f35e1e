/**
 * The whole core between two ends, in every order that their accesses to shared memory can have:
 * docs/protocols/verification.md. `PVCALLS_LONG=1` takes Linux's order too.
 */
import { describe, expect, it } from 'vitest';

import { describeFindings } from './explorer.js';
import { CORE, CORE_LINUX } from './settings.js';

const SETTINGS = process.env['PVCALLS_LONG'] ? [CORE, CORE_LINUX] : [CORE];

describe('a socket comes from connect to release with all its bytes', () => {
  it.each(SETTINGS)('$name', ({ name, run }) => {
    const found = run();
    console.log(`${name}: ${describeFindings(found)}`);
    expect(found.states).toBeGreaterThan(1000);
  });
});
