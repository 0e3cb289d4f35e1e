/**
 * Debian's archive as a source of files: apt with all its state below one folder, so that the
 * machine's own apt never learns of a foreign architecture, and packages that are downloaded and
 * unpacked, never installed. Trust: apt checks the archive's signatures as it always does.
 */
import { existsSync, mkdirSync } from 'node:fs';

import { Failure } from '../../build/report.mjs';
import { run } from '../../build/run.mjs';

const INSTALL = 'On Debian: apt-get install apt dpkg';

/** @typedef {{ file: string, name: string, architecture: string, size: number }} Package */

/**
 * @param {string} folder Where the state and the packages go.
 * @param {string} [architecture] Debian's name of whose packages these are.
 */
export async function openApt(folder, architecture = 'arm64') {
  const builder = (
    await run(`This needs dpkg. ${INSTALL}`, 'dpkg', ['--print-architecture'])
  ).trim();
  const options = [
    `-oAPT::Architecture=${architecture}`,
    `-oAPT::Architectures=${[...new Set([architecture, builder])].join(',')}`,
    '-oAPT::Sandbox::User=root',
    `-oDir::State=${folder}/state`,
    `-oDir::State::Lists=${folder}/lists`,
    '-oDir::State::status=/dev/null',
    `-oDir::Cache=${folder}/cache`,
    '-oAcquire::Languages=none',
    '-oAcquire::Retries=3',
  ];
  const packages = `${folder}/packages`;
  for (const path of ['state', 'lists/partial', 'cache/archives/partial', 'packages']) {
    mkdirSync(`${folder}/${path}`, { recursive: true });
  }
  return new Apt(options, packages, builder);
}

export class Apt {
  #options;
  #packages;

  /** @param {string[]} options @param {string} packages @param {string} builder */
  constructor(options, packages, builder) {
    this.#options = options;
    this.#packages = packages;
    this.builder = builder;
  }

  async update() {
    const failed = "Debian's package lists cannot be fetched; is the archive within reach?";
    await run(failed, 'apt-get', [...this.#options, '-qq', 'update']);
  }

  /**
   * One field of the newest version's record.
   *
   * @param {string} name
   * @param {string} field
   */
  async field(name, field) {
    const failed = `Debian's archive has no package ${name}; this needs Debian 12's lists.`;
    const show = ['--no-all-versions', 'show', name];
    const record = await run(failed, 'apt-cache', [...this.#options, ...show]);
    const line = record.split('\n').find((text) => text.startsWith(`${field}: `));
    if (line === undefined) throw new Failure(`${name} has no field ${field} in its record.`);
    return line.slice(field.length + 2);
  }

  /**
   * What would be downloaded.
   *
   * @param {{ name: string, architecture: string }[]} wanted
   * @returns {Promise<Package[]>} In the order of `wanted`; sizes in bytes.
   */
  async resolve(wanted) {
    const names = wanted.map(qualified);
    const failed = 'A package that dom0 is made of is not in the lists; this needs Debian 12.';
    const print = ['--print-uris', 'download', ...names];
    const lines = await run(failed, 'apt-get', [...this.#options, '-qq', ...print]);
    const files = [...lines.matchAll(/^'\S+' (\S+) (\d+) /gm)].map(([, file = '', size]) => ({
      file: `${this.#packages}/${file}`,
      size: Number(size),
    }));
    return wanted.map(({ name, architecture }) => {
      const found = files.find(({ file }) => file.startsWith(`${this.#packages}/${name}_`));
      if (!found) throw new Failure(`apt gave no address for ${name} (${architecture}).`);
      return { name, architecture, ...found };
    });
  }

  /** Fetches what is not there yet, in this version. @param {Package[]} packages */
  async download(packages) {
    const missing = packages.filter(({ file }) => !existsSync(file)).map(qualified);
    if (missing.length === 0) return;
    const failed = "A package could not be downloaded from Debian's archive; run it again.";
    const cwd = this.#packages;
    await run(failed, 'apt-get', [...this.#options, '-qq', 'download', ...missing], { cwd });
  }
}

/** @param {{ name: string, architecture: string }} wanted */
function qualified({ name, architecture }) {
  return architecture === 'all' ? name : `${name}:${architecture}`;
}

/**
 * Unpacks all of a package, or only some of its paths (`./boot/...`).
 *
 * @param {Package} package_
 * @param {string} folder
 * @param {string[]} [paths]
 */
export async function unpack({ name, file }, folder, paths = []) {
  mkdirSync(folder, { recursive: true });
  const script =
    'set -o pipefail; file=$1; folder=$2; shift 2; ' +
    'dpkg-deb --fsys-tarfile "$file" | tar --extract --directory="$folder" "$@"';
  const args = ['-c', script, 'unpack', file, folder, ...paths];
  await run(`${name} cannot be unpacked; delete ${file} and run it again.`, 'bash', args);
}
