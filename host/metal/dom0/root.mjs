/**
 * Dom0's root, which lives in memory: busybox, Xen's tools with their libraries, the kernel modules
 * and init.sh. It is the same for every run; what differs comes in a second archive behind it.
 */
import { readFileSync, readdirSync, statSync } from 'node:fs';

import { ROOT } from '../../build/run.mjs';
import { cpio } from './cpio.mjs';
import { MODULES } from './kernel.mjs';

/** @typedef {import('./cpio.mjs').Entry} Entry */

const PROGRAMS = [
  'bin/busybox',
  ...['xl', 'oxenstored', 'xenconsoled', 'xen-init-dom0'].map(
    (name) => `usr/lib/xen-4.17/bin/${name}`,
  ),
  ...['chmod', 'exists', 'ls', 'read', 'rm', 'watch', 'write'].map(
    (verb) => `usr/bin/xenstore-${verb}`,
  ),
];

const LIBRARY_FOLDERS = ['lib/aarch64-linux-gnu', 'usr/lib/aarch64-linux-gnu'];
const LOADER = 'ld-linux-aarch64.so.1';

/** Where libxl looks for what it runs; nothing of it is needed but the folder. */
const XEN_FOLDER = 'usr/lib/xen-4.17/bin';

/** Where the store daemon finds its ring with dom0: it has no default of its own. */
const STORE_CONFIGURATION = `persistent = false
xenstored-kva = /proc/xen/xsd_kva
xenstored-port = /proc/xen/xsd_port
`;

/** The module that a run may leave out, to see what a guest does without. */
export const BACKEND_MODULE = 'pvcalls-back';

/** @param {string} packages The folder that the packages were unpacked into. */
function programs(packages) {
  return PROGRAMS.map((path) => ({
    path: `bin/${path.replace(/^.*\//, '')}`,
    data: readFileSync(`${packages}/${path}`),
    executable: true,
  }));
}

/** All shared libraries, by the names that programs ask for. @param {string} packages */
function libraries(packages) {
  return LIBRARY_FOLDERS.map((folder) => `${packages}/${folder}`).flatMap((folder) =>
    readdirSync(folder)
      .filter((name) => /\.so(\.|$)/.test(name) && statSync(`${folder}/${name}`).isFile())
      .map((name) => ({
        path: `lib/${name}`,
        data: readFileSync(`${folder}/${name}`),
        executable: name === LOADER,
      })),
  );
}

/** @param {string} kernel */
function modules(kernel) {
  return [...MODULES.map((path) => path.replace(/^.*\//, '')), BACKEND_MODULE].map((name) => ({
    path: `modules/${name}.ko`,
    data: readFileSync(`${kernel}/${name}.ko`),
  }));
}

/**
 * The archive that every run begins with.
 *
 * @param {{ packages: string, kernel: string }} from Folders.
 */
export function baseArchive({ packages, kernel }) {
  const init = readFileSync(`${ROOT}host/metal/dom0/init.sh`);
  return cpio([
    { path: 'init', data: init, executable: true },
    ...programs(packages),
    ...libraries(packages),
    ...modules(kernel),
    { path: 'etc/xen/xl.conf', data: Buffer.from('autoballoon="off"\n') },
    { path: 'etc/xen/oxenstored.conf', data: Buffer.from(STORE_CONFIGURATION) },
    { path: XEN_FOLDER },
  ]);
}

/** Text for /modules/order. @param {{ backend: boolean }} options */
export function moduleOrder({ backend }) {
  const names = MODULES.map((path) => path.replace(/^.*\//, ''));
  return [...names, ...(backend ? [BACKEND_MODULE] : [])].join('\n');
}
