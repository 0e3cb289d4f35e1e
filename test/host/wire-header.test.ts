/** host/metal/wire.h, which C reads, says what assembly/wire says. */
import { readFileSync } from 'node:fs';

import { expect, it } from 'vitest';

import { WIRE_HEADER, makeWireHeader } from '../../host/build/wire-header.mjs';

it('is what host/build/wire-header.mjs makes of assembly/wire; building an image writes it', () => {
  expect(readFileSync(WIRE_HEADER, 'utf8')).toBe(makeWireHeader());
});
