/**
 * Mutants of the core: the sources with one edit, compiled to a module of their own. A test that
 * should see the edit is run against that module, and must go red.
 *
 * An edit names text that occurs exactly once in its file, so that a table of edits breaks loudly
 * when the code that it is about has moved.
 */
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { shrink } from '../host/build/build.mjs';
import { inModules } from '../host/build/run.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const CORE_ENTRY = 'assembly/index.ts';

/** What asc reads besides the entry. */
const SOURCES = ['assembly', 'asconfig.json'];

/** Replaces `find`, which occurs once in `file`, a path below the repository. */
export interface Edit {
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

export interface MutantOptions {
  /** What is compiled: the core by default. */
  readonly entry?: string;
  /** More arguments of asc. */
  readonly flags?: readonly string[];
}

const asc = promisify(execFile);

/** `text` with the edit. Throws when what it looks for is not there exactly once. */
export function applyEdit(text: string, { file, find, replace }: Edit): string {
  const parts = text.split(find);
  if (find === '' || parts.length !== 2) {
    const times = find === '' ? 'nothing to find' : `${parts.length - 1} times`;
    throw new Error(`the edit of ${file} is not unique (${times}): ${find}`);
  }
  return parts.join(replace);
}

/**
 * Copies the sources to build/mutants/NAME, edits them there, and compiles as the release is.
 * Without edits: the module as it is. Result: the path of the wasm, which stands until the next
 * mutant of that name; names of tests that run at the same time must differ. Rejects with asc's
 * words when the mutant does not compile.
 */
export async function buildMutant(
  name: string,
  edits: readonly Edit[],
  { entry = CORE_ENTRY, flags = [] }: MutantOptions = {},
): Promise<string> {
  const folder = `${ROOT}build/mutants/${name}`;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const path of new Set([...SOURCES, entry])) {
    cpSync(ROOT + path, `${folder}/${path}`, { recursive: true });
  }
  for (const edit of edits) {
    const path = `${folder}/${edit.file}`;
    writeFileSync(path, applyEdit(readFileSync(path, 'utf8'), edit));
  }
  const files = ['--outFile=mutant.wasm', '--textFile=mutant.wat'];
  const options = ['--config=asconfig.json', '--target=release', '--noColors', ...files, ...flags];
  const program = inModules('assemblyscript/bin/asc.js');
  try {
    await asc(process.execPath, [program, entry, ...options], { cwd: folder });
  } catch (error) {
    const { stderr } = error as { stderr?: string };
    throw new Error(`mutant ${name} does not compile\n${stderr ?? ''}`, { cause: error });
  }
  await shrink(`${folder}/mutant.wasm`);
  return `${folder}/mutant.wasm`;
}
