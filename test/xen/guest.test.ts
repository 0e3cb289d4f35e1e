/** One guest under real Xen: what it does when it goes wrong, and its grant table. */
import { beforeAll, describe, expect, it } from 'vitest';

import { guestLines, imageOf, runAlone } from './images.js';

const TIMEOUT_MS = 120_000;
const EXIT_PANIC = 101;
const EXIT_TRAP = 102;

let faults = '';
let grants = '';

beforeAll(async () => {
  faults = await imageOf('faults');
  grants = await imageOf('grants');
}, TIMEOUT_MS);

describe('a guest that goes wrong ends with a line and an exit code', () => {
  it.each([
    ['trap', EXIT_TRAP, /^\(d1\) panic: wasm: access out of bounds, in w2c_dom0less_\w+$/],
    ['abort', EXIT_PANIC, /^\(d1\) panic: synchronous exception.*data abort, in app_start$/],
    ['code', EXIT_PANIC, /^\(d1\) panic: synchronous exception.*data abort, in app_start$/],
    ['stack', EXIT_PANIC, /^\(d1\) panic: synchronous exception.*data abort, in deeper$/],
    ['unmapped', EXIT_PANIC, /^\(d1\) panic: synchronous exception.*data abort, in app_start$/],
    ['float', EXIT_PANIC, /^\(d1\) panic: .*floating point is off, in app_start$/],
  ])('fault: %s', async (fault, exitCode, line) => {
    const outcome = await runAlone(faults, `fault=${fault}`);
    expect(guestLines(outcome.console)[0]).toMatch(line);
    expect(outcome.exitCode).toBe(exitCode);
  });
});

describe('the grant table', () => {
  it.each([2, 3] as const)(
    'grows to the limit of Xen and gives everything back, GICv%i',
    async (gic) => {
      const { exitCode, console } = await runAlone(grants, 'self=1', gic);
      const lines = guestLines(console);
      expect(lines).toContain(`(d1) grants: ${64 * 512 - 8} references`);
      expect(lines.filter((line) => line.includes('expected'))).toEqual([]);
      expect(exitCode).toBe(0);
    },
  );
});
