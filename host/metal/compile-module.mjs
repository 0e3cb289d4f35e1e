/**
 * app.ts -> a wasm module that a guest can run: asc, with `pvcalls/guest` found in guest-ts, and a
 * look at what the module needs of a guest that has no floating point and no other imports.
 */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, isAbsolute, relative, resolve } from 'node:path';

import { Failure } from '../build/report.mjs';
import { ROOT } from '../build/run.mjs';

const LIBRARY = `${ROOT}host/metal/guest-ts`;

/** What program.c supplies of the module that asc itself imports from. */
const ENV = [
  'abort',
  ...['log', 'debug', 'info', 'warn', 'error'].map((name) => `console.${name}`),
];

/** Where asc looks for a package: `pvcalls/guest` is ours, wherever app.ts lies. */
const OURS = /(?:^|[\\/])node_modules[\\/]pvcalls[\\/](?:assembly[\\/])?(\w+)\.ts$/;

/** @param {string} file */
const readOrNull = (file) => (existsSync(file) ? readFileSync(file, 'utf8') : null);

/** Text, as asc's own streams take it. */
function collector() {
  let text = '';
  return {
    write: (/** @type {string | Uint8Array} */ chunk) => {
      text += typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString();
      return true;
    },
    text: () => text,
  };
}

/**
 * @param {string} source Absolute.
 * @param {{ cwd: string, pagesMax: number }} options
 * @returns {Promise<Uint8Array>}
 */
export async function compileModule(source, { cwd, pagesMax }) {
  const { main } = await import('assemblyscript/asc');
  const below = !relative(cwd, source).startsWith('..') && !isAbsolute(relative(cwd, source));
  const base = below ? cwd : dirname(source);
  const name = relative(base, source);
  const [stdout, stderr] = [collector(), collector()];
  /** @type {Record<string, unknown>} */
  const made = {};
  const { error } = await main(
    [
      ...[name, '--baseDir', base, '--noColors'],
      ...['--outFile', 'program.wasm', '--textFile', 'program.wat'],
      ...['--runtime', 'incremental', '--exportStart', 'start', '--debug'],
      ...['--optimizeLevel', '2', '--shrinkLevel', '1', '--maximumMemory', String(pagesMax)],
    ],
    {
      stdout,
      stderr,
      readFile: (file, folder) => {
        if (file.endsWith('asconfig.json')) return null; // options are ours
        const ours = OURS.exec(file)?.[1];
        return readOrNull(ours ? `${LIBRARY}/${ours}.ts` : resolve(folder, file));
      },
      writeFile: (file, contents) => {
        made[file] = contents;
      },
      listFiles: () => null,
    },
  );
  if (error) {
    throw new Failure(`${name} does not compile.`, { output: stderr.text() || String(error) });
  }
  process.stderr.write(stderr.text()); // warnings
  const module = /** @type {BufferSource & Uint8Array} */ (made['program.wasm']);
  refuseImports(name, module);
  refuseFloats(name, String(made['program.wat']));
  return module;
}

/** @param {string} name @param {BufferSource} module */
function refuseImports(name, module) {
  const calls = readFileSync(`${LIBRARY}/guest.ts`, 'utf8').matchAll(/^ {2}function (\w+)\(/gm);
  const known = new Set([
    ...[...calls].map(([, call]) => `guest.calls.${call}`),
    ...ENV.map((call) => `env.${call}`),
  ]);
  const imports = WebAssembly.Module.imports(new WebAssembly.Module(module));
  const missing = imports
    .map((one) => `${one.module}.${one.name}`)
    .filter((one) => !known.has(one));
  if (missing.length === 0) return;
  throw new Failure(
    `${name} needs ${missing.join(', ')}, which a guest does not have: ` +
      'it has what pvcalls/guest exports, and console.log',
  );
}

/** @param {string} name @param {string} text The module as text. */
function refuseFloats(name, text) {
  const floating = text
    .split(/^ \(func \$/m)
    .slice(1)
    .filter((body) => /\bf(32|64)\b/.test(body))
    .map((body) => /^[^\s()]+/.exec(body)?.[0] ?? '?');
  if (floating.length === 0) return;
  throw new Failure(
    `${name} uses floating point, in ${floating.slice(0, 5).join(', ')}; guests run without: ` +
      'use integers (i32, u32, i64, u64), and / on them',
  );
}
