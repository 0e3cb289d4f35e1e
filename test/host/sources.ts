/** The files of the repository, for the tests that hold them to rules. */
import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import ts from 'typescript';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Folders that are installed or made. */
const NOT_OURS = new Set(['.git', 'node_modules', 'build']);

export interface Source {
  /** Below the repository, with `/`. */
  readonly path: string;
  readonly text: string;
}

function walk(folder: string): string[] {
  return readdirSync(ROOT + folder, { withFileTypes: true }).flatMap((entry) => {
    const path = folder + entry.name;
    if (entry.isDirectory()) {
      // host/build is ours; only the folder of that name at the top is made.
      return NOT_OURS.has(entry.name) && folder === '' ? [] : walk(`${path}/`);
    }
    return [path];
  });
}

/** Every file whose path matches, with its text. */
export function sources(pattern: RegExp): Source[] {
  return walk('')
    .filter((path) => pattern.test(path))
    .map((path) => ({ path, text: readFileSync(ROOT + path, 'utf8') }));
}

/** What a module imports or exports from, types included. */
export function importsOf({ text }: Source): string[] {
  return ts.preProcessFile(text, true, true).importedFiles.map(({ fileName }) => fileName);
}

/** The repository's path of a relative import, without its ending; others as they are. */
export function resolve(from: string, name: string): string {
  if (!name.startsWith('.')) return name;
  const target = new URL(name, new URL(from, 'file:///')).pathname.slice(1);
  return target.replace(/\.(js|ts|mjs)$/, '');
}
