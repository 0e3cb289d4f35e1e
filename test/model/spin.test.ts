/**
 * The models of both rings, for runs of any length, and mistakes in them that must be found. Needs
 * spin and gcc; part of `npm run test:long`.
 */
import { describe, expect, it } from 'vitest';

import { verify } from '../../host/build/spin.mjs';

const COMMANDS = 'test/model/command-ring.pml';
const DATA = 'test/model/data-ring.pml';

const HOLD: readonly (readonly [model: string, ...defines: string[]])[] = [
  [COMMANDS],
  [COMMANDS, 'LINUX'],
  [DATA],
  [DATA, 'LINUX'],
  [DATA, 'OUT'],
  [DATA, 'OUT', 'LINUX'],
  [DATA, 'OUT', 'SIZE=4'],
  [DATA, 'OUT', 'LINUX', 'SIZE=4'],
];

const SLEEP = 'invalid end state';
const WRONG = 'assertion violated';

const FAIL: readonly (readonly [error: string, model: string, ...defines: string[]])[] = [
  [SLEEP, COMMANDS, 'LINUX', 'NO_BARRIER'],
  [WRONG, COMMANDS, 'M_PUBLISH_FIRST'],
  [SLEEP, COMMANDS, 'M_NO_RECHECK'],
  [SLEEP, COMMANDS, 'M_TEST_FIRST'],
  [WRONG, DATA, 'M_PUBLISH_FIRST'],
  [SLEEP, DATA, 'LINUX', 'M_LAST_SEEN'],
  [SLEEP, DATA, 'M_NOT_WHEN_FULL'],
  [WRONG, DATA, 'OUT', 'M_PUBLISH_FIRST'],
  [SLEEP, DATA, 'OUT', 'LINUX', 'M_NOTIFY_WHEN_EMPTY'],
];

const title = (model: string, defines: readonly string[]): string =>
  [model.replace(/.*\//, ''), ...defines].join(' ');

describe.runIf(process.env['PVCALLS_LONG'])('spin finds', () => {
  it.each(HOLD.map((run) => ({ run, name: title(run[0], run.slice(1)) })))(
    'no error in $name',
    async ({ run: [model, ...defines], name }) => {
      const { states, error } = await verify(model, defines);
      console.log(`${name}: ${states.toLocaleString('en')} states`);
      expect(error).toBeUndefined();
      expect(states).toBeGreaterThan(1000);
    },
  );

  it.each(FAIL.map((run) => ({ run, name: title(run[1], run.slice(2)) })))(
    'the mistake in $name',
    async ({ run: [expected, model, ...defines], name }) => {
      const { states, error } = await verify(model, defines);
      console.log(`${name}: ${error}, after ${states.toLocaleString('en')} states`);
      expect(error).toContain(expected);
    },
  );
});
