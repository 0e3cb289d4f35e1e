/**
 * Dom0's kernel: Debian's own image and modules, and the one module that Debian leaves out.
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

/** @typedef {import('./architectures.mjs').Architecture} Architecture */

/** What Xen loads as dom0's kernel, by Linux's name of the architecture. @type {Magic[]} */
const IMAGES = [
  { linux: 'arm64', at: 56, magic: 'ARM\x64' },
  { linux: 'x86_64', at: 0x202, magic: 'HdrS' },
];
/** @typedef {{ linux: string, at: number, magic: string }} Magic */
const GZIP_MAGIC = 0x8b1f;

/**
 * Takes Image and modules (`NAME.ko`) out of the kernel's package.
 *
 * @param {Architecture} architecture
 * @param {Package} image
 * @param {string} scratch Folder for what is not kept.
 * @param {string} out
 */
export async function takeKernel(architecture, image, scratch, out) {
  const modules = architecture.modules.map((path) => `./lib/modules/*/kernel/${path}.ko*`);
  await unpack(image, scratch, ['--wildcards', './boot/vmlinuz-*', ...modules]);
  mkdirSync(out, { recursive: true });
  const kernel = readFileSync(only(`${scratch}/boot`, 'vmlinuz-'));
  writeFileSync(`${out}/Image`, plainImage(architecture, kernel));
  for (const path of architecture.modules) {
    const folder = `${only(`${scratch}/lib/modules`, '')}/kernel/${path}`.replace(/\/[^/]+$/, '');
    const name = `${path.replace(/^.*\//, '')}.ko`;
    const packed = `${folder}/${name}.xz`;
    if (existsSync(packed)) await run(`${packed} is damaged.`, 'xz', ['-dfk', packed]);
    cpSync(`${folder}/${name}`, `${out}/${name}`);
  }
}

/** @param {Architecture} architecture @param {Buffer} bytes */
function plainImage({ linux }, bytes) {
  const image = bytes.readUInt16LE(0) === GZIP_MAGIC ? gunzipSync(bytes) : bytes;
  const { at, magic } = IMAGES.find((one) => one.linux === linux) ?? { at: 0, magic: '' };
  if (magic && image.toString('latin1', at, at + magic.length) === magic) return image;
  throw new Failure(`Debian's kernel is no image that Xen loads as dom0 on ${linux}.`);
}

/**
 * Compiles pvcalls-back.ko.
 *
 * @param {Architecture} architecture
 * @param {{ headers: Package, commonHeaders: Package, kbuild: Package, source: Package }} packages
 * @param {string} scratch
 * @param {string} out
 */
export async function buildBackend(architecture, packages, scratch, out) {
  const { headers, commonHeaders, kbuild, source } = packages;
  const { debian, linux, tools } = architecture;
  for (const package_ of [headers, commonHeaders, kbuild]) await unpack(package_, scratch);
  const configured = only(`${scratch}/usr/src`, 'linux-headers-', `-${debian}`);
  const common = only(`${scratch}/usr/src`, 'linux-headers-', '-common');
  writeFileSync(`${configured}/Makefile`, `include ${common}/Makefile\n`);
  const module = await takeSource(source, scratch);
  writeFileSync(`${module}/Makefile`, 'obj-m := pvcalls-back.o\n');
  await run("Linux's pvcalls-back.c does not compile.", 'make', [
    `--jobs=${availableParallelism()}`,
    `--directory=${configured}`,
    `M=${module}`,
    `ARCH=${linux}`,
    `CROSS_COMPILE=${tools}`,
    `CC=${tools}gcc`,
    'CONFIG_DEBUG_INFO_BTF_MODULES=',
    'modules',
  ]);
  const strip = ['--strip-debug', '-o', `${out}/pvcalls-back.ko`, `${module}/pvcalls-back.ko`];
  await run('pvcalls-back.ko cannot be stripped.', `${tools}strip`, strip);
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
