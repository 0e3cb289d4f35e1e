/**
 * `npm run bench`: bundles test/bench/*.bench.ts and runs each in a process of its own. Names are
 * parts of file names, or of the names of rows.
 */
import { mkdirSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';

import { build } from './build.mjs';
import { filesBelow } from './freshness.mjs';
import { Failure } from './report.mjs';
import { ROOT, run, show } from './run.mjs';
import { BENCH_TOOLS, requireTools } from './tools.mjs';
import { requireXen } from '../metal/setup.mjs';

const OUT = 'build/bench/';
/** Exit code of a bench none of whose rows was wanted; see test/bench/rounds.ts. */
const NO_ROWS = 64;

/**
 * @param {string[]} names
 * @returns {Promise<number>}
 */
export async function bench(names) {
  requireTools(BENCH_TOOLS);
  await build(['core', 'loops', 'host']);
  const all = filesBelow('test/bench').filter((file) => file.endsWith('.bench.ts'));
  const named = all.filter((file) => names.some((name) => file.includes(name)));
  const [files, rows] = named.length > 0 ? [named, []] : [all, names];
  await Promise.all([compileRing(), bundle(files)]);
  await printHeader();
  let found = false;
  for (const file of files) {
    const exitCode = await show(process.execPath, [outOf(file), ...rows]);
    if (exitCode !== 0 && exitCode !== NO_ROWS) return exitCode;
    found ||= exitCode === 0;
  }
  if (!found) throw new Failure(`No row is called ${names.join(' or ')}.`, { exitCode: 2 });
  return 0;
}

/**
 * `npm run bench:xen`: our guest and Linux's own frontend on Linux's backend, under real Xen.
 *
 * @returns {Promise<number>}
 */
export async function benchXen() {
  requireXen();
  await build(['core']);
  const file = 'test/bench/xen.main.ts';
  await bundle([file]);
  return show(process.execPath, [outOf(file)]);
}

/** @param {string} file */
function outOf(file) {
  return ROOT + file.replace('test/bench/', OUT).replace(/\.ts$/, '.js');
}

async function compileRing() {
  mkdirSync(ROOT + OUT, { recursive: true });
  const flags = ['-std=gnu11', '-O2', '-Wall', '-Wextra', '-pthread'];
  await run('test/bench/ring.c does not compile.', 'gcc', [
    ...flags,
    'test/bench/ring.c',
    '-o',
    `${OUT}ring`,
  ]);
}

/** @param {string[]} files */
async function bundle(files) {
  const esbuild = await import('esbuild');
  await esbuild.build({
    absWorkingDir: ROOT,
    entryPoints: files,
    outdir: OUT,
    outbase: 'test/bench',
    bundle: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
    logLevel: 'error',
  });
}

async function printHeader() {
  const gcc = (await run('gcc does not answer.', 'gcc', ['-dumpfullversion'])).trim();
  console.log(
    `${cpus()[0]?.model ?? process.arch}, ${availableParallelism()} processors, ` +
      `node ${process.version}, gcc ${gcc}; medians (5 % .. 95 %) of 15 rounds`,
  );
}
