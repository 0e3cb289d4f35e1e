/** Dom0 with the servers of servers.c, guests of linux-*.c, and what dom0 says of them. */
import { readFileSync } from 'node:fs';

import { isFresh, makeAndNote } from '../../../host/build/freshness.mjs';
import { ROOT, run } from '../../../host/build/run.mjs';
import { buildImage } from '../../../host/metal/build-image.mjs';
import { ARCHITECTURES } from '../../../host/metal/dom0/architectures.mjs';
import type { Entry } from '../../../host/metal/dom0/cpio.mjs';
import { runDom0, type DomU } from '../../../host/metal/dom0/run.mjs';
import { parseTables } from '../../../host/metal/dom0/tables.mjs';

/** What a server wrote at the end of a connection; hashes are SHA-256, in hexadecimal. */
export interface Served {
  service: 'echo' | 'sink' | 'source' | 'tail' | 'burst';
  /** `done`, `eof`, or the name of the error that ended it. */
  end: string;
  in: number;
  inHash: string;
  out: number;
  outHash: string;
  /** What the client says that it received. */
  claim: string;
}

export type World = Awaited<ReturnType<typeof runDom0>>;

export type Architecture = 'arm64' | 'x86-64';

const SERVERS_LOG = '/results/servers';

/** A static program, because dom0 has libraries for Xen's tools and no others. */
async function buildServers(architecture: Architecture): Promise<Buffer> {
  const { folder, tools } = ARCHITECTURES[architecture];
  const servers = `${folder}-servers`;
  const source = 'test/xen/dom0/servers.c';
  const flags = ['-std=gnu11', '-D_GNU_SOURCE', '-O2', '-Wall', '-Wextra', '-Werror'];
  const step = {
    inputs: [source, 'test/xen/apps'],
    outputs: [servers.slice(ROOT.length)],
    make: async () => {
      const args = [...flags, '-static', '-s', source, '-o', servers];
      await run('servers.c does not compile.', `${tools}gcc`, args);
    },
  };
  const name = `xen servers ${architecture}`;
  if (!isFresh(name, step)) await makeAndNote(name, step);
  return readFileSync(servers);
}

/** Which program a guest is, test/xen/apps/linux-APP.c, and its settings. */
export interface Guest {
  app: 'scenario' | 'listener' | 'blocking' | 'calls' | 'trouble' | 'faults';
  settings: string;
}

export interface Job {
  /** By name. */
  guests: Record<string, Guest>;
  /** Guests that are no linux-*.c. */
  others?: DomU[];
  /** Shell, with the functions of host/metal/dom0/init.sh; the servers run already. */
  job: string;
  backend?: boolean;
  /** Default arm64. */
  architecture?: Architecture;
  gic?: 2 | 3;
  processors?: number;
  timeoutMs: number;
  /** More files for dom0's root. */
  files?: Entry[];
}

async function imageOf({ app }: Guest, architecture: Architecture): Promise<Buffer> {
  const name = `linux-${app}`;
  const source = `test/xen/apps/${name}.c`;
  const guest = app === 'blocking';
  const module = 'build/core.wasm';
  return readFileSync(await buildImage({ name, module, app: source, guest, architecture }));
}

/** Boots dom0, does the job, and shows the guests' lines for whoever reads the test's output. */
export async function runLinux(run: Job): Promise<World> {
  const { guests, others = [], job, files = [], ...options } = run;
  const { architecture = 'arm64' } = options;
  const domUs = [];
  for (const [name, guest] of Object.entries(guests)) {
    const config = [`extra = "${guest.settings}"`];
    domUs.push({ name, image: await imageOf(guest, architecture), memoryMiB: 32, config });
  }
  const world = await runDom0({
    ...options,
    guests: [...domUs, ...others],
    files: [
      { path: 'bin/servers', data: await buildServers(architecture), executable: true },
      ...files,
    ],
    job: `servers ${SERVERS_LOG} || end "no servers"\n${job}`,
  });
  console.log(`${world.guestConsole.trimEnd()}\ndom0: ${world.seconds.toFixed(1)} s in all`);
  if (!world.done) console.log(world.dom0Console.slice(-4000));
  return world;
}

/** Text of a file that dom0 left. */
export function fileOf(world: World, path: string): string {
  const bytes = world.files.get(path);
  if (!bytes) throw new Error(`dom0 left no ${path}, but ${[...world.files.keys()].join(', ')}`);
  return bytes.toString('latin1');
}

/** Everything a guest printed. */
export function linesOf(world: World, guest: string): string[] {
  return fileOf(world, `logs/console/guest-${guest}.log`).split(/\r*\n/);
}

/** How Xen says that a guest ended: 0 power-off, 3 crash. */
export function reasonOf(world: World, guest: string): number {
  const reason = /has shut down, reason code (\d+)/.exec(fileOf(world, `${guest}.xl`))?.[1];
  return reason === undefined ? NaN : Number(reason);
}

/** The servers' account, in the order in which connections ended. */
export function servedIn(world: World): Served[] {
  const lines = fileOf(world, 'servers').trimEnd().split('\n');
  return lines.map((line) => JSON.parse(line) as Served);
}

/** Xen's tables at one of the job's `observe` moments. */
export function tablesAt(world: World, moment: string) {
  return parseTables(fileOf(world, `${moment}/tables`));
}

/** Value of a xenstore node at such a moment, or undefined. */
export function nodeAt(world: World, moment: string, path: string): string | undefined {
  const lines = fileOf(world, `${moment}/store`).split('\n');
  const line = lines.find((text) => text.startsWith(`${path} = "`));
  return line === undefined ? undefined : /= "(.*)" {3}\(/.exec(line)?.[1];
}

/** Lines in which dom0's kernel says that it did something wrong. */
export function faultsOf(world: World): string[] {
  const lines = fileOf(world, 'linux.log').split('\n');
  return lines.filter((line) => /Oops|BUG|WARNING|Call trace|list_(add|del) corruption/.test(line));
}

/** States of TCP sockets, as /proc/net/tcp numbers them. */
const ESTABLISHED = 1;
const TIME_WAIT = 6;
const LISTEN = 10;

/** Dom0's TCP sockets, of a copy of /proc/net/tcp; those that only wait for time are left out. */
export function socketsIn(world: World, path: string) {
  const rows = fileOf(world, path).trimEnd().split('\n').slice(1);
  const all = rows.map((row) => {
    const [, local = '', , state = ''] = row.trim().split(/\s+/);
    return { port: parseInt(local.split(':')[1]!, 16), state: parseInt(state, 16) };
  });
  const ports = all.filter(({ state }) => state === LISTEN).map(({ port }) => port);
  return {
    listening: ports.sort((a, b) => a - b),
    established: all.filter(({ state }) => state === ESTABLISHED).length,
    closing: all.filter(({ state }) => ![ESTABLISHED, LISTEN, TIME_WAIT].includes(state)).length,
  };
}
