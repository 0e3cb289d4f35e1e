/**
 * Makes everything that a run with dom0 needs, below build/xen/dom0, and only what is not there:
 * packages from Debian's archive, kernel and modules, dom0's root. The machine is left as it is.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';

import { filesBelow } from '../../build/freshness.mjs';
import { Failure } from '../../build/report.mjs';
import { ROOT } from '../../build/run.mjs';
import { requireTools } from '../../build/tools.mjs';
import { openApt, unpack } from './apt.mjs';
import { buildBackend, takeKernel } from './kernel.mjs';
import { KERNEL_SERIES, TOTAL_MIB_MAX, packagesFor } from './packages.mjs';
import { baseArchive } from './root.mjs';

/** @typedef {import('./apt.mjs').Package} Package */

const FOLDER = `${ROOT}build/xen/dom0`;
const MIB = 2 ** 20;

/** What the set-up leaves behind, and the runner reads. */
export const DOM0 = {
  folder: FOLDER,
  xen: `${FOLDER}/xen`,
  kernel: `${FOLDER}/kernel/Image`,
  root: `${FOLDER}/root.cpio`,
  packages: `${FOLDER}/packages.json`,
};

/** @type {import('../../build/tools.mjs').Tool[]} */
const RUN_TOOLS = [
  { package: 'device-tree-compiler', command: 'dtc' },
  { package: 'qemu-system-arm', command: 'qemu-system-aarch64' },
];

/** @type {import('../../build/tools.mjs').Tool[]} */
export const DOM0_TOOLS = [
  ...RUN_TOOLS,
  { package: 'apt', command: 'apt-get' },
  { package: 'dpkg', command: 'dpkg-deb' },
  { package: 'make', command: 'make' },
  { package: 'xz-utils', command: 'xz' },
  { package: 'gcc', command: 'gcc' },
  { package: 'gcc-aarch64-linux-gnu', command: 'aarch64-linux-gnu-gcc' },
  { package: 'libc6-dev-arm64-cross', file: '/usr/aarch64-linux-gnu/include/stdio.h' },
];

/** Sources whose change makes a step, and those after it, be done again. */
const source = (/** @type {string} */ name) => `host/metal/dom0/${name}`;
const DOWNLOADED_FROM = ['packages.mjs', 'apt.mjs'].map(source);
const MADE_FROM = [...DOWNLOADED_FROM, source('kernel.mjs')];
const ROOT_FROM = [...MADE_FROM, ...['init.sh', 'root.mjs', 'cpio.mjs'].map(source)];

/** @param {string[]} paths */
function hashOf(paths) {
  const hash = createHash('sha256');
  for (const path of paths.flatMap(filesBelow)) hash.update(readFileSync(ROOT + path));
  return hash.digest('hex');
}

/** Does the step unless it was done from the same sources. */
async function once(
  /** @type {string} */ name,
  /** @type {string} */ hash,
  /** @type {() => Promise<void>} */ make,
) {
  const stamp = `${FOLDER}/.${name}`;
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === hash) return;
  await make();
  writeFileSync(stamp, hash);
}

/**
 * @param {(line: string) => void} say
 * @returns {Promise<Package[]>}
 */
async function download(say) {
  const apt = await openApt(`${FOLDER}/apt`);
  await apt.update();
  const depends = await apt.field(KERNEL_SERIES, 'Depends');
  const release = /linux-image-(\S+)-arm64/.exec(depends)?.[1];
  if (!release) throw new Failure(`${KERNEL_SERIES} depends on no kernel: ${depends}`);
  const packages = await apt.resolve(packagesFor(release, apt.builder).wanted);
  const mib = packages.reduce((sum, { size }) => sum + size, 0) / MIB;
  for (const { name, size } of packages) say(`${(size / MIB).toFixed(1).padStart(7)} MiB  ${name}`);
  say(`${mib.toFixed(1).padStart(7)} MiB  in ${packages.length} packages for dom0`);
  if (mib > TOTAL_MIB_MAX) throw new Failure(`That is more than ${TOTAL_MIB_MAX} MiB.`);
  await apt.download(packages);
  return packages;
}

/** @param {Package[]} packages */
function releaseIn(packages) {
  for (const { name } of packages) {
    const release = /^linux-image-(.+)-arm64$/.exec(name)?.[1];
    if (release) return release;
  }
  throw new Failure('No kernel was downloaded: delete build/xen and run it again.');
}

/** @param {Package[]} packages @param {(line: string) => void} say */
async function make(packages, say) {
  const scratch = `${FOLDER}/scratch`;
  rmSync(scratch, { recursive: true, force: true });
  rmSync(`${FOLDER}/programs`, { recursive: true, force: true });
  const { kernel, wanted } = packagesFor(releaseIn(packages), '');
  const named = (/** @type {string} */ name) => {
    const found = packages.find((package_) => package_.name === name);
    if (!found) throw new Failure(`${name} was not downloaded: delete build/xen and run it again.`);
    return found;
  };
  for (const { name, root } of wanted) if (root) await unpack(named(name), `${FOLDER}/programs`);
  await takeKernel(named(kernel.image), scratch, `${FOLDER}/kernel`);
  say(`compiling the backend of ${kernel.image}`);
  await buildBackend(
    {
      headers: named(kernel.headers),
      commonHeaders: named(kernel.commonHeaders),
      kbuild: named(kernel.kbuild),
      source: named(kernel.source),
    },
    scratch,
    `${FOLDER}/kernel`,
  );
  writeFileSync(DOM0.xen, readFileSync(`${FOLDER}/programs/boot/xen-4.17-arm64`));
  rmSync(scratch, { recursive: true });
}

/**
 * Set-up for runs with dom0. A second call does nothing and takes no time.
 *
 * @param {{ say?: (line: string) => void }} [options] `say` gets the sizes before the download.
 */
export async function setUpDom0({ say = (line) => process.stderr.write(`${line}\n`) } = {}) {
  requireTools(DOM0_TOOLS);
  mkdirSync(FOLDER, { recursive: true });
  await once('downloaded', hashOf(DOWNLOADED_FROM), async () => {
    writeFileSync(DOM0.packages, JSON.stringify(await download(say), undefined, 1));
  });
  await once('made', hashOf(MADE_FROM), () => {
    return make(JSON.parse(readFileSync(DOM0.packages, 'utf8')), say);
  });
  await once('root', hashOf(ROOT_FROM), async () => {
    const root = baseArchive({ packages: `${FOLDER}/programs`, kernel: `${FOLDER}/kernel` });
    writeFileSync(DOM0.root, root);
  });
}

/** For the runner: fails, with the line to type, when the set-up was not done. */
export function requireDom0() {
  requireTools(RUN_TOOLS);
  const missing = [DOM0.xen, DOM0.kernel, DOM0.root].filter((path) => !existsSync(path));
  if (missing.length > 0) {
    throw new Failure('Dom0 is not set up yet. Run: npm run xen:setup', { exitCode: 2 });
  }
}
