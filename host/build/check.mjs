/**
 * `npm run check`: types, lint, format, and the package as others would install it. Directions,
 * tidiness and generated files are tests.
 */
import { availableParallelism } from 'node:os';

import { build } from './build.mjs';
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

/** What looks at the packed package, which must be built for it. */
const PACKAGE_CHECKS = [
  { failed: 'publint found faults.', args: [inModules('publint/src/cli.js'), '--strict'] },
  {
    failed: 'The types of the package do not resolve.',
    args: [
      inModules('@arethetypeswrong/cli/dist/index.js'),
      '--pack',
      '--profile=esm-only',
      '--exclude-entrypoints=core.wasm',
      '--exclude-entrypoints=component.wasm',
      '--format=ascii',
    ],
  },
];

/** Runs every check, even after one has failed. @returns {Promise<number>} */
export async function check() {
  await build();
  const waiting = [...CHECKS, ...PACKAGE_CHECKS];
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
