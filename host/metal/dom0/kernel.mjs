/**
 * Dom0's kernel: Debian's own Image and modules, and the one module that Debian leaves out.
 * pvcalls-back.c is compiled exactly as it comes out of Debian's source package, which is the
 * point: what our guest meets is Linux's backend, not one that was made to suit it.
 */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { gunzipSync } from 'node:zlib';

import { Failure } from '../../build/report.mjs';
import { run } from '../../build/run.mjs';
import { unpack } from './apt.mjs';

/** @typedef {import('./apt.mjs').Package} Package */

/** Modules of Debian's kernel that dom0 loads, in this order; pvcalls-back comes after them. */
export const MODULES = [
  'drivers/virtio/virtio_mmio',
  'drivers/xen/xen-privcmd',
  'drivers/xen/xenfs/xenfs',
  'drivers/xen/xen-gntdev',
  'drivers/xen/xen-gntalloc',
  'drivers/xen/xen-evtchn',
];

const IMAGE_MAGIC_AT = 56;
const IMAGE_MAGIC = 'ARM\x64';
const GZIP_MAGIC = 0x8b1f;

/**
 * Takes Image and modules (`NAME.ko`) out of the kernel's package.
 *
 * @param {Package} image
 * @param {string} scratch Folder for what is not kept.
 * @param {string} out
 */
export async function takeKernel(image, scratch, out) {
  const modules = MODULES.map((path) => `./lib/modules/*/kernel/${path}.ko*`);
  await unpack(image, scratch, ['--wildcards', './boot/vmlinuz-*', ...modules]);
  mkdirSync(out, { recursive: true });
  writeFileSync(`${out}/Image`, plainImage(readFileSync(only(`${scratch}/boot`, 'vmlinuz-'))));
  for (const path of MODULES) {
    const folder = `${only(`${scratch}/lib/modules`, '')}/kernel/${path}`.replace(/\/[^/]+$/, '');
    const name = `${path.replace(/^.*\//, '')}.ko`;
    const packed = `${folder}/${name}.xz`;
    if (existsSync(packed)) await run(`${packed} is damaged.`, 'xz', ['-dfk', packed]);
    cpSync(`${folder}/${name}`, `${out}/${name}`);
  }
}

/** @param {Buffer} bytes */
function plainImage(bytes) {
  const image = bytes.readUInt16LE(0) === GZIP_MAGIC ? gunzipSync(bytes) : bytes;
  if (image.toString('latin1', IMAGE_MAGIC_AT, IMAGE_MAGIC_AT + 4) === IMAGE_MAGIC) return image;
  throw new Failure("Debian's arm64 kernel is no Image; Xen cannot load it as dom0.");
}

/**
 * Compiles pvcalls-back.ko.
 *
 * @param {{ headers: Package, commonHeaders: Package, kbuild: Package, source: Package }} packages
 * @param {string} scratch
 * @param {string} out
 */
export async function buildBackend({ headers, commonHeaders, kbuild, source }, scratch, out) {
  for (const package_ of [headers, commonHeaders, kbuild]) await unpack(package_, scratch);
  const configured = only(`${scratch}/usr/src`, 'linux-headers-', '-arm64');
  const common = only(`${scratch}/usr/src`, 'linux-headers-', '-common');
  writeFileSync(`${configured}/Makefile`, `include ${common}/Makefile\n`);
  const module = await takeSource(source, scratch);
  writeFileSync(`${module}/Makefile`, 'obj-m := pvcalls-back.o\n');
  await run("Linux's pvcalls-back.c does not compile.", 'make', [
    `--jobs=${availableParallelism()}`,
    `--directory=${configured}`,
    `M=${module}`,
    'ARCH=arm64',
    'CROSS_COMPILE=aarch64-linux-gnu-',
    'CC=aarch64-linux-gnu-gcc',
    'CONFIG_DEBUG_INFO_BTF_MODULES=',
    'modules',
  ]);
  const strip = ['--strip-debug', '-o', `${out}/pvcalls-back.ko`, `${module}/pvcalls-back.ko`];
  await run('pvcalls-back.ko cannot be stripped.', 'aarch64-linux-gnu-strip', strip);
}

/**
 * Puts pvcalls-back.c alone into a folder.
 *
 * @param {Package} source
 * @param {string} scratch
 */
async function takeSource(source, scratch) {
  const module = `${scratch}/pvcalls-back`;
  mkdirSync(module, { recursive: true });
  const script =
    'set -o pipefail; dpkg-deb --fsys-tarfile "$1" | tar -xO --wildcards "./usr/src/*.tar.xz" | ' +
    'tar -xJ --directory="$2" --strip-components=3 --occurrence=1 ' +
    '--wildcards "linux-source-*/drivers/xen/pvcalls-back.c" || test -s "$2/pvcalls-back.c"';
  const args = ['-c', script, 'source', source.file, module];
  await run(`${source.name} has no drivers/xen/pvcalls-back.c.`, 'bash', args);
  return module;
}

/**
 * The one entry of a folder that begins and ends so.
 *
 * @param {string} folder
 * @param {string} start
 * @param {string} [end]
 */
function only(folder, start, end = '') {
  const names = readdirSync(folder).filter((name) => name.startsWith(start) && name.endsWith(end));
  if (names.length !== 1) {
    throw new Failure(`${folder} has ${names.length} ${start}*${end}, not one: delete build/xen.`);
  }
  return `${folder}/${names[0]}`;
}
