/** Tools that Node does not bring: a script that needs one says which package has it, and ends. */
import { existsSync } from 'node:fs';
import { delimiter } from 'node:path';

import { Failure } from './report.mjs';

/** @typedef {{ package: string, command?: string, file?: string }} Tool */

/** @type {Tool[]} */
export const NATIVE_TOOLS = [
  { package: 'gcc', command: 'gcc' },
  { package: 'gcc-aarch64-linux-gnu', command: 'aarch64-linux-gnu-gcc' },
  { package: 'libxen-dev', file: '/usr/include/xen/io/pvcalls.h' },
];

/** What compiles the C program that the bench compares with. @type {Tool[]} */
export const BENCH_TOOLS = [
  { package: 'gcc libc6-dev', command: 'gcc' },
  { package: 'libxen-dev', file: '/usr/include/xen/io/pvcalls.h' },
];

/** @type {Tool[]} */
export const PEER_TOOLS = [
  { package: 'curl', command: 'curl' },
  { package: 'wrk', command: 'wrk' },
  { package: 'redis-server', command: 'redis-server' },
  { package: 'redis-tools', command: 'redis-benchmark' },
];

/** What verifies the models of the rings: test/model. @type {Tool[]} */
export const MODEL_TOOLS = [
  { package: 'gcc', command: 'gcc' },
  { package: 'spin', command: 'spin' },
];

/** What boots guests under real Xen. @type {Tool[]} */
export const XEN_TOOLS = [
  { package: 'qemu-system-arm', command: 'qemu-system-aarch64' },
  { package: 'device-tree-compiler', command: 'dtc' },
  { package: 'gcc-aarch64-linux-gnu', command: 'aarch64-linux-gnu-gcc' },
  { package: 'libxen-dev', file: '/usr/include/xen/io/pvcalls.h' },
];

/** @param {Tool} tool */
function isThere({ command, file }) {
  if (file) return existsSync(file);
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  return folders.some((folder) => existsSync(`${folder}/${command}`));
}

/** @param {Tool[]} tools @returns {Tool[]} */
export function missingTools(tools) {
  return tools.filter((tool) => !isThere(tool));
}

/** Fails with exit code 2 and the line that installs what is missing. @param {Tool[]} tools */
export function requireTools(tools) {
  const missing = missingTools(tools);
  if (missing.length === 0) return;
  const names = new Set(missing.map(({ command, file }) => command ?? file));
  const packages = new Set(missing.map((tool) => tool.package));
  throw new Failure(
    `This needs ${[...names].join(', ')}, not installed here. ` +
      `On Debian: apt-get install ${[...packages].join(' ')}`,
    { exitCode: 2 },
  );
}
