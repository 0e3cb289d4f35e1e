/**
 * `image`: a bootable arm64 image from a person's own program, app.ts or app.c. The compilers are
 * those of host/metal; this file checks what was given and says what came of it.
 */
import { statSync } from 'node:fs';
import { basename, dirname, extname, resolve } from 'node:path';

import { UsageError } from './failure.js';
import { failureOfMetal, importMetal } from './metal.js';
import { OUTPUT_OPTIONS } from './options.js';
import type { Invocation, Verb } from './verb.js';

const LANGUAGES = ['.ts', '.c'];

export const imageVerb: Verb = {
  name: 'image',
  summary: 'make a bootable guest image of a program',
  usage: 'PROGRAM',
  about: `Makes a flat arm64 image that Xen boots as a guest: PROGRAM is app.ts, AssemblyScript over
\`pvcalls/guest\`, or app.c over pvcalls_guest.h with an app_main(). Everything else that a guest
needs is linked to it. docs/guests.md shows both. From the repository only.

What asc or gcc say of the program is shown as they say it. A guest has no floating point, no file
system and no other imports than those of \`pvcalls/guest\` and console.log.

Ends with 1 when the program does not compile, 2 when something is missing; stderr says which.`,
  examples: ['image app.ts -o guest.img', 'image app.c'],
  options: ['output', ...OUTPUT_OPTIONS],
  arguments: [1, 1],
  run,
};

async function run({ options, positionals, output }: Invocation): Promise<number> {
  const program = positionals[0] ?? '';
  const extension = extname(program);
  const target = options.output ?? `${basename(program, extension)}.img`;
  check(program, extension, target);
  const started = performance.now();
  try {
    const { buildGuest } = await importMetal('build-guest.mjs');
    await buildGuest(resolve(program), resolve(target));
  } catch (error) {
    throw failureOfMetal(error);
  }
  const { size } = statSync(target);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  if (output.json) output.result('', { image: resolve(target), size });
  else output.note(`${target}: ${size} bytes, in ${seconds} s`);
  return 0;
}

function check(program: string, extension: string, target: string): void {
  if (!LANGUAGES.includes(extension)) {
    throw new UsageError(`${program} is neither .ts nor .c, which image takes`);
  }
  const { file } = kindOf(program);
  if (file === undefined) throw new UsageError(`there is no program ${program}`);
  if (!file) throw new UsageError(`${program} is a folder, not a program`);
  if (kindOf(target).file === false) throw new UsageError(`${target} is a folder, not an image`);
  if (kindOf(dirname(resolve(target))).file !== false) {
    throw new UsageError(`there is no folder ${dirname(target)} for the image`);
  }
}

/** Whether it is a file; undefined: there is none. */
function kindOf(path: string): { file: boolean | undefined } {
  const found = statSync(path, { throwIfNoEntry: false });
  return { file: found === undefined ? undefined : !found.isDirectory() };
}
