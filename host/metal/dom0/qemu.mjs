/**
 * One QEMU with Xen and dom0 in it. Dom0's console is QEMU's serial line; the guests' console and
 * the results come through two virtio ports, each a socket of its own, so that nothing Xen or Linux
 * prints can tear them apart. Only this child is ever killed.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';

import { Failure } from '../../build/report.mjs';
import { run } from '../../build/run.mjs';
import { makeDeviceTree } from './device-tree.mjs';
import { ARCHITECTURES } from './architectures.mjs';
import { PC, PC_PORTS, pcBootFiles } from './pc.mjs';
import { dom0Of } from './setup.mjs';

const QEMU = ARCHITECTURES.arm64.qemu;
const MACHINE_MIB = 2048;
const DOM0_MIB = 768;
const KERNEL_AT = 0x4c000000;
const RAMDISK_AT = 0x54000000;

const CONSOLE_FD = 3;
const RESULTS_FD = 4;

/** What dom0 sends behind the archive. */
const RESULTS_END = 'end of results\n';

/** @param {{ gic: 2 | 3, processors: number }} boot */
const machine = ({ gic, processors }) => [
  ...['-M', `virt,virtualization=on,gic-version=${gic}`, '-cpu', 'cortex-a57'],
  ...['-smp', `${processors}`],
];

const COMMON = [
  ...['-m', `${MACHINE_MIB}`, '-net', 'none'],
  ...['-display', 'none', '-monitor', 'none'],
];

/** @param {string} device */
const ports = (device) => [
  '-device',
  device,
  ...[
    ['console', CONSOLE_FD],
    ['results', RESULTS_FD],
  ].flatMap(([name, fd]) => [
    '-chardev',
    `socket,id=${name},fd=${fd}`,
    '-device',
    `virtserialport,chardev=${name},name=${name}`,
  ]),
];

/** @param {string} path @param {number} address */
const load = (path, address) => [
  '-device',
  `loader,file=${path},addr=0x${address.toString(16)},force-raw=on`,
];

/**
 * @typedef {object} Boot
 * @property {Buffer} ramdisk
 * @property {import('./architectures.mjs').ArchitectureName} architecture
 * @property {2 | 3} gic Of arm64.
 * @property {number} processors Of the machine, and of dom0.
 * @property {string} xenArguments Beside those that every run has.
 * @property {number} timeoutMs From the start of QEMU.
 * @property {number} [icountShift] Time is instructions, each 2^this ns: the same under any load.
 * @property {(bytes: Buffer) => void} onDom0Console
 * @property {(bytes: Buffer) => void} onGuestConsole
 * @property {AbortSignal} [signal]
 */

/**
 * Boots, and waits until dom0 has switched the machine off.
 *
 * @param {Boot} boot
 * @returns {Promise<{ results: Buffer, timedOut: boolean }>} `results`: a tar archive, or nothing.
 */
export async function bootDom0(boot) {
  boot.signal?.throwIfAborted();
  const folder = mkdtempSync(`${dom0Of(boot.architecture).folder}/run-`);
  try {
    return await runQemu(await machineFor(folder, boot), boot);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Arguments for QEMU. @param {string} folder @param {Boot} boot */
async function machineFor(folder, boot) {
  const { architecture, processors } = boot;
  const xenArguments =
    `dom0_mem=${DOM0_MIB}M dom0_max_vcpus=${processors} bootscrub=0 ` +
    `loglvl=all guest_loglvl=all ${boot.xenArguments}`;
  const words = { xenArguments, dom0Arguments: 'console=hvc0 loglevel=4 panic=1' };
  if (architecture === 'x86-64') {
    const files = pcBootFiles(folder, { ...words, ramdisk: boot.ramdisk });
    return [...PC, '-smp', `${processors}`, ...COMMON, ...ports(PC_PORTS), ...files];
  }
  const files = await writeBootFiles(folder, boot, words);
  return [...machine(boot), ...COMMON, ...ports('virtio-serial-device'), ...files];
}

/**
 * @param {string} folder
 * @param {Boot} boot
 * @param {{ xenArguments: string, dom0Arguments: string }} words
 */
async function writeBootFiles(folder, boot, { xenArguments, dom0Arguments }) {
  const { xen, kernel } = dom0Of('arm64');
  const { ramdisk } = boot;
  const base = `${folder}/base.dtb`;
  const tree = `${folder}/tree.dtb`;
  const archive = `${folder}/dom0.cpio`;
  const dump = [...machine(boot).slice(2), ...COMMON];
  const described = `${machine(boot)[1]},dumpdtb=${base}`;
  await run(`${QEMU} cannot describe its machine.`, QEMU, ['-M', described, ...dump]);
  writeFileSync(archive, ramdisk);
  await makeDeviceTree({
    base,
    out: tree,
    xenArguments: `console=dtuart dtuart=/pl011@9000000 ${xenArguments}`,
    dom0Arguments,
    modules: [
      { kind: 'kernel', address: KERNEL_AT, size: statSync(kernel).size },
      { kind: 'ramdisk', address: RAMDISK_AT, size: ramdisk.length },
    ],
  });
  const loaded = [...load(kernel, KERNEL_AT), ...load(archive, RAMDISK_AT)];
  return ['-kernel', xen, '-dtb', tree, ...loaded];
}

/**
 * Collects what comes through the results port, and answers when all of it has come: dom0 waits for
 * that before it switches the machine off, because QEMU drops what it could not pass on yet.
 *
 * @param {import('node:stream').Duplex} port
 * @returns {() => Buffer}
 */
function takeResults(port) {
  /** @type {Buffer[]} */
  const parts = [];
  let tail = '';
  port.on('data', (bytes) => {
    parts.push(bytes);
    tail = (tail + bytes.toString('latin1', Math.max(0, bytes.length - 64))).slice(-64);
    if (tail.endsWith(RESULTS_END)) port.write('.');
  });
  port.on('error', () => {}); // QEMU is gone: its exit code says more
  return () => Buffer.concat(parts);
}

/** @param {Boot} boot */
function clock({ icountShift }) {
  if (icountShift === undefined) return ['-accel', 'tcg,thread=multi'];
  return ['-accel', 'tcg', '-icount', `shift=${icountShift},sleep=off`];
}

/**
 * @param {string[]} args
 * @param {Boot} boot
 * @returns {Promise<{ results: Buffer, timedOut: boolean }>}
 */
function runQemu(args, boot) {
  const { architecture, timeoutMs, onDom0Console, onGuestConsole, signal } = boot;
  const { qemu } = ARCHITECTURES[architecture];
  const always = [...clock(boot), '-no-reboot', '-serial', 'stdio'];
  const child = spawn(qemu, [...args, ...always], {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe', 'pipe'],
  });
  const kill = () => child.kill('SIGKILL');
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    kill();
  }, timeoutMs);
  signal?.addEventListener('abort', kill, { once: true });
  if (signal?.aborted) kill(); // while the boot files were made
  process.once('exit', kill);
  let errors = '';
  const [, out, err, guest] = child.stdio;
  out?.on('data', onDom0Console);
  err?.on('data', (bytes) => (errors += bytes));
  /** @type {import('node:stream').Readable} */ (guest).on('data', onGuestConsole);
  const results = takeResults(
    /** @type {import('node:stream').Duplex} */ (child.stdio[RESULTS_FD]),
  );
  return new Promise((resolve, reject) => {
    child.on('error', (error) => reject(new Failure(`${qemu} cannot start: ${error.message}.`)));
    child.on('close', (code) => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', kill);
      process.off('exit', kill);
      if (timedOut || code === 0) resolve({ results: results(), timedOut });
      else if (signal?.aborted) reject(signal.reason);
      else reject(new Failure(`${qemu} ended with code ${code}.`, { output: errors }));
    });
  });
}
