/**
 * `npm run xen:setup`: everything that runs under real Xen need, and only what is not there: tools
 * of this machine by apt, if we are root; the hypervisor, and what dom0 is made of, unpacked below
 * build/xen. A second call does nothing. `npm run xen:setup -- x86-64`: the same for guests of that
 * processor, which only `npm run test:long` runs.
 */
import { existsSync } from 'node:fs';

import { Failure } from '../build/report.mjs';
import { ROOT, run } from '../build/run.mjs';
import { XEN_TOOLS, missingTools, requireTools } from '../build/tools.mjs';
import { openApt, unpack } from './dom0/apt.mjs';
import { DOM0_TOOLS, setUpDom0 } from './dom0/setup.mjs';

const FOLDER = `${ROOT}build/xen`;
const MIB = 2 ** 20;

/** The hypervisor. */
export const XEN = `${FOLDER}/root/boot/xen-4.17-arm64`;
const XEN_PACKAGE = { name: 'xen-hypervisor-4.17-arm64', architecture: 'arm64' };

/** Of guests without a dom0, and with one. */
const TOOLS = { arm64: [...XEN_TOOLS, ...DOM0_TOOLS.arm64], 'x86-64': DOM0_TOOLS['x86-64'] };

/** @typedef {import('./dom0/architectures.mjs').ArchitectureName} ArchitectureName */

/** @param {string} line */
const say = (line) => process.stderr.write(`${line}\n`);

/**
 * Installs what this machine lacks; fails with the line to type when it may not.
 *
 * @param {import('../build/tools.mjs').Tool[]} tools
 */
async function installTools(tools) {
  const missing = missingTools(tools);
  const isRoot = process.getuid?.() === 0;
  if (missing.length === 0) return;
  if (!isRoot || !existsSync('/usr/bin/apt-get')) requireTools(tools);
  const packages = [...new Set(missing.map((tool) => tool.package))];
  const install = ['install', '--yes', '--no-install-recommends'];
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  await run('apt-get update fails.', 'apt-get', ['-qq', 'update'], { env });
  const uris = await run('apt-get cannot install what is missing.', 'apt-get', [
    ...['-qq', '--print-uris', ...install],
    ...packages,
  ]);
  const bytes = [...uris.matchAll(/^'\S+' \S+ (\d+) /gm)].reduce(
    (sum, [, n]) => sum + Number(n),
    0,
  );
  say(`${(bytes / MIB).toFixed(1).padStart(7)} MiB  to install: ${packages.join(' ')}`);
  await run('apt-get install fails.', 'apt-get', ['-qq', ...install, ...packages], { env });
}

async function fetchXen() {
  if (existsSync(XEN)) return;
  const apt = await openApt(`${FOLDER}/apt`);
  await apt.update();
  const packages = await apt.resolve([XEN_PACKAGE]);
  for (const { name, size } of packages) say(`${(size / MIB).toFixed(1).padStart(7)} MiB  ${name}`);
  await apt.download(packages);
  for (const package_ of packages) await unpack(package_, `${FOLDER}/root`);
}

/** @param {string} name @returns {name is ArchitectureName} */
const isArchitecture = (name) => Object.hasOwn(TOOLS, name);

/** The task. Result: its exit code. @param {string[]} args Of which processor the guests are. */
export async function setUpXen([architecture = 'arm64', ...rest]) {
  if (!isArchitecture(architecture) || rest.length > 0) {
    const names = Object.keys(TOOLS).join(', ');
    throw new Failure(`xen:setup takes one of ${names}.`, { exitCode: 2 });
  }
  await installTools(TOOLS[architecture]);
  if (architecture === 'arm64') await fetchXen();
  await setUpDom0({ architecture, say });
  return 0;
}

/** For what runs guests: fails with exit code 2 and the line to type when something is missing. */
export function requireXen() {
  requireTools(XEN_TOOLS);
  if (existsSync(XEN)) return;
  throw new Failure(`There is no ${XEN.slice(ROOT.length)}. Run: npm run xen:setup`, {
    exitCode: 2,
  });
}
