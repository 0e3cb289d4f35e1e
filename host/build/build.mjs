/**
 * The build: assembly/ -> build/core.wasm and dom0less.wasm, the component -> build/component,
 * host/ -> build/host/*.js, declarations -> build/types.
 *
 * To add a bundle, add its entry to BUNDLES. A bundle lies two folders deep, as its sources do
 * (host/core/x.ts, build/host/x.js), so `new URL('../../build/core.wasm', import.meta.url)` finds
 * the core from either.
 */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';

import { COMPONENT, COMPONENT_CORE, makeComponent } from './component.mjs';
import { filesBelow, isFresh, makeAndNote } from './freshness.mjs';
import { Failure, progress } from './report.mjs';
import { ROOT, inModules, run } from './run.mjs';

/** Name of the file in build/host -> its entry. */
const BUNDLES = {
  index: 'host/index.ts',
  component: 'host/component/index.ts',
  cli: 'host/cli/main.ts',
  'cli-worker': 'host/cli/worker.ts',
};

const CORE_ENTRY = 'assembly/index.ts';

/** The core's ring arithmetic as a module of its own, for tests. */
export const RINGS_ENTRY = 'test/assembly/rings-entry.ts';

/**
 * The core and its rings with a hook before every access to shared memory: ring/order.ts. The rings
 * are so narrow there that all their states can be visited: ring/serial.ts, ring/shared-ring.ts.
 */
export const TRACED = ['--use', 'TRACED=1'];
export const TRACED_RINGS = [...TRACED, '--use', 'INDEX_BITS=3', '--use', 'RING_SLOTS=2'];

/** Loops over the core's byte ring, for the bench: compiled as the core is. */
const LOOPS_ENTRY = 'test/assembly/ring-loops.ts';

/** Two guests without a dom0 find each other: a module of its own, so that the core stays small. */
const DOM0LESS_ENTRY = 'assembly/dom0less/index.ts';

/** The specs of the core as a module that needs no host, for any engine. */
const SELF_TEST_ENTRY = 'test/assembly/self-test/main.ts';

/** What every step depends on. */
const TOOLS = ['host/build', 'package-lock.json'];
const HOST_INPUTS = ['host', 'assembly/wire', 'tsconfig.json', 'package.json', 'package-lock.json'];

/**
 * `after`: steps whose outputs this one reads.
 *
 * @typedef {{
 *   inputs: string[], outputs: string[], after?: string[], make: () => Promise<void>
 * }} Step
 */

/** @type {Record<string, Step>} */
const STEPS = {
  core: {
    inputs: ['assembly', 'asconfig.json', ...TOOLS],
    outputs: ['build/core.wasm', 'build/core.debug.wasm'],
    make: async () => {
      await Promise.all([compile('release'), compile('debug')]);
    },
  },
  dom0less: {
    inputs: ['assembly', 'asconfig.json', ...TOOLS],
    outputs: ['build/dom0less.wasm'],
    make: () => compile('release', DOM0LESS_ENTRY, 'build/dom0less'),
  },
  component: {
    inputs: ['assembly', 'host/component/wit', 'asconfig.json', ...TOOLS],
    outputs: ['pvcalls.wasm', 'pvcalls.core.wasm', 'pvcalls.js', 'pvcalls.d.ts'].map(
      (file) => `${COMPONENT}/${file}`,
    ),
    make: async () => {
      await compile('component', 'assembly/index.ts', COMPONENT_CORE);
      await makeComponent();
    },
  },
  rings: {
    inputs: ['assembly/ring', 'assembly/wire', RINGS_ENTRY, 'asconfig.json', ...TOOLS],
    outputs: ['build/test/rings.wasm'],
    make: () => compile('release', RINGS_ENTRY, 'build/test/rings'),
  },
  traced: {
    inputs: ['assembly', RINGS_ENTRY, 'asconfig.json', ...TOOLS],
    outputs: ['build/test/traced.wasm', 'build/test/traced-rings.wasm'],
    make: async () => {
      await Promise.all([
        compile('release', CORE_ENTRY, 'build/test/traced', TRACED),
        compile('release', RINGS_ENTRY, 'build/test/traced-rings', TRACED_RINGS),
      ]);
    },
  },
  loops: {
    inputs: ['assembly/ring', 'assembly/wire', LOOPS_ENTRY, 'asconfig.json', ...TOOLS],
    outputs: ['build/test/loops.wasm'],
    make: () => compile('release', LOOPS_ENTRY, 'build/test/loops'),
  },
  selftest: {
    inputs: ['assembly', 'test/assembly', 'asconfig.json', ...TOOLS],
    outputs: ['build/test/self-test.wasm', 'build/test/self-test-shared.wasm'],
    make: async () => {
      await Promise.all([compileSelfTest('self-test'), compileSelfTest('self-test-shared')]);
    },
  },
  host: {
    inputs: HOST_INPUTS,
    outputs: Object.keys(BUNDLES).map((name) => `build/host/${name}.js`),
    make: bundleHost,
  },
  types: {
    inputs: [...HOST_INPUTS, 'tsconfig.types.json'],
    outputs: ['build/types/host/index.d.ts'],
    after: ['component'],
    make: declareTypes,
  },
};

/**
 * @param {string} target A target of asconfig.json.
 * @param {string} [entry] The core's by default.
 * @param {string} [out] Without ending; the target's own by default.
 * @param {readonly string[]} [flags] More arguments of asc.
 */
async function compile(target, entry = CORE_ENTRY, out, flags = []) {
  if (!existsSync(ROOT + entry)) throw new Failure(`${entry} is missing.`);
  const files = out ? [`--outFile=${out}.wasm`] : [];
  await run(`${entry} does not compile (target ${target}).`, process.execPath, [
    inModules('assemblyscript/bin/asc.js'),
    entry,
    '--config=asconfig.json',
    `--target=${target}`,
    '--noColors',
    ...files,
    ...flags,
  ]);
  if (target !== 'debug') await shrink(`${out ?? 'build/core'}.wasm`);
}

/**
 * Binaryen again, for size alone: asc fixes what it inlines. docs/decisions/007 says what it buys.
 * The features are those that asc writes.
 *
 * @param {string} file Changed in place.
 */
export async function shrink(file) {
  await run(`${file} could not be made smaller.`, process.execPath, [
    inModules('binaryen/bin/wasm-opt'),
    ...['threads', 'bulk-memory', 'sign-ext'].map((feature) => `--enable-${feature}`),
    '-Oz',
    file,
    `--output=${file}`,
  ]);
}

/** @param {string} target A target of asconfig.json. */
async function compileSelfTest(target) {
  const specs = filesBelow('test/assembly').filter((file) => file.endsWith('.spec.ts'));
  await run(`The self-test does not compile (target ${target}).`, process.execPath, [
    `${ROOT}host/build/self-test.mjs`,
    SELF_TEST_ENTRY,
    ...specs,
    '--config=asconfig.json',
    `--target=${target}`,
    '--noColors',
  ]);
}

async function bundleHost() {
  const { build, formatMessages } = await import('esbuild');
  try {
    await build({
      absWorkingDir: ROOT,
      entryPoints: BUNDLES,
      outdir: 'build/host',
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node20.19',
      sourcemap: 'linked',
      logLevel: 'silent',
    });
  } catch (error) {
    const { errors = [] } = /** @type {import('esbuild').BuildFailure} */ (error);
    const output = (await formatMessages(errors, { kind: 'error' })).join('');
    throw new Failure('The host code could not be bundled.', { output: output || String(error) });
  }
}

async function declareTypes() {
  rmSync(`${ROOT}build/types`, { recursive: true, force: true });
  await run('The type declarations could not be made.', process.execPath, [
    inModules('typescript/bin/tsc'),
    '--project',
    'tsconfig.types.json',
  ]);
  // AssemblyScript's u32 and i32 mean nothing to a reader of the package; and the declarations lie
  // one folder deeper below build/ than the sources lie beside it.
  for (const file of filesBelow('build/types')) {
    const text = readFileSync(ROOT + file, 'utf8')
      .replace(/: [ui](8|16|32)\b/g, ': number')
      .replaceAll(`'../../${COMPONENT}/`, "'../../../component/");
    writeFileSync(ROOT + file, text);
  }
}

/** Names of the steps that `build` would make now. */
export function staleSteps() {
  return Object.entries(STEPS)
    .filter(([name, step]) => !isFresh(name, step))
    .map(([name]) => name);
}

/**
 * Makes what is stale.
 *
 * @param {string[]} [names] Steps to look at; all by default.
 */
export async function build(names = Object.keys(STEPS)) {
  const unknown = names.find((name) => !STEPS[name]);
  if (unknown) {
    const known = Object.keys(STEPS).join(', ');
    throw new Failure(`There is no build step "${unknown}"; there are ${known}.`, { exitCode: 2 });
  }
  const wanted = new Set(names.flatMap((name) => [name, ...(STEPS[name]?.after ?? [])]));
  const stale = staleSteps().filter((name) => wanted.has(name));
  if (stale.length === 0) return;
  progress(`building ${stale.join(', ')}`);
  /** @type {Record<string, Promise<void>>} */
  const making = {};
  const make = async (/** @type {string} */ name) => {
    const step = /** @type {Step} */ (STEPS[name]);
    await Promise.all((step.after ?? []).map((other) => making[other]));
    await makeAndNote(name, step);
  };
  for (const name of stale) making[name] = make(name);
  await Promise.all(Object.values(making));
}
