/**
 * The compiler for the self-test, a child process of the build: asc with its own arguments, which
 * reads some files in another way than they stand there.
 *
 * The specs of the core become part of a module that imports nothing: the hypercalls and the fake
 * Xen come from test/assembly/self-test/xen.ts, and every spec says first which file it is.
 */
import { existsSync, readFileSync } from 'node:fs';
import { basename, resolve } from 'node:path';

import asc from 'assemblyscript/asc';

/** Files that are replaced, and what stands in their place. */
const REPLACED = new Map([
  ['assembly/hypercalls.ts', "export * from '../test/assembly/self-test/xen';"],
  ['test/assembly/fake.ts', "export * from './self-test/xen';"],
]);

/**
 * @param {string} name Below `base`, which is the repository for ours.
 * @param {string} base
 */
function readFile(name, base) {
  const replaced = REPLACED.get(name);
  if (replaced !== undefined) return replaced;
  const path = resolve(base, name);
  if (!existsSync(path)) return null;
  const text = readFileSync(path, 'utf8');
  // On the first line, so that the numbers of lines stay.
  return name.endsWith('.spec.ts') ? `specFile('${basename(name)}'); ${text}` : text;
}

const { error, stderr } = await asc.main(process.argv.slice(2), { readFile });
process.stderr.write(stderr.toString());
if (error) process.exitCode = 1;
