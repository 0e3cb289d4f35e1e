/**
 * A guest that is Linux with its own PV Calls frontend, to compare with: Debian's kernel, as dom0
 * has it, an initramfs of busybox, pvcalls-front.ko and a module that calls it. pvcalls-front.c is
 * compiled as it comes out of Debian's source package, with one line behind it for each function
 * that the other module calls: Linux has no caller of its own, and exports none.
 */
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';

import { ROOT } from '../../build/run.mjs';
import { ARCHITECTURES } from './architectures.mjs';
import { cpio } from './cpio.mjs';
import { buildModules, openHeaders, takeSources } from './kernel.mjs';
import { dom0Of, kernelSourcesIn } from './setup.mjs';

const ARCHITECTURE = ARCHITECTURES.arm64;
const { folder: FOLDER, packages: PACKAGES } = dom0Of('arm64');

const FRONTEND = 'pvcalls-front-exported';
const EXPORTED = ['socket', 'connect', 'sendmsg', 'recvmsg', 'release'];

/** The guest's first process. What it prints goes to its console. */
const INIT = `#!/bin/busybox sh
/bin/busybox insmod /${FRONTEND}.ko
/bin/busybox insmod /CLIENT.ko
/bin/busybox poweroff -f
`;

/**
 * Compiles both modules into a folder.
 *
 * @param {{ name: string, folder: string, files: string[], out: string }} client The module that
 *   calls: its name, and its sources, of which NAME.c is the first.
 */
export async function buildFrontend({ name, folder, files, out }) {
  const scratch = `${FOLDER}/frontend-scratch`;
  rmSync(scratch, { recursive: true, force: true });
  const packages = JSON.parse(readFileSync(PACKAGES, 'utf8'));
  const sources = kernelSourcesIn(packages, ARCHITECTURE.debian);
  const configured = await openHeaders(ARCHITECTURE, sources, scratch);
  const module = `${scratch}/module`;
  mkdirSync(module, { recursive: true });
  await takeSources(sources.source, ['pvcalls-front.c', 'pvcalls-front.h'], module);
  const exports = EXPORTED.map((call) => `EXPORT_SYMBOL_GPL(pvcalls_front_${call});`);
  writeFileSync(
    `${module}/${FRONTEND}.c`,
    ['#include "pvcalls-front.c"', ...exports, ''].join('\n'),
  );
  for (const file of files) copyFileSync(`${ROOT}${folder}/${file}`, `${module}/${file}`);
  mkdirSync(out, { recursive: true });
  await buildModules(ARCHITECTURE, { configured, module, names: [FRONTEND, name], out });
  rmSync(scratch, { recursive: true });
}

/**
 * The guest's initramfs: the client works while its module is loaded, then the guest ends.
 *
 * @param {{ name: string, out: string }} client As above, built.
 */
export function frontendRamdisk({ name, out }) {
  const busybox = readFileSync(`${FOLDER}/programs/bin/busybox`);
  return cpio([
    { path: 'init', data: Buffer.from(INIT.replace('CLIENT', name)), executable: true },
    { path: 'bin/busybox', data: busybox, executable: true },
    { path: 'dev' },
    ...[FRONTEND, name].map((module) => ({
      path: `${module}.ko`,
      data: readFileSync(`${out}/${module}.ko`),
    })),
  ]);
}
