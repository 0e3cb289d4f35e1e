/** The processors that guest images are made for: how to compile, which sources, what form. */
import { filesBelow } from '../build/freshness.mjs';

/**
 * @typedef {object} Target
 * @property {string} prefix Of the compiler's programs.
 * @property {string} out Folder of what is built.
 * @property {string[]} flags
 * @property {string} script For the linker.
 * @property {string[]} form Options of objcopy that make the image of the ELF file.
 * @property {() => string[]} sources Of this host.
 */

/** The other target has its own of each, or does without. */
const ARM64_ONLY = new Set(
  ['exception.c', 'fdt.c', 'gic.c', 'main.c', 'mmu.c', 'timer.c'].concat([
    'hypercall.S',
    'image.S',
    'vectors.S',
  ]),
);

/** Sources in a folder, without those below it. @param {string} folder */
const sourcesIn = (folder) =>
  filesBelow(folder).filter((file) => /^[^/]+\.[cS]$/.test(file.slice(folder.length + 1)));

const METAL = 'host/metal';

/** @type {Record<'arm64' | 'x86-64', Target>} */
export const TARGETS = {
  arm64: {
    prefix: 'aarch64-linux-gnu-',
    out: 'build/metal',
    flags: ['-mno-outline-atomics'],
    script: `${METAL}/link.ld`,
    form: ['-O', 'binary'],
    sources: () => sourcesIn(METAL),
  },
  'x86-64': {
    prefix: 'x86_64-linux-gnu-',
    out: 'build/metal/x86-64',
    // Events interrupt on the ordinary stack, which has no red zone then.
    flags: ['-mno-red-zone', '-mcmodel=small', '-fcf-protection=none'],
    script: `${METAL}/x86-64/link.ld`,
    form: ['--strip-all'],
    sources: () => [
      ...sourcesIn(METAL).filter((file) => !ARM64_ONLY.has(file.slice(METAL.length + 1))),
      ...sourcesIn(`${METAL}/x86-64`),
    ],
  },
};
