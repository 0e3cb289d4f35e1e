/** The helper that makes mutants: an edit that no longer fits is refused, never passed over. */
import { readFileSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import { applyEdit, buildMutant } from '../mutants.js';

const file = 'assembly/ring/serial.ts';

describe('a mutant', () => {
  it('is the release itself without an edit', async () => {
    const path = await buildMutant('none', []);
    const release = readFileSync(new URL('../../build/core.wasm', import.meta.url));
    expect(readFileSync(path).equals(release)).toBe(true);
  });

  it('is refused when its edit fits nowhere, or twice', () => {
    const edit = { file, find: 'one', replace: 'two' };
    expect(applyEdit('only one here', edit)).toBe('only two here');
    expect(() => applyEdit('no such word', edit)).toThrow('0 times');
    expect(() => applyEdit('one and one', edit)).toThrow('2 times');
    expect(() => applyEdit('text', { ...edit, find: '' })).toThrow('nothing to find');
  });
});
