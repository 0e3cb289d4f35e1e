/**
 * Builds a guest image: a module through wasm2c, an application in C, and this host, linked for
 * arm64 into build/metal/NAME.img, with NAME.elf beside it. Needs gcc-aarch64-linux-gnu, no root.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

import { filesBelow, isFresh, makeAndNote } from '../build/freshness.mjs';
import { ROOT, inModules, run } from '../build/run.mjs';
import { writeWireHeader } from '../build/wire-header.mjs';

const OUT = 'build/metal';
const INPUTS = ['host/metal', 'host/embed', 'host/build', 'assembly/wire'];
const PREFIX = 'aarch64-linux-gnu-';

/** What makes the calls of pvcalls_guest.h of the core. */
const GUEST = ['guest', 'guest-console', 'library', 'sockets', 'strings'].map(
  (file) => `host/embed/${file}.c`,
);

/**
 * `guest`: the app has an app_main() over pvcalls_guest.h, and the module is the core.
 *
 * @typedef {{ name: string, module: string, app: string, guest?: boolean }} Image
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
  '-mno-outline-atomics',
  '-ffunction-sections',
];
const STRICT = ['-std=gnu11', '-Wall', '-Wextra', '-Werror'];
/** wasm2c prints functions that a module may not use. */
const GENERATED = ['-std=gnu11', '-Wall', '-Wextra', '-Werror', '-Wno-unused'];
/** These run before the MMU, when every access is to a device and has to be aligned. */
const EARLY = new Set(['host/metal/mmu.c']);

/** @param {string} tool @param {string[]} args */
const arm64 = (tool, args) => run(`${tool} fails.`, `${PREFIX}${tool}`, args);

/** Name of the module, as wasm2c puts it into C: that of its file. @param {Image} image */
const moduleName = ({ module }) => module.replace(/^.*\/|\.wasm$/g, '');

/** @param {string} source @param {string[]} flags @returns {Promise<string>} Its object. */
async function compile(source, flags) {
  const object = `${OUT}/${source.replace(/^build\/metal\//, '').replace(/[/.]/g, '-')}.o`;
  await arm64('gcc', [...COMMON, ...flags, '-c', source, '-o', object]);
  return object;
}

/** @param {Image} image */
async function translate(image) {
  const source = `${OUT}/${moduleName(image)}.c`;
  await run('wasm2c fails.', process.execPath, [
    inModules('wabt/bin/wasm2c'),
    '--enable-threads',
    `--module-name=${moduleName(image)}`,
    `--output=${source}`,
    image.module,
  ]);
  return source;
}

/** Functions by address, as C; `panic` finds names there. @param {string} elf */
async function symbolTable(elf) {
  const lines = (await arm64('nm', ['--numeric-sort', elf])).split('\n');
  const rows = lines.flatMap((line) => {
    const [, address, name = ''] = /^0*([0-9a-f]+) [tT] ([A-Za-z_]\w*)$/.exec(line) ?? [];
    return address === undefined ? [] : [`    { 0x${address}, "${name}" },`];
  });
  return `#include "symbols.h"
const struct symbol symbols[] = {
${rows.join('\n')}
    { 0, 0 },
};
`;
}

/** @param {Image} image @param {string[]} objects */
async function link({ name }, objects) {
  const elf = `${OUT}/${name}.elf`;
  await arm64('gcc', [
    '-nostdlib',
    '-static',
    '-no-pie',
    '-Wl,--build-id=none',
    '-Wl,-z,max-page-size=4096',
    '-Wl,--no-warn-rwx-segments',
    '-Wl,--gc-sections',
    '-Wl,-T,host/metal/link.ld',
    ...objects,
    '-o',
    elf,
  ]);
  return elf;
}

/** @param {Image} image */
async function make(image) {
  mkdirSync(ROOT + OUT, { recursive: true });
  writeWireHeader();
  const include = (await arm64('gcc', ['-print-file-name=include'])).trim();
  const headers = [
    '-nostdinc',
    ...['-isystem', include],
    ...['-Ihost/metal', '-Ihost/metal/wasm-rt', '-Ihost/embed', `-I${OUT}`],
  ];
  const translated = await translate(image);
  const sources = filesBelow('host/metal').filter((file) =>
    /^host\/metal\/[^/]+\.[cS]$/.test(file),
  );
  const objects = [
    await compile(translated, [...GENERATED, ...(image.guest ? ['-Os'] : []), ...headers]),
    await compile(image.app, [...STRICT, ...headers]),
  ];
  for (const source of [...sources, ...(image.guest ? GUEST : [])]) {
    const aligned = EARLY.has(source) ? ['-mstrict-align'] : [];
    objects.push(await compile(source, [...STRICT, ...aligned, ...headers]));
  }
  // A second link brings the names of the first one's functions, behind all code: nothing moves.
  const table = `${OUT}/${image.name}-symbols.c`;
  writeFileSync(ROOT + table, await symbolTable(await link(image, objects)));
  const elf = await link(image, [...objects, await compile(table, [...STRICT, ...headers])]);
  await arm64('objcopy', ['-O', 'binary', elf, `${OUT}/${image.name}.img`]);
}

/**
 * Builds an image unless it is fresh. The module is built already.
 *
 * @param {Image} image Paths below the repository.
 * @returns {Promise<string>} Path of the flat image.
 */
export async function buildImage(image) {
  const step = {
    inputs: [...INPUTS, image.module, dirname(image.app)],
    outputs: [`${OUT}/${image.name}.img`, `${OUT}/${image.name}.elf`],
    make: () => make(image),
  };
  if (!isFresh(`metal ${image.name}`, step)) await makeAndNote(`metal ${image.name}`, step);
  return `${ROOT}${OUT}/${image.name}.img`;
}
