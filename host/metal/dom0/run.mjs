/**
 * Runs guest images under real Xen beside a Linux dom0 whose own pvcalls backend serves them.
 * What a run gives back was measured inside dom0: files, byte for byte, as dom0 wrote them.
 */
import { readFileSync } from 'node:fs';

import { ARCHITECTURES } from './architectures.mjs';
import { cpio } from './cpio.mjs';
import { bootDom0 } from './qemu.mjs';
import { moduleOrder } from './root.mjs';
import { dom0Of, requireDom0 } from './setup.mjs';
import { untar } from './untar.mjs';

/**
 * A guest: its image, and lines for its xl configuration, which has name, kernel, memory and vcpus
 * already, keeps the domain when it shuts down (so that what it holds can be seen), and gives it
 * a pvcalls device whose backend is dom0.
 *
 * @typedef {{ name: string, image: Uint8Array, memoryMiB?: number, config?: string[] }} DomU
 */

/**
 * @typedef {object} Dom0Run
 * @property {DomU[]} guests
 * @property {string} [job] Shell, with the functions of init.sh; default: each guest in turn.
 * @property {import('./cpio.mjs').Entry[]} [files] More files for dom0's root.
 * @property {boolean} [backend] Whether Linux's pvcalls backend is loaded; default true.
 * @property {import('./architectures.mjs').ArchitectureName} [architecture] Default arm64.
 * @property {2 | 3} [gic] Default 3; arm64.
 * @property {number} [processors] Default 1.
 * @property {string} [xenArguments] More of them for Xen's command line.
 * @property {number} [timeoutMs] Default 120,000: emulation is slow, a loaded machine slower.
 * @property {number} [icountShift] Time is instructions, each 2^this ns: the same under any load;
 *   with one processor only.
 * @property {(bytes: Buffer) => void} [onDom0Console] As it comes.
 * @property {(bytes: Buffer) => void} [onGuestConsole] As it comes; about a second late.
 * @property {AbortSignal} [signal]
 */

/**
 * @typedef {object} Dom0Result
 * @property {boolean} done Dom0 did the whole job and switched off in time.
 * @property {boolean} timedOut
 * @property {number} seconds
 * @property {string} dom0Console Xen's lines and dom0's.
 * @property {string} guestConsole All guests', in the order it came.
 * @property {Map<string, Buffer>} files What dom0 left below /results, by path.
 */

const DEFAULT_TIMEOUT_MS = 120_000;
const DEFAULT_MEMORY_MIB = 64;

/** Folder that dom0 has the guests in. */
const GUESTS = 'guests';

/** @param {Dom0Run} run @param {DomU} guest */
function configuration({ architecture }, { name, memoryMiB = DEFAULT_MEMORY_MIB, config = [] }) {
  const lines = [
    ...(architecture === 'x86-64' ? ['type = "pvh"'] : []),
    `name = "${name}"`,
    `kernel = "/${GUESTS}/${name}.img"`,
    `memory = ${memoryMiB}`,
    'vcpus = 1',
    'pvcalls = ["backend=0"]',
    ...['on_poweroff', 'on_reboot', 'on_crash'].map((event) => `${event} = "preserve"`),
    ...config, // the last of two equal names counts
  ];
  return Buffer.from(`${lines.join('\n')}\n`);
}

/** The job of a run that says nothing else. @param {DomU[]} guests @param {number} seconds */
function eachInTurn(guests, seconds) {
  return guests
    .map(({ name }) => `start_guest ${name}\nawait_guest ${name} ${seconds} || end "no end"\n`)
    .join('');
}

/** @param {Dom0Run} run @param {number} timeoutMs */
function ramdisk(run, timeoutMs) {
  const { architecture = 'arm64', guests, job, files = [], backend = true } = run;
  const seconds = Math.ceil(timeoutMs / 1000);
  const order = moduleOrder(ARCHITECTURES[architecture], backend);
  return Buffer.concat([
    readFileSync(dom0Of(architecture).root),
    cpio([
      { path: 'job.sh', data: Buffer.from(job ?? eachInTurn(guests, seconds)) },
      { path: 'modules/order', data: Buffer.from(order) },
      ...guests.flatMap((guest) => [
        { path: `${GUESTS}/${guest.name}.img`, data: guest.image },
        { path: `${GUESTS}/${guest.name}.cfg`, data: configuration(run, guest) },
      ]),
      ...files,
    ]),
  ]);
}

/**
 * Boots Xen and dom0, lets dom0 do the job, and brings back what it found.
 *
 * @param {Dom0Run} run
 * @returns {Promise<Dom0Result>}
 */
export async function runDom0(run) {
  const { architecture = 'arm64', gic = 3, processors = 1, xenArguments = '', signal } = run;
  const { timeoutMs = DEFAULT_TIMEOUT_MS, icountShift } = run;
  requireDom0(architecture);
  const started = performance.now();
  let dom0Console = '';
  let guestConsole = '';
  const { results, timedOut } = await bootDom0({
    ramdisk: ramdisk(run, timeoutMs),
    architecture,
    gic,
    processors,
    xenArguments,
    timeoutMs,
    ...(icountShift === undefined ? {} : { icountShift }),
    ...(signal ? { signal } : {}),
    onDom0Console: (bytes) => {
      dom0Console += bytes.toString('latin1').replaceAll('\r', '');
      run.onDom0Console?.(bytes);
    },
    onGuestConsole: (bytes) => {
      guestConsole += bytes.toString('latin1').replaceAll('\r', '');
      run.onGuestConsole?.(bytes);
    },
  });
  const files = untar(results);
  return {
    done: files.get('end')?.toString().trim() === 'done',
    timedOut,
    seconds: (performance.now() - started) / 1000,
    dom0Console,
    guestConsole,
    files,
  };
}
