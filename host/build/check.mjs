/** `npm run check`: types, lint and format. Directions, tidiness and generated files are tests. */
import { availableParallelism } from 'node:os';

import { Failure, explain, progress } from './report.mjs';
import { inModules, run, show } from './run.mjs';

/** @type {{ failed: string, args: string[] }[]} */
const CHECKS = [
  { failed: 'The types do not hold.', args: [inModules('typescript/bin/tsc')] },
  {
    failed: 'The core does not compile.',
    args: [
      inModules('assemblyscript/bin/asc.js'),
      'assembly/index.ts',
      '--config=asconfig.json',
      '--target=debug',
      '--outFile=build/check.wasm',
      '--noColors',
    ],
  },
  { failed: 'eslint found faults.', args: [inModules('eslint/bin/eslint.js'), '.'] },
  {
    failed: 'Some files are not formatted; `npm run format` does it.',
    args: [inModules('prettier/bin/prettier.cjs'), '--check', '--log-level=warn', '.'],
  },
];

/** Runs every check, even after one has failed. @returns {Promise<number>} */
export async function check() {
  const waiting = [...CHECKS];
  let exitCode = 0;
  const worker = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      try {
        await run(next.failed, process.execPath, next.args);
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
        exitCode = explain(error);
      }
    }
  };
  progress('checking types, lint and format');
  await Promise.all(Array.from({ length: Math.min(availableParallelism(), 4) }, worker));
  return exitCode;
}

/** `npm run format`: rewrites files the way `check` wants them. */
export function format() {
  return show(process.execPath, [
    inModules('prettier/bin/prettier.cjs'),
    '--write',
    '--log-level=warn',
    '.',
  ]);
}
