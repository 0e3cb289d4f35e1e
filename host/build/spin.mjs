/** Verifies a Promela model: spin makes a C program that visits every state, gcc compiles it. */
import { mkdirSync, rmSync } from 'node:fs';

import { ROOT, run } from './run.mjs';
import { MODEL_TOOLS, requireTools } from './tools.mjs';

/** Longest run that is followed, in steps, and memory for states, in MiB. */
const DEPTH_MAX = 5_000_000;
const MEMORY_MIB = 3000;

/** @typedef {{ states: number, error: string | undefined }} Verdict */

/**
 * Visits every state of `model` with these `-D` defines. States and, if there is one, the first
 * error in pan's words. Rejects when the search did not come to an end.
 *
 * @param {string} model Path below the repository.
 * @param {string[]} defines
 * @returns {Promise<Verdict>}
 */
export async function verify(model, defines) {
  requireTools(MODEL_TOOLS);
  const name = [model.replace(/.*\/|\.pml$/g, ''), ...defines].join('-').replace(/[^\w-]/g, '');
  const cwd = `${ROOT}build/spin/${name}`;
  rmSync(cwd, { recursive: true, force: true });
  mkdirSync(cwd, { recursive: true });
  const flags = defines.map((define) => `-D${define}`);
  await run(`spin does not read ${model}.`, 'spin', ['-a', ...flags, ROOT + model], { cwd });
  const memory = `-DMEMLIM=${MEMORY_MIB}`;
  const compile = ['-O2', '-w', '-DSAFETY', memory, '-o', 'pan', 'pan.c'];
  await run('What spin made does not compile.', 'gcc', compile, { cwd });
  const output = await run('pan failed.', `${cwd}/pan`, [`-m${DEPTH_MAX}`], { cwd });
  const [, errors] = /errors: (\d+)/.exec(output) ?? [];
  const [, states] = /(\d+) states, stored/.exec(output) ?? [];
  const incomplete = errors === '0' && /too small|not completed/.test(output);
  if (!states || !errors || incomplete) {
    throw new Error(`pan did not come to an end\n${output}`);
  }
  const [, error] = /pan:\d+: (.*) \(at depth/.exec(output) ?? [];
  if ((errors === '0') !== (error === undefined)) throw new Error(`pan is not clear\n${output}`);
  return { states: Number(states), error };
}
