/** test/vectors/layout.json, made again here, says what the committed one says. */
import { readFileSync } from 'node:fs';

import { expect, it } from 'vitest';

import { LAYOUT_JSON, makeVectors } from '../../host/build/vectors.mjs';

interface Vectors {
  constants: unknown;
  macros: unknown;
}

it('finds the offsets, sizes, constants and macro results that are committed', async () => {
  const committed = JSON.parse(readFileSync(LAYOUT_JSON, 'utf8')) as Vectors;
  const here = JSON.parse(await makeVectors()) as Vectors;
  // The versions that stand beside them say who was asked; a newer header may well agree.
  expect(here.constants).toEqual(committed.constants);
  expect(here.macros).toEqual(committed.macros);
});
