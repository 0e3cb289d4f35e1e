/** The core's ring arithmetic against the committed answers of Xen's own macros. */
import { readFileSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import { askCore } from './rings.js';

const LAYOUT = new URL('../vectors/layout.json', import.meta.url);
const { macros } = JSON.parse(readFileSync(LAYOUT, 'utf8')) as { macros: Record<string, string> };
const kinds = new Set(Object.keys(macros).map((question) => question.split(' ')[0] ?? ''));

describe('the ring arithmetic of the core', () => {
  it.each([...kinds])('answers "%s" as the macros of ring.h do', (kind) => {
    const questions = Object.keys(macros).filter((question) => question.startsWith(`${kind} `));
    const answers = Object.fromEntries(questions.map((question) => [question, askCore(question)]));
    expect(answers).toEqual(
      Object.fromEntries(questions.map((question) => [question, macros[question]])),
    );
  });

  it('refuses an index that is further than the ring, where the macros mask it away', () => {
    expect(askCore('queued 2049 0 2048 0')).toBe(`${0xffffffff}`);
  });
});
