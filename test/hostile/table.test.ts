/** docs/protocols/hardening.md says where the code, tests and mutants of a line are: is it so? */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { MUTANTS } from './mutants.js';

const text = (path: string): string =>
  readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

interface Row {
  readonly line: number;
  readonly attack: string;
  readonly seen: string;
  readonly code: string;
  readonly tests: string[];
  readonly mutants: string[];
}

const names = (cell: string): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name!);

const rows: Row[] = [...text('docs/protocols/hardening.md').matchAll(/^\| (\d+) \|(.*)\|$/gm)].map(
  ([, line, rest]) => {
    const [attack = '', seen = '', code = '', tests = '', mutants = ''] = rest!
      .split('|')
      .map((cell) => cell.trim());
    return { line: Number(line), attack, seen, code, tests: names(tests), mutants: names(mutants) };
  },
);

describe('the table of the hardening list', () => {
  it('has the lines 1 to 25, in order and complete', () => {
    expect(rows.map(({ line }) => line)).toEqual(Array.from({ length: 25 }, (_, i) => i + 1));
    for (const { attack, seen, tests } of rows) {
      expect([attack, seen, ...tests].every((cell) => cell.length > 0)).toBe(true);
      expect(tests.length).toBeGreaterThan(0);
    }
  });

  it('names tests that are there', () => {
    for (const { line, tests } of rows) {
      for (const file of tests) {
        expect(text(`test/hostile/${file}`), `${file}, line ${line}`).toContain(`'line ${line}: `);
      }
    }
  });

  it('names every mutant of a line, and no other', () => {
    for (const { line, mutants } of rows) {
      const known = MUTANTS.filter((mutant) => mutant.line === line).map(({ name }) => name);
      expect([...mutants].sort(), `line ${line}`).toEqual(known.sort());
    }
  });

  it('names functions that are where it says', () => {
    for (const { line, code } of rows) {
      for (const place of code.split(';')) {
        const all = names(place);
        const file = all.pop() ?? '';
        expect(all.length, `line ${line}: ${place}`).toBeGreaterThan(0);
        for (const name of all) {
          expect(text(`assembly/${file}`), `line ${line}`).toMatch(`function ${name}(`);
        }
      }
    }
  });
});
