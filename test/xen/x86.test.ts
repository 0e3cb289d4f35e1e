/**
 * Guests for x86-64 under real Xen: PVH, beside a PV dom0 with Linux's backend. The same sources
 * as the guests of arm64 and, of what those are asserted, what depends on the processor. One boot.
 */
import { readFileSync } from 'node:fs';

import { beforeAll, describe, expect, it } from 'vitest';

import {
  fileOf,
  linesOf,
  nodeAt,
  reasonOf,
  runLinux,
  servedIn,
  tablesAt,
  type World,
} from './dom0/world.js';
import { imageOf } from './images.js';
import { hashOfPattern } from './pattern.js';

const TIMEOUT_MS = 300_000;
const MIB = 2 ** 20;
const ARCHITECTURE = 'x86-64';

const PORTS_OF_XL = 2;
const TIMER_PORT = 1;
const CRASH = 3;
/** xl gives a guest this many frames for its grant table. */
const GRANT_FRAMES = 64;

const CLIENTS = 3;
const CLIENT_BYTES = 50_000;

/** How each fault ends, in the words of the guest on Xen's console. */
const FAULTS = [
  ['trap', /panic: wasm: access out of bounds, in w2c_dom0less_\w+$/m],
  ['abort', /panic: exception 14: page fault, in app_start$/m],
  ['code', /panic: exception 14: page fault, in app_start$/m],
  ['stack', /panic: exception 14: page fault, in deeper$/m],
  ['float', /panic: exception 7: floating point is off, in app_start$/m],
] as const;

const JOB = `
start_guest grants
await_guest grants 60 || end "no end of grants"
xl destroy grants
observe before
start_guest scenario
await_guest scenario 120 || end "no end of scenario"
observe after
xl destroy scenario
start_guest blocking
await_line blocking 60 listening || end "no listener"
observe during
pids=
for client in $(seq ${CLIENTS}); do
    head -c ${CLIENT_BYTES} /dev/urandom >/tmp/in$client
    nc 127.0.0.1 6001 </tmp/in$client >/tmp/out$client &
    pids="$pids $!"
done
wait $pids
for client in $(seq ${CLIENTS}); do
    cmp /tmp/in$client /tmp/out$client && echo same >>/results/clients
done
await_guest blocking 60 || end "no end of blocking"
xl destroy blocking
observe gone
for fault in ${FAULTS.map(([fault]) => fault).join(' ')}; do
    xl dmesg -c >>/results/xen.log
    start_guest $fault
    await_guest $fault 60 || end "no end of $fault"
    xl dmesg -c >/results/$fault.fault
    xl destroy $fault
done
`;

/** Guests over the module of Dom0less: they need no device, and use more of this host. */
async function others() {
  const [faults, grants] = [
    await imageOf('faults', ARCHITECTURE),
    await imageOf('grants', ARCHITECTURE),
  ];
  const domU = (name: string, path: string, settings: string) => ({
    name,
    image: readFileSync(path),
    memoryMiB: 32,
    config: [`extra = "${settings}"`],
  });
  return [
    domU('grants', grants, 'self=1'),
    ...FAULTS.map(([fault]) => domU(fault, faults, `fault=${fault}`)),
  ];
}

describe.runIf(process.env['PVCALLS_LONG'])('guests for x86-64', () => {
  let world: World;

  beforeAll(async () => {
    world = await runLinux({
      architecture: ARCHITECTURE,
      guests: {
        scenario: { app: 'scenario', settings: `bytes=${MIB}` },
        blocking: { app: 'blocking', settings: `clients=${CLIENTS} bytes=${CLIENT_BYTES}` },
      },
      others: await others(),
      job: JOB,
      timeoutMs: TIMEOUT_MS - 10_000,
    });
  }, TIMEOUT_MS);

  it('go to Connected over xenbus, and down again', () => {
    expect(world.done).toBe(true);
    expect(nodeAt(world, 'during', '/local/domain/3/device/pvcalls/0/state')).toBe('4');
    expect(nodeAt(world, 'during', '/local/domain/0/backend/pvcalls/3/0/state')).toBe('4');
    expect(nodeAt(world, 'after', '/local/domain/2/device/pvcalls/0/state')).toBe('6');
    expect(nodeAt(world, 'after', '/local/domain/0/backend/pvcalls/2/0/state')).toBe('6');
  });

  it('have a grant table that grows to the limit of Xen and gives everything back', () => {
    const lines = linesOf(world, 'grants');
    expect(lines).toContain(`grants: ${GRANT_FRAMES * 512 - 8} references`);
    expect(lines.filter((line) => line.includes('expected'))).toEqual([]);
    expect(reasonOf(world, 'grants')).toBe(0);
  });

  it("echo, send and receive through Linux's backend, and dom0 has the hashes", () => {
    const hash = hashOfPattern(MIB);
    const served = servedIn(world);
    const of = (name: string) => served.find(({ service }) => service === name);
    const echo = of('echo');
    expect(echo?.in).toBeGreaterThan(0);
    expect(echo).toMatchObject({ end: 'eof', inHash: hashOfPattern(echo?.in ?? 0) });
    expect(echo).toMatchObject({ out: echo?.in, outHash: echo?.inHash });
    expect(of('sink')).toMatchObject({ end: 'done', in: MIB, inHash: hash });
    expect(of('source')).toMatchObject({ out: MIB, outHash: hash, claim: hash });
    expect(linesOf(world, 'scenario')).toContain(
      'linux: left over: parked 0, lost 0, sockets 0, frames 0',
    );
    expect(reasonOf(world, 'scenario')).toBe(0);
  });

  it('wait for what they asked for, and serve, by the calls that block', () => {
    const lines = linesOf(world, 'blocking').filter((line) => line.startsWith('blocking: '));
    expect(lines.map((line) => line.replace(/after \d+ ms/, ''))).toEqual([
      'blocking: refused as it should be',
      'blocking: connected ',
      'blocking: echo of 100001 bytes done',
      'blocking: listening',
      `blocking: served ${CLIENTS} clients`,
      'blocking: left over: parked 0, lost 0, sockets 0; result 0',
    ]);
    expect(reasonOf(world, 'blocking')).toBe(0);
    expect(fileOf(world, 'clients')).toBe('same\n'.repeat(CLIENTS));
  });

  it('leave nothing behind in dom0, nor of their own but what Xen gave them', () => {
    expect(tablesAt(world, 'gone')).toEqual(tablesAt(world, 'before'));
    const { ports, grants } = tablesAt(world, 'after');
    expect(ports.filter(({ domid }) => domid === 2)).toHaveLength(PORTS_OF_XL + TIMER_PORT);
    expect(ports.filter(({ remote }) => remote === 2)).toHaveLength(PORTS_OF_XL);
    expect(grants.map(({ domid, ref }) => [domid, ref])).toEqual([[2, 0]]);
  });

  it.each(FAULTS)('end with a line on the console of Xen when they go wrong: %s', (fault, line) => {
    expect(fileOf(world, `${fault}.fault`)).toMatch(line);
    expect(reasonOf(world, fault)).toBe(CRASH);
  });
});
