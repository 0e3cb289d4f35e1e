/**
 * Every constant of assembly/wire against what C compilers found in Xen's own headers
 * (test/vectors/layout.json, made by test/vectors/layout.c), and the other way round: nothing in
 * the tables stands for a constant that is gone.
 */
import { readFileSync, readdirSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import { EXPRESSIONS, OURS, type Expressions } from '../vectors/wire-expressions.js';

const WIRE = new URL('../../assembly/wire/', import.meta.url);
const LAYOUT = new URL('../vectors/layout.json', import.meta.url);

type Value = number | Record<string, number>;
const { constants } = JSON.parse(readFileSync(LAYOUT, 'utf8')) as {
  constants: Record<string, Value>;
};

/** An expression may name the architecture it is meant for: `arm64: sizeof(...)`. */
function valueOf(expression: string): number | undefined {
  const [, architecture, text] = /^(?:(arm64|x86-64): )?(.*)$/.exec(expression) ?? [];
  const value = constants[text ?? ''];
  if (typeof value !== 'object') return architecture ? undefined : value;
  return architecture ? value[architecture] : undefined;
}

/** An error number is what both documents say, what Linux's header says, or both. */
function errnoExpressions(name: string): Expressions {
  return [`SPEC_${name}`, name].filter((expression) => expression in constants);
}

function expressionsFor(file: string, name: string): readonly string[] {
  const mapped = file === 'errno' ? errnoExpressions(name) : EXPRESSIONS[file]?.[name];
  return typeof mapped === 'string' ? [mapped] : (mapped ?? []);
}

function isOurs(file: string, name: string): boolean {
  const ours = OURS[file];
  return typeof ours === 'string' || ours?.[name] !== undefined;
}

const files = readdirSync(WIRE).map((file) => file.replace(/\.ts$/, ''));
const wire = new Map<string, Record<string, unknown>>();
for (const file of files) {
  wire.set(file, (await import(new URL(`${file}.ts`, WIRE).href)) as Record<string, unknown>);
}

/** What is wrong with a constant, or nothing. */
function faultsOf(file: string, [name, value]: [string, unknown]): string[] {
  const expressions = expressionsFor(file, name);
  if (expressions.length === 0 && !isOurs(file, name)) {
    return [`${name} is neither in EXPRESSIONS nor in OURS of test/vectors/wire-expressions.ts`];
  }
  return expressions
    .filter((expression) => valueOf(expression) !== value)
    .map((expression) => `${name} is ${String(value)}, ${expression} ${valueOf(expression)}`);
}

describe.each(files)('assembly/wire/%s.ts', (file) => {
  const constants = wire.get(file) ?? {};

  it('has every constant as C has it', () => {
    expect(Object.keys(constants).length).toBeGreaterThan(0);
    expect(Object.entries(constants).flatMap((entry) => faultsOf(file, entry))).toEqual([]);
  });

  it('has every constant that the tables of expressions name', () => {
    const ours = typeof OURS[file] === 'object' ? Object.keys(OURS[file]) : [];
    const named = [...Object.keys(EXPRESSIONS[file] ?? {}), ...ours];
    expect(named.filter((name) => !(name in constants))).toEqual([]);
  });
});

describe('layout.json', () => {
  it('shows that the two dialects differ where the documents do', () => {
    expect(valueOf('offsetof(struct pvcalls_data_intf, ring_order)')).toBe(128);
    expect(valueOf('offsetof(struct v7_data_intf, ring_order)')).toBe(76);
  });
});
