/**
 * Makes host/metal/wire.h, the constants of assembly/wire for C: `npm run build` writes it when a
 * constant has changed, and it is committed, so that the metal host can be read and built alone.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';

import { filesBelow } from './freshness.mjs';
import { Failure } from './report.mjs';
import { ROOT } from './run.mjs';

export const WIRE_HEADER = `${ROOT}host/metal/wire.h`;

const HEADER = `/*
 * Offsets, sizes and numbers of the wire: made from assembly/wire by host/build/wire-header.mjs.
 * What each means is written there. The names are those of the files, behind WIRE_.
 */
#ifndef PVCALLS_WIRE_H
#define PVCALLS_WIRE_H
`;

/** The text of wire.h, as assembly/wire has it now. */
export function makeWireHeader() {
  /** @type {Map<string, string>} */
  const seen = new Map();
  const chapters = filesBelow('assembly/wire').map((file) => {
    const constants = readFileSync(ROOT + file, 'utf8').matchAll(
      /^export const ([A-Z0-9_]+): ([ui])32 = (0x[0-9a-f]+|\d+);/gm,
    );
    const lines = [...constants].map(([, name = '', sign, value]) => {
      const other = seen.get(name);
      if (other) throw new Failure(`${name} is in ${other} and in ${file}; rename one.`);
      seen.set(name, file);
      return `#define WIRE_${name} ${value}${sign === 'u' ? 'u' : ''}`;
    });
    return `\n/* ${file} */\n${lines.join('\n')}\n`;
  });
  return `${HEADER}${chapters.join('')}\n#endif\n`;
}

/** Writes wire.h, if it says something else. */
export function writeWireHeader() {
  const text = makeWireHeader();
  if (existsSync(WIRE_HEADER) && readFileSync(WIRE_HEADER, 'utf8') === text) return;
  writeFileSync(WIRE_HEADER, text);
}
