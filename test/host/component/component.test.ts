/**
 * The component: its names are those of docs/abi.md and of the seam, its core is the core without
 * threads, and what it does is what the native build does, event for event.
 */
import { readFileSync } from 'node:fs';

import { componentWit } from '@bytecodealliance/jco';
import { describe, expect, it } from 'vitest';

import { ECONNREFUSED } from '../../../assembly/wire/errno.js';
import { createComponentFrontend } from '../../../host/component/index.js';
import type { CoreHypercalls } from '../../../host/core/exports.js';
import { createMachine } from '../../../host/machine/index.js';
import { SECTION, shapeOf } from '../wasm-shape.js';
import { converse, DIALLED, ECHOED } from './conversation.js';

const read = (path: string) => readFileSync(new URL(`../../../${path}`, import.meta.url));
const text = (path: string): string => read(path).toString('utf8');
const kebab = (name: string): string => name.replaceAll('_', '-');

/** `name(parameter, ...)` of every function of an interface, as the WIT has them. */
function functionsOf(name: string): string[] {
  const wit = text('host/component/wit/pvcalls.wit');
  const body = new RegExp(`^interface ${name} \\{(.*?)^\\}`, 'ms').exec(wit)?.[1] ?? '';
  return [...body.matchAll(/^ {2}([\w-]+): func\((.*?)\)/gm)].map(([, func, parameters = '']) => {
    const names = [...parameters.matchAll(/%?([\w-]+):/g)].map(([, parameter]) => parameter);
    return `${func}(${names.join(', ')})`;
  });
}

/** Rows of docs/abi.md that start with | `name(parameter, ...)` */
function documented(): string[] {
  const rows = text('docs/abi.md').matchAll(/^\| `(\w+\([\w, ]*\))`/gm);
  return [...rows].map(([, call = '']) => kebab(call));
}

/** What assembly/hypercalls.ts declares. */
function declared(): string[] {
  const declarations = text('assembly/hypercalls.ts').matchAll(
    /^export declare function (\w+)\((.*)\)/gm,
  );
  return [...declarations].map(([, name = '', parameters = '']) =>
    kebab(`${name}(${parameters.replaceAll(/: \w+/g, '')})`),
  );
}

const nothing = {} as CoreHypercalls;

describe('the WIT', () => {
  it('has the exports of docs/abi.md, parameter by parameter', () => {
    expect(functionsOf('frontend').length).toBeGreaterThan(0);
    expect(functionsOf('frontend').sort()).toEqual(documented().sort());
  });

  it('has the imports of the seam, parameter by parameter', () => {
    expect(functionsOf('hypercalls').sort()).toEqual(declared().sort());
  });

  it('is what the component says of itself', async () => {
    const wit = await componentWit(read('build/component/pvcalls.wasm'));
    expect(wit).toMatch(/^ {2}import xen:pvcalls\/hypercalls;$/m);
    expect(wit).toMatch(/^ {2}export xen:pvcalls\/frontend;$/m);
    expect(wit.match(/^ {2}(import|export) /gm)).toHaveLength(2);
  });
});

describe('the core in the component', async () => {
  const shape = await shapeOf(read('build/component/pvcalls.core.wasm'));

  it('imports hypercalls and no memory, and has neither data nor start function', () => {
    const names = declared().map((call) => call.replace(/\(.*/, ''));
    const wanted = names.map((name) => `xen:pvcalls/hypercalls.${name}`);
    expect([...shape.imports.keys()].sort()).toEqual(wanted.sort());
    const { data, start, table, element } = SECTION;
    expect([data, start, table, element].filter((kind) => shape.sections.has(kind))).toEqual([]);
  });

  it('exports the frontend, function by function, and its memory', () => {
    const names = documented().map((call) => call.replace(/\(.*/, ''));
    const wanted = names.map((name) => `xen:pvcalls/frontend#${name}`);
    expect([...shape.exports.keys()].sort()).toEqual(['memory', ...wanted].sort());
  });

  it('has no atomics, and leaves the size of its memory to the embedder', () => {
    const names = [...shape.instructions.keys()];
    expect(names.filter((name) => name.includes('atomic') || name === 'memory.grow')).toEqual([]);
  });
});

describe('createComponentFrontend', () => {
  it('gives each instance an unshared memory of its own, as large as was asked for', async () => {
    const [one, other] = await Promise.all([
      createComponentFrontend({ hypercalls: nothing, memoryMiB: 3 }),
      createComponentFrontend({ hypercalls: nothing }),
    ]);
    expect(one.memory.buffer).toBeInstanceOf(ArrayBuffer);
    expect(one.memory.buffer.byteLength).toBe(3 << 20);
    expect(other.memory.buffer.byteLength).toBe(64 << 20);
  });

  it.each([0, 1.5, 4096, NaN])('refuses a memory of %s MiB', async (memoryMiB) => {
    const made = createComponentFrontend({ hypercalls: nothing, memoryMiB });
    await expect(made).rejects.toThrow(RangeError);
  });

  it('makes memory in which a machine can lie, on one thread', async () => {
    const { memory } = await createComponentFrontend({ hypercalls: nothing, memoryMiB: 16 });
    const machine = createMachine({ memory, maxDomains: 2 });
    expect(machine.memory).toBe(memory);
    expect(() => machine.handle()).toThrow('not shared');
    machine.close();
  });
});

describe('a conversation', () => {
  it.each([1, 2, 3])('reads the same on both builds, seed %i', async (seed) => {
    const [component, native] = [await converse('component', seed), await converse('native', seed)];
    expect(component.echoed).toBe(ECHOED);
    expect(component.dialled).toBe(DIALLED);
    expect(component.refusal).toBe(-ECONNREFUSED);
    expect(component.log).toEqual(native.log);
  });

  it('depends on the seed, or the sameness above would say nothing', async () => {
    const [one, other] = [await converse('component', 1), await converse('component', 2)];
    expect(one.log).not.toEqual(other.log);
  });
});
