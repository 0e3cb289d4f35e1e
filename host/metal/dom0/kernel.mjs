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
 * @typedef {{ headers: Package, commonHeaders: Package, kbuild: Package, source: Package }} Sources
 */

/**
 * Compiles pvcalls-back.ko.
 *
 * @param {Architecture} architecture
 * @param {Sources} packages
 * @param {string} scratch
 * @param {string} out
 */
export async function buildBackend(architecture, packages, scratch, out) {
  const configured = await openHeaders(architecture, packages, scratch);
  const module = `${scratch}/pvcalls-back`;
  await takeSources(packages.source, ['pvcalls-back.c'], module);
  await buildModules(architecture, { configured, module, names: ['pvcalls-back'], out });
}

/**
 * Unpacks what modules are compiled against.
 *
 * @param {Architecture} architecture
 * @param {Sources} packages
 * @param {string} scratch
 * @returns {Promise<string>} Folder of the configured headers.
 */
export async function openHeaders({ debian }, { headers, commonHeaders, kbuild }, scratch) {
  for (const package_ of [headers, commonHeaders, kbuild]) await unpack(package_, scratch);
  const configured = only(`${scratch}/usr/src`, 'linux-headers-', `-${debian}`);
  const common = only(`${scratch}/usr/src`, 'linux-headers-', '-common');
  writeFileSync(`${configured}/Makefile`, `include ${common}/Makefile\n`);
  return configured;
}

/**
 * Compiles NAME.c of a folder into NAME.ko, for each name.
 *
 * @param {Architecture} architecture
 * @param {{ configured: string, module: string, names: string[], out: string }} what
 */
export async function buildModules({ linux, tools }, { configured, module, names, out }) {
  const objects = names.map((name) => `${name}.o`).join(' ');
  writeFileSync(`${module}/Makefile`, `obj-m := ${objects}\n`);
  await run(`A module for Linux does not compile: ${names.join(', ')}.`, 'make', [
    `--jobs=${availableParallelism()}`,
    `--directory=${configured}`,
    `M=${module}`,
    `ARCH=${linux}`,
    `CROSS_COMPILE=${tools}`,
    `CC=${tools}gcc`,
    'CONFIG_DEBUG_INFO_BTF_MODULES=',
    'modules',
  ]);
  for (const name of names) {
    const strip = ['--strip-debug', '-o', `${out}/${name}.ko`, `${module}/${name}.ko`];
    await run(`${name}.ko cannot be stripped.`, `${tools}strip`, strip);
  }
}

/**
 * Puts files of drivers/xen, and no others, into a folder.
 *
 * @param {Package} source
 * @param {string[]} files
 * @param {string} folder
 */
export async function takeSources(source, files, folder) {
  mkdirSync(folder, { recursive: true });
  const paths = files.map((file) => `linux-source-*/drivers/xen/${file}`);
  // tar ends early when it has found them all, and what feeds it then fails: the files tell.
  const script =
    'file=$1; folder=$2; shift 2; ' +
    'dpkg-deb --fsys-tarfile "$file" | tar -xO --wildcards "./usr/src/*.tar.xz" | ' +
    'tar -xJ --directory="$folder" --strip-components=3 --occurrence=1 --wildcards "$@" || true';
  const args = ['-c', script, 'source', source.file, folder, ...paths];
  await run(`${source.name} cannot be unpacked.`, 'bash', args);
  const missing = files.filter((file) => !existsSync(`${folder}/${file}`));
  if (missing.length > 0) throw new Failure(`${source.name} has no ${missing.join(', ')}.`);
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
