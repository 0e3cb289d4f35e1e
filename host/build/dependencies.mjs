/**
 * Installs the development dependencies when node_modules is missing or stale.
 *
 * npm leaves a record of what it installed in node_modules/.package-lock.json, written last; it is
 * compared with package-lock.json, so an install made by hand counts and a broken one does not.
 */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';

import { Failure, progress } from './report.mjs';
import { ROOT, run } from './run.mjs';

/** @typedef {{ version?: string, integrity?: string, optional?: boolean }} Installed */

/**
 * @param {string} file
 * @returns {Record<string, Installed> | undefined} Undefined when there is no such file.
 */
function packagesOf(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).packages;
  } catch {
    return undefined;
  }
}

/** True when every package of the lockfile is installed in that version. */
export function dependenciesAreFresh() {
  const wanted = packagesOf(`${ROOT}package-lock.json`);
  if (!wanted) throw new Failure('package-lock.json is missing or is not JSON; restore it.');
  const installed = packagesOf(`${ROOT}node_modules/.package-lock.json`);
  if (!installed) return false;
  return Object.entries(wanted).every(([path, { version, integrity, optional }]) => {
    if (path === '') return true;
    const found = installed[path];
    if (!found) return optional === true; // packages for other platforms stay away
    return found.version === version && found.integrity === integrity;
  });
}

export async function installDependencies() {
  if (dependenciesAreFresh()) return;
  progress('installing development dependencies (npm ci)');
  const npm = process.env['npm_execpath'] ?? '';
  const [command, first] = basename(npm).startsWith('npm')
    ? [process.execPath, [npm]]
    : ['npm', []];
  await run('npm ci failed; the packages could not be installed.', command, [
    ...first,
    'ci',
    '--loglevel=error',
    '--no-audit',
    '--no-fund',
  ]);
}
