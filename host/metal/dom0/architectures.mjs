/** What differs between the machines that a dom0 is made for. */
import { ROOT } from '../../build/run.mjs';

/**
 * @typedef {'arm64' | 'x86-64'} ArchitectureName
 *
 * @typedef {object} Architecture
 * @property {string} folder What the set-up makes lies below it.
 * @property {string} debian Debian's name, in packages.
 * @property {string} linux Linux's name, in its makefiles.
 * @property {string} tools Prefix of the compiler's programs.
 * @property {string} libraries Name of the folders of libraries.
 * @property {string} loader What the kernel starts programs with, in these folders.
 * @property {string} loaderAt Where programs look for it.
 * @property {string} xen File of the hypervisor in its package.
 * @property {string[]} modules Of Debian's kernel, in the order in which dom0 loads them.
 * @property {string} qemu
 */

const XEN_MODULES = [
  'drivers/xen/xen-privcmd',
  'drivers/xen/xenfs/xenfs',
  'drivers/xen/xen-gntdev',
  'drivers/xen/xen-gntalloc',
  'drivers/xen/xen-evtchn',
];

/** @type {Record<ArchitectureName, Architecture>} */
export const ARCHITECTURES = {
  arm64: {
    folder: `${ROOT}build/xen/dom0`,
    debian: 'arm64',
    linux: 'arm64',
    tools: 'aarch64-linux-gnu-',
    libraries: 'aarch64-linux-gnu',
    loader: 'ld-linux-aarch64.so.1',
    loaderAt: 'lib',
    xen: 'boot/xen-4.17-arm64',
    modules: ['drivers/virtio/virtio_mmio', ...XEN_MODULES],
    qemu: 'qemu-system-aarch64',
  },
  'x86-64': {
    folder: `${ROOT}build/xen/dom0-x86-64`,
    debian: 'amd64',
    linux: 'x86_64',
    tools: 'x86_64-linux-gnu-',
    libraries: 'x86_64-linux-gnu',
    loader: 'ld-linux-x86-64.so.2',
    loaderAt: 'lib64',
    xen: 'boot/xen-4.17-amd64.gz',
    modules: XEN_MODULES,
    qemu: 'qemu-system-x86_64',
  },
};
