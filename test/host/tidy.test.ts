/** What a reader may rely on in every file: its length, its width, and what is not in it. */
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

import { sources, type Source } from './sources.js';

const LINES_MAX = 400;
const COLUMNS_MAX = 100;
const FUNCTION_LINES_MAX = 70;

const code = sources(/\.(ts|js|mjs|c|h|S)$/);
const scripts = code.filter(({ path }) => /\.(ts|js|mjs)$/.test(path));
const assembly = code.filter(({ path }) => path.startsWith('assembly/'));
const texts = sources(/\.(ts|js|mjs|c|h|S|md|json|sh|npmrc)$|(^|\/)(run|LICENSE)$/);

/** `path:line: text` of every line that the test of a line finds wrong. */
function offenders(files: Source[], wrong: (line: string, path: string) => boolean): string[] {
  return files.flatMap(({ path, text }) =>
    text
      .split('\n')
      .map((line, index) => ({ line, at: `${path}:${index + 1}: ${line.trim()}` }))
      .filter(({ line }) => wrong(line, path))
      .map(({ at }) => at.slice(0, 160)),
  );
}

/** Callbacks of describe() and it() in tests are chapters, not functions. */
function isChapter(node: ts.Node, path: string): boolean {
  const inline = ts.isArrowFunction(node) || ts.isFunctionExpression(node);
  return inline && path.startsWith('test/') && ts.isCallExpression(node.parent);
}

function longFunctions({ path, text }: Source): string[] {
  const found: string[] = [];
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const lineAt = (position: number) => file.getLineAndCharacterOfPosition(position).line + 1;
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node) && !isChapter(node, path)) {
      const [first, last] = [lineAt(node.getStart()), lineAt(node.end)];
      if (last - first >= FUNCTION_LINES_MAX) found.push(`${path}:${first}: ${last - first + 1}`);
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

describe('every source file', () => {
  it('has no line of more than 100 columns', () => {
    expect(offenders(code, (line) => [...line].length > COLUMNS_MAX)).toEqual([]);
  });

  it('has no more than 400 lines', () => {
    const long = code.filter(({ text }) => text.trimEnd().split('\n').length > LINES_MAX);
    expect(long.map(({ path }) => path)).toEqual([]);
  });

  it('has no function of more than 70 lines', () => {
    expect(scripts.flatMap(longFunctions)).toEqual([]);
  });

  it('leaves nothing for later', () => {
    const later = new RegExp(`\\b(${['TO' + 'DO', 'FIX' + 'ME', 'X' + 'XX'].join('|')})\\b`);
    expect(offenders(texts, (line) => later.test(line))).toEqual([]);
  });

  it('names no folder of one machine and no package registry', () => {
    const folder = new RegExp(
      '(^|[\\s\'"`(=])/(' + ['work', 'home', 'root', 'Users'].join('|') + ')/',
    );
    const registry = new RegExp('"resolved": "https?:|\\b' + 'registry' + '\\.[a-z]+\\.[a-z]+');
    expect(offenders(texts, (line) => folder.test(line) || registry.test(line))).toEqual([]);
  });
});

describe('assembly', () => {
  it('has atomics in ring/order.ts and nowhere else', () => {
    const elsewhere = assembly.filter(({ path }) => path !== 'assembly/ring/order.ts');
    expect(offenders(elsewhere, (line) => /\batomic\./.test(line))).toEqual([]);
  });

  it('loads and stores what stands on a shared page in ring/order.ts and nowhere else', () => {
    const elsewhere = assembly.filter(({ path }) => path !== 'assembly/ring/order.ts');
    const plain = /\b(load|store)<\w+>\((\w+\.)?page\b/;
    expect(offenders(elsewhere, (line) => plain.test(line))).toEqual([]);
  });

  it('has no fence, because Binaryen deletes it', () => {
    const isCode = (line: string): boolean => !/^\s*(\*|\/\/|\/\*)/.test(line);
    const fence = new RegExp('\\batomic\\.' + 'fence\\s*\\(');
    expect(offenders(assembly, (line) => isCode(line) && fence.test(line))).toEqual([]);
  });

  it('has no decorator on a function', () => {
    const decorated = /@\w+(\([^)]*\))?\s+(export\s+)?(declare\s+)?function\b/;
    expect(assembly.filter(({ text }) => decorated.test(text)).map(({ path }) => path)).toEqual([]);
  });

  it('types every constant of wire, one on a line', () => {
    const wire = assembly.filter(({ path }) => path.startsWith('assembly/wire/'));
    const constant = /^export const [A-Z0-9_]+: [ui]32 = (0x)?[0-9a-f]+;/;
    expect(offenders(wire, (line) => line.startsWith('export') && !constant.test(line))).toEqual(
      [],
    );
  });
});
