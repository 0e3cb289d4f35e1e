/**
 * Builds a guest image of a person's own program: app.ts, AssemblyScript over `pvcalls/guest`, or
 * app.c over pvcalls_guest.h. What the compilers say is shown as they say it.
 *
 * app.ts becomes a wasm module of its own, then C; guest-ts/program.c makes its calls. It never
 * shares a memory with the core, so that it may have a heap and the core none.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';

import { build } from '../build/build.mjs';
import { ROOT, inModules, run } from '../build/run.mjs';
import { requireTools } from '../build/tools.mjs';
import { buildLibrary } from '../embed/build-library.mjs';
import { symbolTable } from './build-image.mjs';
import { compileModule } from './compile-module.mjs';
import { TARGETS } from './targets.mjs';

const TARGET = TARGETS.arm64;
const TOOLS = [{ package: 'gcc-aarch64-linux-gnu', command: `${TARGET.prefix}gcc` }];
const LIBRARY = `${ROOT}build/lib/arm64`;

const FLAGS = [
  '-std=gnu11',
  '-O2',
  '-g0',
  '-ffreestanding',
  '-fno-stack-protector',
  '-fno-pic',
  '-fno-omit-frame-pointer',
  '-fno-asynchronous-unwind-tables',
  '-fno-tree-loop-distribute-patterns',
  '-mgeneral-regs-only', // the vector registers stay off: nothing has to save them
  '-ffunction-sections',
  '-fdata-sections',
  ...TARGET.flags,
];
const OWN = ['-Wall', '-Wextra'];
/** wasm2c prints functions that a module may not use. */
const GENERATED = [...OWN, '-Werror', '-Wno-unused'];

/** Heap, stack and constants of app.ts; less when the guest has less. In pages of 64 KiB. */
const PROGRAM_PAGES_MAX = 256;

/** @param {string} tool @param {string[]} args @param {string} [cwd] */
const arm64 = (tool, args, cwd = ROOT) =>
  run(`${tool} fails.`, `${TARGET.prefix}${tool}`, args, { cwd });

async function headers() {
  const include = (await arm64('gcc', ['-print-file-name=include'])).trim();
  return [
    '-nostdinc',
    '-isystem',
    include,
    `-I${LIBRARY}/../include`,
    `-I${ROOT}host/metal/wasm-rt`,
  ];
}

/**
 * An object of app.c. gcc's warnings are shown, and its paths are those that the person gave.
 *
 * @param {string} source Absolute.
 * @param {string} folder For what is made.
 * @param {string} cwd
 */
async function compileC(source, folder, cwd) {
  const object = join(folder, 'app.o');
  const name = relative(cwd, source);
  const args = [...FLAGS, ...OWN, ...(await headers()), '-c', name, '-o', object];
  const said = await run(`${name} does not compile.`, `${TARGET.prefix}gcc`, [...args], { cwd });
  process.stderr.write(said);
  return [object];
}

/**
 * The objects of app.ts: its module as C, and the calls that it makes.
 *
 * @param {Uint8Array} module
 * @param {string} folder For what is made.
 */
async function compileTs(module, folder) {
  writeFileSync(join(folder, 'program.wasm'), module);
  const translated = join(folder, 'program.c');
  await run('wasm2c fails.', process.execPath, [
    inModules('wabt/bin/wasm2c'),
    '--module-name=program',
    `--output=${translated}`,
    join(folder, 'program.wasm'),
  ]);
  const header = readFileSync(join(folder, 'program.h'), 'utf8');
  const parameters = /wasm2c_program_instantiate\(([^)]*)\)/.exec(header)?.[1] ?? '';
  const instances = ', NULL'.repeat(parameters.split(',').length - 1);
  const table = /wasm_rt_allocate_funcref_table\([^,]*, (\d+),/.exec(
    readFileSync(translated, 'utf8'),
  );
  const flags = [
    ...FLAGS,
    ...(await headers()),
    ...['host/metal', 'host/embed'].map((below) => `-I${ROOT}${below}`),
    `-I${folder}`,
  ];
  const calls = [
    ...['-Werror', `-DPROGRAM_INSTANCES=${instances}`, `-DPROGRAM_TABLE_SIZE=${table?.[1] ?? 0}u`],
    `-DPROGRAM_MEMORY_MAX=${PROGRAM_PAGES_MAX * 65536}u`,
  ];
  const objects = ['program.o', 'calls.o'].map((name) => join(folder, name));
  await Promise.all([
    arm64('gcc', [...flags, ...GENERATED, '-Os', '-c', translated, '-o', objects[0] ?? '']),
    arm64('gcc', [
      ...[...flags, ...OWN, ...calls, '-c', 'host/metal/guest-ts/program.c'],
      ...['-o', objects[1] ?? ''],
    ]),
  ]);
  return objects;
}

/** @param {string[]} objects @param {string} folder */
async function link(objects, folder) {
  const elf = join(folder, 'guest.elf');
  await run('The program does not link.', `${TARGET.prefix}gcc`, [
    ...['-nostdlib', '-static', '-no-pie', '-Wl,--build-id=none', '-Wl,-z,max-page-size=4096'],
    ...['-Wl,--no-warn-rwx-segments', '-Wl,--gc-sections', `-Wl,-T,${LIBRARY}/guest.ld`],
    ...objects,
    ...[`-L${LIBRARY}`, '-Wl,-u,image_start', '-lpvcalls-metal', '-o', elf],
  ]);
  return elf;
}

/**
 * @param {string} source Absolute path of app.ts or app.c.
 * @param {string} target Absolute path of the flat image.
 * @param {string} [cwd] Where whoever asks stands.
 */
export async function buildGuest(source, target, cwd = process.cwd()) {
  // What is wrong with the program is said first, and needs no other tools.
  const module = source.endsWith('.c')
    ? undefined
    : await compileModule(source, { cwd, pagesMax: PROGRAM_PAGES_MAX });
  requireTools(TOOLS);
  const folder = mkdtempSync(join(tmpdir(), 'pvcalls-image-'));
  try {
    await build(['core']);
    await buildLibrary();
    const objects = await (module ? compileTs(module, folder) : compileC(source, folder, cwd));
    // A second link brings the names of the first one's functions: a panic finds them there.
    const names = join(folder, 'symbols.c');
    writeFileSync(names, await symbolTable(TARGET, await link(objects, folder)));
    const table = join(folder, 'symbols.o');
    const flags = [...FLAGS, ...(await headers()), `-I${ROOT}host/metal`];
    await arm64('gcc', [...flags, '-c', names, '-o', table]);
    await arm64('objcopy', [...TARGET.form, await link([...objects, table], folder), target]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
