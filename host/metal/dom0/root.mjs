/**
 * Dom0's root, which lives in memory: busybox, Xen's tools with their libraries, the kernel modules
 * and init.sh. It is the same for every run; what differs comes in a second archive behind it.
 */
import { readFileSync, readdirSync, statSync } from 'node:fs';

import { ROOT } from '../../build/run.mjs';
import { cpio } from './cpio.mjs';
/** @typedef {import('./cpio.mjs').Entry} Entry */
/** @typedef {import('./architectures.mjs').Architecture} Architecture */

const PROGRAMS = [
  'bin/busybox',
  ...['xl', 'oxenstored', 'xenconsoled', 'xen-init-dom0'].map(
    (name) => `usr/lib/xen-4.17/bin/${name}`,
  ),
  ...['chmod', 'exists', 'ls', 'read', 'rm', 'watch', 'write'].map(
    (verb) => `usr/bin/xenstore-${verb}`,
  ),
];

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

/**
 * All shared libraries, by the names that programs ask for.
 *
 * @param {Architecture} architecture
 * @param {string} packages
 */
function libraries({ libraries: name, loader, loaderAt }, packages) {
  const folders = ['lib', 'usr/lib'].map((folder) => `${packages}/${folder}/${name}`);
  return folders.flatMap((folder) =>
    readdirSync(folder)
      .filter((name) => /\.so(\.|$)/.test(name) && statSync(`${folder}/${name}`).isFile())
      .map((name) => ({
        path: `${name === loader ? loaderAt : 'lib'}/${name}`,
        data: readFileSync(`${folder}/${name}`),
        executable: name === loader,
      })),
  );
}

/** @param {Architecture} architecture */
const moduleNames = ({ modules }) => modules.map((path) => path.replace(/^.*\//, ''));

/** @param {Architecture} architecture @param {string} kernel */
function modules(architecture, kernel) {
  return [...moduleNames(architecture), BACKEND_MODULE].map((name) => ({
    path: `modules/${name}.ko`,
    data: readFileSync(`${kernel}/${name}.ko`),
  }));
}

/**
 * The archive that every run begins with.
 *
 * @param {Architecture} architecture
 * @param {{ packages: string, kernel: string }} from Folders.
 */
export function baseArchive(architecture, { packages, kernel }) {
  const init = readFileSync(`${ROOT}host/metal/dom0/init.sh`);
  return cpio([
    { path: 'init', data: init, executable: true },
    ...programs(packages),
    ...libraries(architecture, packages),
    ...modules(architecture, kernel),
    { path: 'etc/xen/xl.conf', data: Buffer.from('autoballoon="off"\n') },
    { path: 'etc/xen/oxenstored.conf', data: Buffer.from(STORE_CONFIGURATION) },
    { path: XEN_FOLDER },
  ]);
}

/** Text for /modules/order. @param {Architecture} architecture @param {boolean} backend */
export function moduleOrder(architecture, backend) {
  return [...moduleNames(architecture), ...(backend ? [BACKEND_MODULE] : [])].join('\n');
}
