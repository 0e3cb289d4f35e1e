/** The shape of build/dom0less.wasm: as the core's, with the three imports that a sender needs. */
import { readFileSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import { SECTION, shapeOf } from '../wasm-shape.js';

const SIZE_MAX = 6 * 1024;

const text = (path: string) => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');
const binary = readFileSync(new URL('../../../build/dom0less.wasm', import.meta.url));
const shape = await shapeOf(binary);

const declared = (path: string): string[] =>
  [...text(path).matchAll(/^export declare function (\w+)\(/gm)].map(([, n]) => `hypercalls.${n}`);

describe('dom0less.wasm', () => {
  it('has no data, no start function and no table, and never grows memory', () => {
    const { data, start, table, element } = SECTION;
    expect([data, start, table, element].filter((kind) => shape.sections.has(kind))).toEqual([]);
    expect(shape.instructions.get('memory.grow')).toBeUndefined();
  });

  it('imports exactly the memory, the seam of the core but masks, and its own addition', () => {
    const seam = [
      ...declared('assembly/hypercalls.ts').filter((name) => !name.endsWith('mask')),
      ...declared('assembly/dom0less/hypercalls.ts'),
    ];
    expect([...shape.imports.keys()].sort()).toEqual(['env.memory', ...seam].sort());
  });

  it('passes only 32-bit numbers in and out', () => {
    const all = [...shape.imports, ...shape.exports].filter(([, type]) => type !== 'memory');
    expect(all.filter(([, type]) => !/^(i32 ?)*->( i32)?$/.test(type))).toEqual([]);
  });

  it('is no larger than 6 KiB', () => {
    console.log(`${binary.length} bytes`);
    expect(binary.length).toBeLessThanOrEqual(SIZE_MAX);
  });
});
