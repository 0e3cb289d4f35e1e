/**
 * The shape of build/core.wasm: no memory of its own, nothing but hypercalls below it, exactly the
 * documented exports above it, and atomics wherever memory is shared.
 */
import { readFileSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import { INIT_ARENA, INIT_FRAMES, INIT_SOCKETS } from '../../assembly/wire/abi.js';
import type { CoreExports } from '../../host/core/exports.js';
import { SECTION, shapeOf } from './wasm-shape.js';

const SIZE_MAX = 16 * 1024;

const text = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const binary = readFileSync(new URL('../../build/core.wasm', import.meta.url));
const shape = await shapeOf(binary);

/** Functions that assembly/hypercalls.ts declares. */
function declaredHypercalls(): string[] {
  const declared = text('assembly/hypercalls.ts').matchAll(/^export declare function (\w+)\(/gm);
  return [...declared].map(([, name]) => `hypercalls.${name}`);
}

/** Memory for the largest arena that docs/abi.md measures, in pages of 64 KiB. */
const ARENA_PAGES = 16_384 / 16;

/** Frames that the core keeps of an arena for its tables. */
function tableFrames(frames: number, sockets: number): number {
  const memory = new WebAssembly.Memory({ initial: ARENA_PAGES + 1, maximum: 65536, shared: true });
  const names = declaredHypercalls().map((name) => name.replace(/.*\./, ''));
  const hypercalls = Object.fromEntries(names.map((name) => [name, () => 0]));
  const module = new WebAssembly.Module(binary);
  const { exports } = new WebAssembly.Instance(module, { env: { memory }, hypercalls });
  const words = new Uint32Array(memory.buffer);
  const config = 64;
  words[(config + INIT_ARENA) >>> 2] = 65536;
  words[(config + INIT_FRAMES) >>> 2] = frames;
  words[(config + INIT_SOCKETS) >>> 2] = sockets;
  return frames - (exports as unknown as CoreExports).init(config);
}

/** Functions that docs/abi.md describes: rows that start with | `name( */
function documentedExports(): string[] {
  return [...text('docs/abi.md').matchAll(/^\| `(\w+)\(/gm)].map(([, name]) => name ?? '');
}

describe('core.wasm', () => {
  it('has no data, no start function and no table', () => {
    const { data, start, table, element } = SECTION;
    expect([data, start, table, element].filter((kind) => shape.sections.has(kind))).toEqual([]);
  });

  it('never grows or initialises memory', () => {
    expect(shape.instructions.get('memory.grow')).toBeUndefined();
    expect(shape.instructions.get('memory.init')).toBeUndefined();
  });

  it('imports exactly the memory and the hypercalls of the seam', () => {
    expect([...shape.imports.keys()].sort()).toEqual(
      ['env.memory', ...declaredHypercalls()].sort(),
    );
  });

  it('exports exactly what docs/abi.md describes', () => {
    expect([...shape.exports.keys()].sort()).toEqual(documentedExports().sort());
  });

  it('takes the frames for its tables that docs/abi.md says', () => {
    const table = /of 1,024 frames[^]*?\n\n/.exec(text('docs/abi.md'))![0].replaceAll(',', '');
    const rows = [...table.matchAll(/^\| (\d+) \| (\d+) \| (\d+) \|$/gm)];
    expect(rows.length).toBeGreaterThan(0);
    for (const [row, sockets, ...taken] of rows) {
      const measured = [1024, 16_384].map((frames) => tableFrames(frames, Number(sockets)));
      expect(measured, row).toEqual(taken.map(Number));
    }
  });

  it('passes only 32-bit numbers in and out', () => {
    const all = [...shape.imports, ...shape.exports].filter(([, type]) => type !== 'memory');
    expect(all.filter(([, type]) => !/^(i32 ?)*->( i32)?$/.test(type))).toEqual([]);
  });

  it('has atomics, and no fence that Binaryen could have dropped others with', () => {
    const atomics = [...shape.instructions].filter(([name]) => name.includes('atomic'));
    console.log(atomics.map(([name, count]) => `${count} ${name}`).join(', '));
    expect(shape.instructions.get('i32.atomic.load') ?? 0).toBeGreaterThan(0);
    expect(shape.instructions.get('i32.atomic.store') ?? 0).toBeGreaterThan(0);
    expect(shape.instructions.get('atomic.fence')).toBeUndefined();
  });

  it('is no larger than 16 KiB', () => {
    console.log(`${binary.length} bytes`);
    expect(binary.length).toBeLessThanOrEqual(SIZE_MAX);
  });
});
