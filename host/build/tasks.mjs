/** The tasks behind the npm scripts. Each does all its own set-up, and gives an exit code. */
import { existsSync, watch as watchFiles } from 'node:fs';

import { build } from './build.mjs';
import { bench, benchXen } from './bench.mjs';
import { check, format } from './check.mjs';
import { installDependencies } from './dependencies.mjs';
import { Failure, explain, progress } from './report.mjs';
import { ROOT } from './run.mjs';
import { buildLibrary } from '../embed/build-library.mjs';
import { setUpXen } from '../metal/setup.mjs';
import { soak, test, testLong, testNative, testPeers, testXen } from './test.mjs';
import { writeVectors } from './vectors.mjs';

const CLI = new URL('../../build/host/cli.js', import.meta.url);

/** @typedef {(args: string[]) => Promise<number>} Task */

/** @type {Record<string, Task>} */
const TASKS = {
  start,
  test,
  'test:native': testNative,
  'test:peers': testPeers,
  'test:xen': testXen,
  'test:long': testLong,
  'test:soak': soak,
  'xen:setup': setUpXen,
  check,
  format,
  build: async (args) => {
    await build(args.length > 0 ? args : undefined);
    return 0;
  },
  lib: async () => {
    await build(['core']);
    await buildLibrary();
    return 0;
  },
  watch,
  bench,
  'bench:xen': benchXen,
  vectors: writeVectors,
};

/** @param {string[]} argv A task and its arguments. */
export async function main([name = '', ...args]) {
  try {
    const task = TASKS[name];
    if (!task) throw new Failure(`There is no task "${name}".`, { exitCode: 2 });
    await installDependencies();
    const exitCode = await task(args);
    // The command-line program goes on after `start` has returned, and decides for itself.
    if (exitCode !== 0) process.exitCode = exitCode;
  } catch (error) {
    process.exitCode = explain(error);
  }
}

/**
 * Runs the command-line program in this very process, so that its input, output, signals and exit
 * code are npm's, with nothing in between.
 *
 * @type {Task}
 */
async function start(args) {
  await build(['core', 'host']);
  if (!existsSync(CLI)) throw new Failure('There is no build/host/cli.js; host/cli is missing.');
  process.argv.splice(1, process.argv.length, CLI.pathname, ...(args.length > 0 ? args : ['demo']));
  await import(CLI.href);
  return 0;
}

/** @type {Task} */
async function watch() {
  /** @type {NodeJS.Timeout | undefined} */
  let timer;
  const rebuild = async () => {
    const started = performance.now();
    try {
      await build();
      progress(`built in ${((performance.now() - started) / 1000).toFixed(1)} s`);
    } catch (error) {
      explain(error);
    }
  };
  await rebuild();
  for (const folder of ['assembly', 'host']) {
    watchFiles(ROOT + folder, { recursive: true }, () => {
      clearTimeout(timer);
      timer = setTimeout(rebuild, 100); // editors write a file in several steps
    });
  }
  progress('watching assembly and host; interrupt to end');
  return 0;
}
