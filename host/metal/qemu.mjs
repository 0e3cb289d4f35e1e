/**
 * Runs real Xen in QEMU, in software emulation: what a machine is, how its device tree gets the
 * guests, and how long it may run. Console and exit code come back.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { run } from '../build/run.mjs';
import { XEN } from './setup.mjs';

/** Guest images are loaded from here on, clear of Xen (0x40200000) and QEMU's own device tree. */
const MODULES_BASE = 0x50000000;
const MODULES_STEP = 0x2000000;

/**
 * @typedef {object} Guest
 * @property {string} image Path of a flat arm64 image.
 * @property {string} bootargs
 * @property {number} [memoryMiB] Default 16.
 *
 * @typedef {object} Dom0less
 * @property {Guest[]} guests Domids are 1, 2, ... in this order.
 * @property {2 | 3} [gic] Version of the interrupt controller. Default 3.
 * @property {string} [xenArguments] Default: guests may reach each other.
 * @property {number} [timeLimitMs] Default 60,000.
 * @property {(text: string) => void} [onConsole] Called with the console's text as it comes.
 * @property {AbortSignal} [signal] Ends the machine.
 *
 * @typedef {object} Outcome
 * @property {number | undefined} exitCode A guest's, by semihosting; undefined: time is up.
 * @property {string} console Everything on the serial line.
 * @property {number} milliseconds
 */

/** Without guest_loglvl, Xen drops what guests print by hypercall. */
export const XEN_ARGUMENTS = 'guest_loglvl=all loglvl=all bootscrub=0';
/** Xen's default policy, SILO, forbids grants and event channels between guests. */
const REACH_EACH_OTHER = 'xsm=dummy';

/** @param {2 | 3} gic @param {string} [more] Further properties of the machine. */
function machine(gic, more = '') {
  return [
    ...['-M', `virt,virtualization=on,gic-version=${gic}${more}`, '-cpu', 'cortex-a57'],
    ...['-m', '1024', '-smp', '1', '-net', 'none', '-display', 'none'],
  ];
}

/** @param {number} index */
const moduleAddress = (index) => MODULES_BASE + index * MODULES_STEP;

/** Two cells. @param {number} value */
const cells = (value) => `<0x0 0x${value.toString(16)}>`;

/** @param {Guest} guest @param {number} index */
function guestNode({ image, bootargs, memoryMiB = 16 }, index) {
  const address = moduleAddress(index).toString(16);
  return `domU${index + 1} {
  compatible = "xen,domain";
  #address-cells = <2>;
  #size-cells = <2>;
  memory = ${cells(memoryMiB * 1024)};
  cpus = <1>;
  module@${address} {
    compatible = "multiboot,kernel", "multiboot,module";
    reg = <0x0 0x${address} 0x0 0x${statSync(image).size.toString(16)}>;
    bootargs = "${bootargs}";
  };
};
`;
}

/**
 * The machine's own device tree, as QEMU writes it, with the guests under /chosen.
 *
 * @param {string} folder
 * @param {Required<Pick<Dom0less, 'guests' | 'gic' | 'xenArguments'>>} options
 * @returns {Promise<string>} Path of the tree.
 */
async function deviceTree(folder, { guests, gic, xenArguments }) {
  const base = join(folder, 'base.dtb');
  const source = join(folder, 'tree.dts');
  const tree = join(folder, 'tree.dtb');
  const failed = 'QEMU does not write its device tree.';
  await run(failed, 'qemu-system-aarch64', machine(gic, `,dumpdtb=${base}`));
  const text = await run('dtc cannot read the device tree of QEMU.', 'dtc', [
    ...['-q', '-I', 'dtb', '-O', 'dts', base],
  ]);
  // The seeds are random: without them, a run is the same as the run before.
  const additions = `/ { chosen {
/delete-property/ stdout-path; /delete-property/ rng-seed; /delete-property/ kaslr-seed;
#address-cells = <2>;
#size-cells = <2>;
xen,xen-bootargs = "console=dtuart dtuart=/pl011@9000000 ${xenArguments}";
${guests.map(guestNode).join('')}}; };
`;
  writeFileSync(source, text + additions);
  await run('dtc refuses the device tree.', 'dtc', [
    ...['-q', '-I', 'dts', '-O', 'dtb', '-o', tree, source],
  ]);
  return tree;
}

/**
 * Starts QEMU and waits until it ends, or until its time is up.
 *
 * @param {string[]} args
 * @param {Pick<Dom0less, 'onConsole' | 'signal'> & { timeLimitMs: number }} options
 * @returns {Promise<Outcome>}
 */
export function runQemu(args, { timeLimitMs, onConsole, signal }) {
  const started = performance.now();
  return new Promise((resolve, reject) => {
    const child = spawn('qemu-system-aarch64', args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let console = '';
    let stopped = false;
    const stop = () => {
      stopped = true;
      child.kill('SIGKILL');
    };
    const timer = setTimeout(stop, timeLimitMs);
    signal?.addEventListener('abort', stop);
    if (signal?.aborted) stop(); // while the device tree was made
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        console += text;
        onConsole?.(text);
      });
    }
    child.on('error', reject);
    child.on('close', (code) => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', stop);
      const exitCode = stopped ? undefined : (code ?? undefined);
      resolve({ exitCode, console, milliseconds: Math.round(performance.now() - started) });
    });
  });
}

/**
 * Boots guests without a dom0. One processor whose clock counts instructions: a run is the same as
 * the run before, timestamps included.
 *
 * @param {Dom0less} options
 * @returns {Promise<Outcome>}
 */
export async function runDom0less({
  guests,
  gic = 3,
  xenArguments = REACH_EACH_OTHER,
  timeLimitMs = 60_000,
  ...rest
}) {
  const folder = mkdtempSync(join(tmpdir(), 'pvcalls-xen-'));
  try {
    const all = `${XEN_ARGUMENTS} ${xenArguments}`;
    const tree = await deviceTree(folder, { guests, gic, xenArguments: all });
    const images = guests.flatMap(({ image }, index) => {
      const file = image.replaceAll(',', ',,'); // QEMU's own way to write a comma
      const address = moduleAddress(index).toString(16);
      return ['-device', `loader,file=${file},addr=0x${address},force-raw=on`];
    });
    return await runQemu(
      [
        ...machine(gic),
        ...['-icount', 'shift=7,sleep=off', '-semihosting', '-no-reboot'],
        ...['-monitor', 'none', '-serial', 'stdio'],
        ...['-kernel', XEN, '-dtb', tree],
        ...images,
      ],
      { timeLimitMs, ...rest },
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
