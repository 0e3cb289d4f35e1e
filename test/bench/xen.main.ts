/**
 * `npm run bench:xen`: our guest against Linux's own frontend, both on Linux's own backend in one
 * boot of real Xen, and against TCP loopback inside dom0. The machine is emulated, so that seconds
 * mean nothing and only ratios inside a boot do; it has one processor, so that a ratio is one of
 * work done by guest, dom0 and Xen together. Two boots: one whose clock counts instructions, which
 * no load disturbs but which takes a trap for as cheap as an addition; and one by the host's clock.
 */
import { mkdirSync, readFileSync, statSync } from 'node:fs';
import { loadavg } from 'node:os';

import { isFresh, makeAndNote } from '../../host/build/freshness.mjs';
import { ROOT, run } from '../../host/build/run.mjs';
import { buildImage } from '../../host/metal/build-image.mjs';
import { buildFrontend, frontendRamdisk } from '../../host/metal/dom0/frontend.mjs';
import { runDom0 } from '../../host/metal/dom0/run.mjs';
import { dom0Of } from '../../host/metal/dom0/setup.mjs';
import { printTurns, type Turn } from './xen/report.js';

const FOLDER = 'test/bench/xen';
const OUT = 'build/bench/xen';
const CONDUCTOR = `${OUT}/conductor`;
const CLIENT = { name: 'linux-client', folder: FOLDER, out: `${ROOT}${OUT}` };
const CLIENT_FILES = ['linux-client.c', 'protocol.h'];
const GUEST_MIB = 32;
const LINUX_MIB = 192;
const TIMEOUT_MS = 600_000;

/** 2^2 ns for an instruction: about as fast as QEMU emulates. */
const ICOUNT_SHIFT = 2;
/** The first round of a boot is not counted. */
const BOOTS = [
  { name: 'by instructions', rounds: 6, clock: { icountShift: ICOUNT_SHIFT } },
  { name: "by the host's clock", rounds: 16, clock: {} },
];

const BYTES = 16 * 2 ** 20;
const RING = 32_768;
/** As conductor.c takes them: operation, count, bytes of a call, bytes of a first call. */
const ORDERS = [
  `1:${BYTES}:${RING}:16`,
  `1:${BYTES}:${RING}:0`,
  `2:${BYTES}:${RING}:0`,
  '3:500:64:0',
];
/** Bits of protocol.h's BENCH_GUEST, BENCH_LINUX and BENCH_LOOPBACK. */
const CLIENTS = 0b111;

/** Linux boots when our guest is connected, so that the guest's way there is undisturbed. */
const job = (rounds: number) => `
conductor /results/turns ${CLIENTS} ${rounds} ${ORDERS.join(' ')} >/results/conductor 2>&1 &
turns=$!
start_guest guest
await_line guest 60 connected || end "no guest"
start_guest linux
wait $turns || end "no turns"
await_guest guest 60 || end "no end of guest"
await_guest linux 60 || end "no end of linux"
`;

async function buildPrograms(): Promise<void> {
  const flags = ['-std=gnu11', '-D_GNU_SOURCE', '-O2', '-Wall', '-Wextra', '-Werror', '-static'];
  mkdirSync(ROOT + OUT, { recursive: true });
  const steps = {
    'bench conductor': {
      inputs: [FOLDER],
      outputs: [CONDUCTOR],
      make: async () => {
        const args = [...flags, '-s', `${FOLDER}/conductor.c`, '-o', CONDUCTOR];
        await run('conductor.c does not compile.', 'aarch64-linux-gnu-gcc', args);
      },
    },
    'bench frontend': {
      inputs: [...CLIENT_FILES.map((file) => `${FOLDER}/${file}`), 'host/metal/dom0'],
      outputs: [`${OUT}/${CLIENT.name}.ko`],
      make: () => buildFrontend({ ...CLIENT, files: CLIENT_FILES }),
    },
  };
  for (const [name, step] of Object.entries(steps)) {
    if (!isFresh(name, step)) await makeAndNote(name, step);
  }
}

async function takeTurns(image: Buffer, { name, rounds, clock }: (typeof BOOTS)[number]) {
  const world = await runDom0({
    guests: [
      { name: 'guest', image, memoryMiB: GUEST_MIB },
      {
        name: 'linux',
        image: readFileSync(dom0Of('arm64').kernel),
        memoryMiB: LINUX_MIB,
        config: ['ramdisk = "/linux.cpio"', 'extra = "console=hvc0 loglevel=4"'],
      },
    ],
    files: [
      { path: 'linux.cpio', data: frontendRamdisk(CLIENT) },
      { path: 'bin/conductor', data: readFileSync(ROOT + CONDUCTOR), executable: true },
    ],
    job: job(rounds),
    timeoutMs: TIMEOUT_MS,
    ...clock,
  });
  if (!world.done) {
    const said = world.files.get('conductor')?.toString() ?? '';
    const consoles = `${world.dom0Console.slice(-3000)}\n${world.guestConsole}`;
    throw new Error(`not all turns were taken\n${said}\n${consoles}`);
  }
  const lines = world.files.get('turns')!.toString().trimEnd().split('\n');
  console.log(
    `${name}: medians (lowest .. highest) of ${rounds - 1} rounds; a boot of ` +
      `${world.seconds.toFixed(0)} s at load ${loadavg()[0]!.toFixed(1)}`,
  );
  printTurns(lines.map((line) => JSON.parse(line) as Turn));
}

await buildPrograms();
const image = await buildImage({
  name: 'bench-guest',
  module: 'build/core.wasm',
  app: `${FOLDER}/guest.c`,
  guest: true,
});
for (const boot of BOOTS) await takeTurns(readFileSync(image), boot);
console.log(`image of the guest, bytes: ${statSync(image).size} (aim: <= 65536)`);
