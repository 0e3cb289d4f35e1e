/**
 * Builds a guest image: a module through wasm2c, an application in C, and this host, linked for
 * arm64 into build/metal/NAME.img, with NAME.elf beside it; for x86-64 into build/metal/x86-64.
 * Needs that processor's gcc, no root.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

import { isFresh, makeAndNote } from '../build/freshness.mjs';
import { ROOT, inModules, run } from '../build/run.mjs';
import { writeWireHeader } from '../build/wire-header.mjs';
import { TARGETS } from './targets.mjs';

const INPUTS = ['host/metal', 'host/embed', 'host/build', 'assembly/wire'];

/** What makes the calls of pvcalls_guest.h of the core. */
const GUEST = ['guest', 'guest-console', 'library', 'sockets', 'strings'].map(
  (file) => `host/embed/${file}.c`,
);

/**
 * `guest`: the app has an app_main() over pvcalls_guest.h, and the module is the core.
 *
 * @typedef {{ name: string, module: string, app: string, guest?: boolean,
 *   architecture?: keyof typeof TARGETS }} Image Default arm64.
 * @typedef {import('./targets.mjs').Target} Target
 */

const COMMON = [
  '-O2',
  '-ffreestanding',
  '-fno-stack-protector',
  '-fno-pic',
  '-fno-omit-frame-pointer',
  '-fno-asynchronous-unwind-tables',
  '-fno-tree-loop-distribute-patterns', // or memcpy() calls itself
  '-mgeneral-regs-only', // the vector registers stay off: nothing has to save them
  '-ffunction-sections',
];
/** For images that people write programs for: all but the copies, which are most of the work. */
const SMALL = ['-Os'];
const STRICT = ['-std=gnu11', '-Wall', '-Wextra', '-Werror'];
/** wasm2c prints functions that a module may not use. */
const GENERATED = ['-std=gnu11', '-Wall', '-Wextra', '-Werror', '-Wno-unused'];
/** These run before the MMU, when every access is to a device and has to be aligned. */
const EARLY = new Set(['host/metal/mmu.c']);

/** @param {Image} image */
const targetOf = ({ architecture = 'arm64' }) => TARGETS[architecture];

/** @param {Target} target @param {string} tool @param {string[]} args */
const runTool = ({ prefix }, tool, args) => run(`${tool} fails.`, `${prefix}${tool}`, args);

/** Name of the module, as wasm2c puts it into C: that of its file. @param {Image} image */
const moduleName = ({ module }) => module.replace(/^.*\/|\.wasm$/g, '');

/**
 * @param {Target} target
 * @param {string} source
 * @param {string[]} flags
 * @returns {Promise<string>} Its object.
 */
async function compile(target, source, flags) {
  const object = `${target.out}/${source.replace(/^build\/metal\//, '').replace(/[/.]/g, '-')}.o`;
  const all = [...COMMON, ...target.flags, ...flags];
  await runTool(target, 'gcc', [...all, '-c', source, '-o', object]);
  return object;
}

/** @param {Image} image */
async function translate(image) {
  const source = `${targetOf(image).out}/${moduleName(image)}.c`;
  await run('wasm2c fails.', process.execPath, [
    inModules('wabt/bin/wasm2c'),
    '--enable-threads',
    `--module-name=${moduleName(image)}`,
    `--output=${source}`,
    image.module,
  ]);
  return source;
}

/**
 * Functions by address, as C; `panic` finds names there.
 *
 * @param {Target} target
 * @param {string} elf
 */
export async function symbolTable(target, elf) {
  const lines = (await runTool(target, 'nm', ['--numeric-sort', elf])).split('\n');
  let at = 0;
  /** @type {string[]} */
  const names = [];
  const rows = lines.flatMap((line) => {
    const [, address, name = ''] = /^0*([0-9a-f]+) [tT] ([A-Za-z_]\w*)$/.exec(line) ?? [];
    if (address === undefined) return [];
    names.push(`    "${name}\\0"`);
    at += name.length + 1;
    return [`    { 0x${address}, ${at - name.length - 1} },`];
  });
  return `#include "symbols.h"
const struct symbol symbols[] = {
${rows.join('\n')}
    { 0, 0 },
};
const char symbol_names[] =
${names.join('\n')};
`;
}

/** @param {Image} image @param {string[]} objects */
async function link(image, objects) {
  const target = targetOf(image);
  const elf = `${target.out}/${image.name}.elf`;
  await runTool(target, 'gcc', [
    '-nostdlib',
    '-static',
    '-no-pie',
    '-Wl,--build-id=none',
    '-Wl,-z,max-page-size=4096',
    '-Wl,--no-warn-rwx-segments',
    '-Wl,--gc-sections',
    `-Wl,-T,${target.script}`,
    ...objects,
    '-o',
    elf,
  ]);
  return elf;
}

/** @param {Image} image */
async function make(image) {
  const target = targetOf(image);
  const { out } = target;
  mkdirSync(ROOT + out, { recursive: true });
  writeWireHeader();
  const include = (await runTool(target, 'gcc', ['-print-file-name=include'])).trim();
  const headers = [
    '-nostdinc',
    ...['-isystem', include],
    ...['-Ihost/metal', '-Ihost/metal/wasm-rt', '-Ihost/embed', `-I${out}`],
  ];
  const translated = await translate(image);
  const objects = [
    await compile(target, translated, [...GENERATED, ...(image.guest ? SMALL : []), ...headers]),
    await compile(target, image.app, [...STRICT, ...(image.guest ? SMALL : []), ...headers]),
  ];
  for (const source of [...target.sources(), ...(image.guest ? GUEST : [])]) {
    const aligned = EARLY.has(source) ? ['-mstrict-align'] : [];
    const small = image.guest && source !== 'host/metal/string.c' ? SMALL : [];
    objects.push(await compile(target, source, [...STRICT, ...small, ...aligned, ...headers]));
  }
  // A second link brings the names of the first one's functions, behind all code: nothing moves.
  const table = `${out}/${image.name}-symbols.c`;
  writeFileSync(ROOT + table, await symbolTable(target, await link(image, objects)));
  const names = await compile(target, table, [...STRICT, ...headers]);
  const elf = await link(image, [...objects, names]);
  await runTool(target, 'objcopy', [...target.form, elf, `${out}/${image.name}.img`]);
}

/**
 * Builds an image unless it is fresh. The module is built already.
 *
 * @param {Image} image Paths below the repository.
 * @returns {Promise<string>} Path of the image: flat on arm64, an ELF file on x86-64.
 */
export async function buildImage(image) {
  const { out } = targetOf(image);
  const name = `metal ${image.architecture ?? 'arm64'} ${image.name}`;
  const step = {
    inputs: [...INPUTS, image.module, dirname(image.app)],
    outputs: [`${out}/${image.name}.img`, `${out}/${image.name}.elf`],
    make: () => make(image),
  };
  if (!isFresh(name, step)) await makeAndNote(name, step);
  return `${ROOT}${out}/${image.name}.img`;
}
