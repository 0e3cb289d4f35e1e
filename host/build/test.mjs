/**
 * The test tasks. Reports go to build/reports: vitest-PROJECT.json from vitest itself, and
 * as-pect.json with the totals of as-pect's closing block, for .ci/run to add up.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { stripVTControlCharacters } from 'node:util';

import { build } from './build.mjs';
import { filesBelow } from './freshness.mjs';
import { Failure, progress } from './report.mjs';
import { ROOT, inModules, show } from './run.mjs';
import { requireDom0 } from '../metal/dom0/setup.mjs';
import { requireXen } from '../metal/setup.mjs';
import { MODEL_TOOLS, NATIVE_TOOLS, PEER_TOOLS, requireTools } from './tools.mjs';

const REPORTS = `${ROOT}build/reports`;
const LINE_MAX = 500;

/**
 * `npm test`: as-pect, then vitest. Arguments go to vitest, and then as-pect is left out.
 *
 * @param {string[]} args
 */
export async function test(args) {
  await build();
  const specs = args.length > 0 ? 0 : await asPect();
  const host = await vitest('host', args);
  return specs || host;
}

/** `npm run test:native`: against a C compiler and Xen's own headers. @param {string[]} args */
export async function testNative(args) {
  requireTools(NATIVE_TOOLS);
  await build(['core', 'dom0less', 'selftest']);
  return vitest('native', args);
}

/** `npm run test:xen`: guests under real Xen, in QEMU. @param {string[]} args */
export async function testXen(args) {
  requireXen();
  await build(['core', 'dom0less', 'host']);
  return vitest('xen', args);
}

/** `npm run test:peers`: real programs through the command line. @param {string[]} args */
export async function testPeers(args) {
  requireTools(PEER_TOOLS);
  await build(['core', 'host']);
  return vitest('peers', args);
}

/** `npm run test:long`: everything, at length. */
export async function testLong() {
  requireTools([...NATIVE_TOOLS, ...PEER_TOOLS, ...MODEL_TOOLS]);
  requireXen();
  requireDom0('x86-64');
  process.env['PVCALLS_LONG'] = '1';
  const codes = [
    await test([]),
    await testNative([]),
    await testPeers([]),
    await soak(),
    await testXen([]),
  ];
  return codes.find((code) => code !== 0) ?? 0;
}

/**
 * Ten minutes of everything at full speed: a program of its own, because a terminal shows how far
 * it is, and what resident memory grows by would otherwise be the test runner's.
 */
export async function soak() {
  await build(['core', 'host']);
  const esbuild = await import('esbuild');
  const outfile = 'build/load/soak.js';
  await esbuild.build({
    absWorkingDir: ROOT,
    entryPoints: ['test/load/soak.main.ts'],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
    logLevel: 'error',
  });
  return show(process.execPath, [ROOT + outfile]);
}

/** @param {string} project @param {string[]} args */
function vitest(project, args) {
  return show(process.execPath, [
    inModules('vitest/vitest.mjs'),
    'run',
    `--project=${project}`,
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=build/reports/vitest-${project}.json`,
    ...args,
  ]);
}

/**
 * Runs the specs of the core. as-pect succeeds when it finds no spec, and its JSON reporter breaks
 * on two groups, so specs are counted first and its closing block is read.
 *
 * @returns {Promise<number>}
 */
async function asPect() {
  if (!filesBelow('test/assembly').some((file) => file.endsWith('.spec.ts'))) {
    throw new Failure('There are no specs of the core in test/assembly.');
  }
  progress('running the specs of the core');
  const { exitCode, output } = await captureAsPect();
  const [, passed, total] = /\[Tests\]: (\d+) \/ (\d+)/.exec(output) ?? [];
  if (total === undefined || total === '0') {
    throw new Failure('as-pect ended without running a test.');
  }
  mkdirSync(REPORTS, { recursive: true });
  const report = { passed: Number(passed), failed: Number(total) - Number(passed) };
  writeFileSync(`${REPORTS}/as-pect.json`, JSON.stringify(report));
  return report.failed > 0 ? 1 : exitCode;
}

/**
 * Shows as-pect's output as it comes and keeps it without colours. Lines are cut: when as-pect
 * crashes, Node prints the offending line, and that is a compiler of several megabytes.
 *
 * @returns {Promise<{ exitCode: number, output: string }>}
 */
async function captureAsPect() {
  const args = ['--enable-source-maps', inModules('@as-pect/cli/lib/test.js'), '--summary'];
  const child = spawn(process.execPath, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  const closed = new Promise((resolve) => child.on('close', (code) => resolve(code ?? 1)));
  const follow = async (/** @type {import('node:stream').Readable} */ stream) => {
    for await (const line of createInterface({ input: stream })) {
      const shown = line.slice(0, LINE_MAX);
      process.stdout.write(`${shown}\n`);
      output += `${stripVTControlCharacters(shown)}\n`;
    }
  };
  await Promise.all([follow(child.stdout), follow(child.stderr)]);
  return { exitCode: await closed, output };
}
