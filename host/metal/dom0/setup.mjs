/**
 * Makes everything that a run with dom0 needs, below build/xen/dom0, and only what is not there:
 * packages from Debian's archive, kernel and modules, dom0's root. The machine is left as it is.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

import { filesBelow } from '../../build/freshness.mjs';
import { Failure } from '../../build/report.mjs';
import { ROOT } from '../../build/run.mjs';
import { requireTools } from '../../build/tools.mjs';
import { openApt, unpack } from './apt.mjs';
import { ARCHITECTURES } from './architectures.mjs';
import { buildBackend, takeKernel } from './kernel.mjs';
import { TOTAL_MIB_MAX, kernelSeries, packagesFor } from './packages.mjs';
import { baseArchive } from './root.mjs';

/** @typedef {import('./apt.mjs').Package} Package */
/** @typedef {import('./architectures.mjs').Architecture} Architecture */

/** @typedef {import('./architectures.mjs').ArchitectureName} ArchitectureName */

const MIB = 2 ** 20;

/** What the set-up leaves behind, and the runner reads. @param {ArchitectureName} architecture */
export function dom0Of(architecture) {
  const { folder } = ARCHITECTURES[architecture];
  return {
    folder,
    xen: `${folder}/xen`,
    kernel: `${folder}/kernel/Image`,
    root: `${folder}/root.cpio`,
    packages: `${folder}/packages.json`,
  };
}

/** @typedef {import('../../build/tools.mjs').Tool} Tool */

/** @type {Record<ArchitectureName, Tool[]>} */
const RUN_TOOLS = {
  arm64: [
    { package: 'device-tree-compiler', command: 'dtc' },
    { package: 'qemu-system-arm', command: 'qemu-system-aarch64' },
  ],
  'x86-64': [
    { package: 'qemu-system-x86', command: 'qemu-system-x86_64' },
    {
      package: process.arch === 'x64' ? 'gcc' : 'gcc-x86-64-linux-gnu',
      command: 'x86_64-linux-gnu-gcc',
    },
  ],
};

/** @type {Tool[]} */
const SETUP_TOOLS = [
  { package: 'apt', command: 'apt-get' },
  { package: 'dpkg', command: 'dpkg-deb' },
  { package: 'make', command: 'make' },
  { package: 'xz-utils', command: 'xz' },
  { package: 'gcc', command: 'gcc' },
];

/** @type {Record<ArchitectureName, Tool[]>} */
export const DOM0_TOOLS = {
  arm64: [
    ...RUN_TOOLS.arm64,
    ...SETUP_TOOLS,
    { package: 'gcc-aarch64-linux-gnu', command: 'aarch64-linux-gnu-gcc' },
    { package: 'libc6-dev-arm64-cross', file: '/usr/aarch64-linux-gnu/include/stdio.h' },
  ],
  'x86-64': [
    ...RUN_TOOLS['x86-64'],
    ...SETUP_TOOLS,
    { package: 'libelf1', file: '/usr/share/doc/libelf1' },
  ],
};

/** Sources whose change makes a step, and those after it, be done again. */
const source = (/** @type {string} */ name) => `host/metal/dom0/${name}`;
const DOWNLOADED_FROM = ['packages.mjs', 'apt.mjs', 'architectures.mjs'].map(source);
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
  /** @type {string} */ folder,
  /** @type {string} */ name,
  /** @type {string} */ hash,
  /** @type {() => Promise<void>} */ make,
) {
  const stamp = `${folder}/.${name}`;
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === hash) return;
  await make();
  writeFileSync(stamp, hash);
}

/**
 * @param {Architecture} architecture
 * @param {(line: string) => void} say
 * @returns {Promise<Package[]>}
 */
async function download({ folder, debian }, say) {
  const apt = await openApt(`${folder}/apt`, debian);
  await apt.update();
  const depends = await apt.field(kernelSeries(debian), 'Depends');
  const release = new RegExp(`linux-image-(\\S+)-${debian}`).exec(depends)?.[1];
  if (!release) throw new Failure(`${kernelSeries(debian)} depends on no kernel: ${depends}`);
  const packages = await apt.resolve(packagesFor(release, debian, apt.builder).wanted);
  const mib = packages.reduce((sum, { size }) => sum + size, 0) / MIB;
  for (const { name, size } of packages) say(`${(size / MIB).toFixed(1).padStart(7)} MiB  ${name}`);
  say(`${mib.toFixed(1).padStart(7)} MiB  in ${packages.length} packages for dom0`);
  if (mib > TOTAL_MIB_MAX) throw new Failure(`That is more than ${TOTAL_MIB_MAX} MiB.`);
  await apt.download(packages);
  return packages;
}

/** @param {Package[]} packages @param {string} debian */
function releaseIn(packages, debian) {
  for (const { name } of packages) {
    const release = new RegExp(`^linux-image-(.+)-${debian}$`).exec(name)?.[1];
    if (release) return release;
  }
  throw new Failure('No kernel was downloaded: delete build/xen and run it again.');
}

/** @param {Package[]} packages @param {string} wanted */
function packageNamed(packages, wanted) {
  const found = packages.find(({ name }) => name === wanted);
  if (!found) throw new Failure(`${wanted} was not downloaded: delete build/xen and run it again.`);
  return found;
}

/**
 * What modules for dom0's kernel are compiled from.
 *
 * @param {Package[]} packages
 * @param {string} debian
 */
export function kernelSourcesIn(packages, debian) {
  const { kernel } = packagesFor(releaseIn(packages, debian), debian, '');
  return {
    headers: packageNamed(packages, kernel.headers),
    commonHeaders: packageNamed(packages, kernel.commonHeaders),
    kbuild: packageNamed(packages, kernel.kbuild),
    source: packageNamed(packages, kernel.source),
  };
}

/**
 * @param {Architecture} architecture
 * @param {Package[]} packages
 * @param {(line: string) => void} say
 */
async function make(architecture, packages, say) {
  const { folder, debian } = architecture;
  const scratch = `${folder}/scratch`;
  rmSync(scratch, { recursive: true, force: true });
  rmSync(`${folder}/programs`, { recursive: true, force: true });
  const { kernel, wanted } = packagesFor(releaseIn(packages, debian), debian, '');
  const named = (/** @type {string} */ name) => packageNamed(packages, name);
  for (const { name, root } of wanted) if (root) await unpack(named(name), `${folder}/programs`);
  await takeKernel(architecture, named(kernel.image), scratch, `${folder}/kernel`);
  say(`compiling the backend of ${kernel.image}`);
  const sources = kernelSourcesIn(packages, debian);
  await buildBackend(architecture, sources, scratch, `${folder}/kernel`);
  const xen = readFileSync(`${folder}/programs/${architecture.xen}`);
  writeFileSync(`${folder}/xen`, architecture.xen.endsWith('.gz') ? gunzipSync(xen) : xen);
  rmSync(scratch, { recursive: true });
}

/** @param {string} line */
const toErrors = (line) => process.stderr.write(`${line}\n`);

/**
 * Set-up for runs with dom0. A second call does nothing and takes no time.
 *
 * @param {{ architecture?: ArchitectureName, say?: (line: string) => void }} [options] `say` gets
 *   the sizes before the download.
 */
export async function setUpDom0({ architecture: name = 'arm64', say = toErrors } = {}) {
  const architecture = ARCHITECTURES[name];
  const { folder } = architecture;
  const { packages, root } = dom0Of(name);
  requireTools(DOM0_TOOLS[name]);
  mkdirSync(folder, { recursive: true });
  await once(folder, 'downloaded', hashOf(DOWNLOADED_FROM), async () => {
    writeFileSync(packages, JSON.stringify(await download(architecture, say), undefined, 1));
  });
  await once(folder, 'made', hashOf(MADE_FROM), () => {
    return make(architecture, JSON.parse(readFileSync(packages, 'utf8')), say);
  });
  await once(folder, 'root', hashOf(ROOT_FROM), async () => {
    const archive = baseArchive(architecture, {
      packages: `${folder}/programs`,
      kernel: `${folder}/kernel`,
    });
    writeFileSync(root, archive);
  });
}

/**
 * For the runner: fails, with the line to type, when the set-up was not done.
 *
 * @param {ArchitectureName} architecture
 */
export function requireDom0(architecture) {
  requireTools(RUN_TOOLS[architecture]);
  const { xen, kernel, root } = dom0Of(architecture);
  if ([xen, kernel, root].every((path) => existsSync(path))) return;
  const task = architecture === 'arm64' ? 'xen:setup' : `xen:setup -- ${architecture}`;
  throw new Failure(`Dom0 is not set up yet. Run: npm run ${task}`, { exitCode: 2 });
}
