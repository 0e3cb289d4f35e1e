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

/** @type {Tool[]} */
export const PEER_TOOLS = [
  { package: 'curl', command: 'curl' },
  { package: 'wrk', command: 'wrk' },
  { package: 'redis-server', command: 'redis-server' },
  { package: 'redis-tools', command: 'redis-benchmark' },
];

/** @param {Tool} tool */
function isThere({ command, file }) {
  if (file) return existsSync(file);
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  return folders.some((folder) => existsSync(`${folder}/${command}`));
}

/** Fails with exit code 2 and the line that installs what is missing. @param {Tool[]} tools */
export function requireTools(tools) {
  const missing = tools.filter((tool) => !isThere(tool));
  if (missing.length === 0) return;
  const names = missing.map(({ command, file }) => command ?? file).join(', ');
  const packages = missing.map((tool) => tool.package).join(' ');
  throw new Failure(
    `This needs ${names}, which is not installed. On Debian: apt-get install ${packages}`,
    { exitCode: 2 },
  );
}
