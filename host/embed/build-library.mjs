/**
 * Builds the library for other kernels: build/lib/ARCH/libpvcalls.a, the core as C with the calls
 * of pvcalls.h; libpvcalls-metal.a as well, which needs no kernel, being one, with the link script
 * guest.ld; and the headers, in build/lib/include. No make, no C library, no root.
 */
import { copyFileSync, mkdirSync, rmSync } from 'node:fs';
import { basename } from 'node:path';

import { filesBelow, isFresh, makeAndNote } from '../build/freshness.mjs';
import { ROOT, inModules, run } from '../build/run.mjs';
import { requireTools } from '../build/tools.mjs';
import { writeWireHeader } from '../build/wire-header.mjs';
import { TARGETS } from '../metal/targets.mjs';

const OUT = 'build/lib';
const MODULE = 'build/core.wasm';

/** Compiled from these two folders; a kernel's part of the second is left out of libpvcalls.a. */
const EMBED = 'host/embed';
const METAL = 'host/metal';

/** Headers that are published; the others are the library's own. */
const HEADERS = ['pvcalls.h', 'pvcalls_hypercalls.h', 'pvcalls_guest.h'];
/** What a guest without a kernel consists of besides METAL; and what it replaces. */
const GUEST = [`${EMBED}/guest.c`, `${EMBED}/guest-console.c`];
const SEAM = `${EMBED}/seam.c`;

/** @typedef {'x86-64' | 'arm64'} Architecture */

/** @type {Record<Architecture, { prefix: string, flags: string[] }>} */
const ARCHITECTURES = {
  'x86-64': {
    prefix: 'x86_64-linux-gnu-',
    // As kernels are compiled: interrupts may run on the stack, vector registers are not theirs.
    flags: ['-mno-red-zone', '-mgeneral-regs-only', '-fcf-protection=none'],
  },
  arm64: { prefix: 'aarch64-linux-gnu-', flags: ['-mgeneral-regs-only', '-mno-outline-atomics'] },
};

const COMMON = [
  '-std=gnu11',
  '-O2',
  '-ffreestanding',
  '-fno-stack-protector',
  '-fno-omit-frame-pointer',
  '-fno-asynchronous-unwind-tables',
  '-fno-tree-loop-distribute-patterns', // or memcpy() calls itself
  '-ffunction-sections',
  '-Wall',
  '-Wextra',
  '-Werror',
];
/** wasm2c prints helpers that a module may not use; for size the core is a fifth smaller. */
const GENERATED = ['-Wno-unused', '-Os'];
/** Links into kernels at any address, and into programs. */
const ANYWHERE = ['-fpie', '-fvisibility=hidden'];

/** Debian's package with the compiler: plain gcc on a machine of that architecture. */
function packageOf(/** @type {Architecture} */ architecture) {
  const own = process.arch === 'arm64' ? 'arm64' : 'x86-64';
  if (architecture === own) return 'gcc';
  return architecture === 'arm64' ? 'gcc-aarch64-linux-gnu' : 'gcc-x86-64-linux-gnu';
}

/** The core as C, in build/lib/core.c and core.h. */
async function translateCore() {
  mkdirSync(`${ROOT}${OUT}`, { recursive: true });
  const source = `${OUT}/core.c`;
  await run('wasm2c fails.', process.execPath, [
    inModules('wabt/bin/wasm2c'),
    '--enable-threads',
    '--module-name=core',
    `--output=${source}`,
    MODULE,
  ]);
  return source;
}

/** Flags that find the headers, and no others than these and the compiler's own. */
async function headersOf(/** @type {string} */ prefix) {
  const failed = `${prefix}gcc fails.`;
  const include = (await run(failed, `${prefix}gcc`, ['-print-file-name=include'])).trim();
  return [
    '-nostdinc',
    ...['-isystem', include],
    ...[EMBED, METAL, `${METAL}/wasm-rt`, OUT].map((folder) => `-I${folder}`),
  ];
}

/**
 * @param {Architecture} architecture
 * @param {string} name Of the library: libNAME.a.
 * @param {string[]} sources
 * @param {string[]} flags
 */
async function archive(architecture, name, sources, flags) {
  const { prefix, flags: own } = ARCHITECTURES[architecture];
  const folder = `${OUT}/${architecture}/${name}`;
  const headers = await headersOf(prefix);
  mkdirSync(`${ROOT}${folder}`, { recursive: true });
  const objects = [];
  for (const source of sources) {
    const object = `${folder}/${basename(source).replace('.', '-')}.o`;
    const generated = source.startsWith(OUT) ? GENERATED : [];
    const early = source === `${METAL}/mmu.c` ? ['-mstrict-align'] : [];
    const all = [...COMMON, ...own, ...flags, ...generated, ...early, ...headers];
    await run(`${source} does not compile.`, `${prefix}gcc`, [...all, '-c', source, '-o', object]);
    objects.push(object);
  }
  const library = `${OUT}/${architecture}/lib${name}.a`;
  rmSync(ROOT + library, { force: true });
  await run(`${prefix}ar fails.`, `${prefix}ar`, ['rcsD', library, ...objects]);
}

/** Sources in C of a folder, without those below it. @param {string} folder */
const sourcesIn = (folder) =>
  filesBelow(folder).filter((file) => new RegExp(`^${folder}/[^/]+\\.[cS]$`).test(file));

async function make() {
  writeWireHeader();
  const core = await translateCore();
  const library = sourcesIn(EMBED).filter((file) => !GUEST.includes(file));
  await Promise.all([
    archive('x86-64', 'pvcalls', [core, ...library], ANYWHERE),
    archive('arm64', 'pvcalls', [core, ...library], ANYWHERE),
  ]);
  await Promise.all([makeMetal('x86-64', core), makeMetal('arm64', core)]);
  mkdirSync(`${ROOT}${OUT}/include`, { recursive: true });
  for (const header of HEADERS) {
    copyFileSync(`${ROOT}${EMBED}/${header}`, `${ROOT}${OUT}/include/${header}`);
  }
}

/** @param {Architecture} architecture @param {string} core */
async function makeMetal(architecture, core) {
  const { script, sources } = TARGETS[architecture];
  const embedded = sourcesIn(EMBED).filter((file) => file !== SEAM);
  await archive(architecture, 'pvcalls-metal', [core, ...embedded, ...sources()], ['-fno-pic']);
  copyFileSync(`${ROOT}${script}`, `${ROOT}${OUT}/${architecture}/guest.ld`);
}

const STEP = {
  inputs: [EMBED, METAL, 'host/build', 'assembly/wire', MODULE],
  outputs: [
    `${OUT}/x86-64/libpvcalls.a`,
    `${OUT}/x86-64/libpvcalls-metal.a`,
    `${OUT}/arm64/libpvcalls.a`,
    `${OUT}/arm64/libpvcalls-metal.a`,
    `${OUT}/include/pvcalls.h`,
  ],
  make,
};

/** Builds the libraries unless they are fresh. The core is built already. */
export async function buildLibrary() {
  requireTools(
    /** @type {Architecture[]} */ (['x86-64', 'arm64']).map((architecture) => ({
      package: packageOf(architecture),
      command: `${ARCHITECTURES[architecture].prefix}gcc`,
    })),
  );
  if (!isFresh('lib', STEP)) await makeAndNote('lib', STEP);
}
