/** The core's ring arithmetic against Xen's own macros, over corner and random indices. */
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';

import { askRingMacros, compileRingMacros } from '../../host/build/vectors.mjs';
import { askCore } from '../host/rings.js';

const RUNS = process.env['PVCALLS_LONG'] ? 300_000 : 10_000;
const SLOTS = 32;
let program = '';

beforeAll(async () => {
  program = await compileRingMacros();
});

/** Any index, and more often one at which something wraps. */
const index = fc.oneof(
  fc.nat({ max: 0xffffffff }),
  fc
    .tuple(
      fc.constantFrom(0, 0x7fffffff, 0x80000000, 0xffffffff),
      fc.integer({ min: -40, max: 40 }),
    )
    .map(([corner, offset]) => (corner + offset) >>> 0),
);
const ahead = (by: fc.Arbitrary<number>) => fc.tuple(index, by);
const within = (max: number) => fc.oneof(fc.nat({ max }), fc.constantFrom(0, 1, max - 1, max));
const anywhere = fc.oneof(within(SLOTS), index);
/** Small rings mostly: a large one costs a megabyte of hashing. */
const order = fc.oneof({ weight: 30, arbitrary: fc.nat({ max: 2 }) }, fc.nat({ max: 9 }));

const at = (start: number, distance: number): number => (start + distance) >>> 0;

const QUESTIONS: Record<string, fc.Arbitrary<string>> = {
  push: fc
    .tuple(ahead(within(SLOTS)), anywhere)
    .map(([[old, count], event]) => `push ${old} ${at(old, count)} ${at(old, event)} 0`),
  final: ahead(anywhere).map(([cons, count]) => `final ${at(cons, count)} ${cons} 0 0`),
  front: fc
    .tuple(ahead(within(SLOTS)), anywhere)
    .map(([[cons, count], prod]) => `front ${at(cons, count)} ${cons} ${at(cons, prod)} 0`),
  queued: fc.tuple(index, order).chain(([cons, order]) => {
    const size = 2048 << order;
    return within(size).map((count) => `queued ${at(cons, count)} ${cons} ${size} 0`);
  }),
  write: transfer('write'),
  read: transfer('read'),
};

/** A ring with some bytes queued, and a count that still fits or is there. */
function transfer(what: 'write' | 'read'): fc.Arbitrary<string> {
  return fc.tuple(index, order).chain(([cons, order]) => {
    const size = 2048 << order;
    return within(size)
      .chain((queued) =>
        fc.tuple(fc.constant(queued), within(what === 'write' ? size - queued : queued)),
      )
      .map(
        ([queued, count]) => `${what} ${at(cons, queued)} ${cons} ${size} ${Math.max(count, 0)}`,
      );
  });
}

describe('the ring arithmetic of the core', () => {
  it.each(Object.entries(QUESTIONS))('answers any "%s" as Xen does', async (kind, question) => {
    const runs = kind === 'write' || kind === 'read' ? Math.ceil(RUNS / 20) : RUNS;
    const questions = fc.sample(question, runs);
    const answers = await askRingMacros(program, questions);
    const wrong = questions
      .map((asked, i) => ({ asked, core: askCore(asked), xen: answers[i] }))
      .filter(({ core, xen }) => core !== xen);
    expect(wrong.slice(0, 3)).toEqual([]);
  });
});
