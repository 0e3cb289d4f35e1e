/**
 * The whole protocol against Linux's own pvcalls backend, call by call: test/xen/apps/linux-calls.c
 * judges every answer, and ends with 0 only if all were right. One boot for all guests.
 */
import { beforeAll, describe, expect, it } from 'vitest';

import {
  faultsOf,
  fileOf,
  linesOf,
  nodeAt,
  reasonOf,
  runLinux,
  servedIn,
  tablesAt,
  type Guest,
  type World,
} from './dom0/world.js';
import { hashOfPattern, pattern } from './pattern.js';

const IS_LONG = process.env['PVCALLS_LONG'] !== undefined;
const TIMEOUT_MS = IS_LONG ? 1_200_000 : 240_000;

/** What test/xen/apps/linux-calls.c and its parts have. */
const CLIENTS = 4;
const CLIENT_BYTES = 70_001;
const CLIENTS_PORT = 6011;
const ORDER_BYTES = [1, 2, 3, 4].map((order) => 100_000 + order);
const TOGETHER_BYTES = Array.from({ length: 16 }, (_, i) => 60_000 + i * 1009);
const SHORT_BYTES = 64;
const SHORT_PART = 9;

/** Connections one after the other: of a guest that keeps no rings, and of one that does. */
const SHORT = 1000;
const SHORT_REUSING = IS_LONG ? 1000 : 100;
const INIT_REUSE = 2;
const FRAMES_OF_A_RING = 17;

/** Command slots at which accept() refuses: the core's PASSIVE_MAX. */
const SLOTS_LOST = 24;

const FRONTEND = '/local/domain/1/device/pvcalls/0';
const BACKEND = '/local/domain/0/backend/pvcalls/1/0';

const SECONDS = TIMEOUT_MS / 2000;
const REUSING = `part=${SHORT_PART} flags=${INIT_REUSE} short=${SHORT_REUSING}`;

const GUESTS: Record<string, Guest> = {
  calls: { app: 'calls', settings: `short=${SHORT} timeout=${1000 * SECONDS}` },
  reusing: { app: 'calls', settings: `${REUSING} timeout=${1000 * SECONDS}` },
};

/** tcp_syn_retries: dom0 gives a connection up after 3 s, for the part `slow`. */
const JOB = `
ip route add unreachable 10.8.0.0/16 || end "no unreachable route"
echo 1 >/proc/sys/net/ipv4/tcp_syn_retries
observe before
start_guest calls
await_line calls ${SECONDS} "clients: polling" || end "no listener"
pids=
for client in $(seq ${CLIENTS}); do
    nc 127.0.0.1 ${CLIENTS_PORT} </pattern >/tmp/out$client &
    pids="$pids $!"
done
wait $pids
sha256sum /tmp/out* >/results/clients
await_guest calls ${SECONDS} || end "no end of calls"
observe after
xl destroy calls
start_guest reusing
await_guest reusing ${SECONDS} || end "no end of reusing"
xl destroy reusing
observe gone
`;

let world: World;
let echoed: { bytes: number; hash: string }[] = [];

beforeAll(async () => {
  world = await runLinux({
    guests: GUESTS,
    job: JOB,
    files: [{ path: 'pattern', data: pattern(CLIENT_BYTES) }],
    timeoutMs: TIMEOUT_MS - 10_000,
  });
  echoed = servedIn(world)
    .filter((one) => one.service === 'echo' && one.in === one.out && one.inHash === one.outHash)
    .map((one) => ({ bytes: one.in, hash: one.inHash }));
}, TIMEOUT_MS);

/** The numbers of the counters line, by name. */
function countersOf(guest: string): Record<string, number> {
  const line = linesOf(world, guest).find((text) => text.startsWith('linux: counters: ')) ?? '';
  return Object.fromEntries(
    [...line.matchAll(/(\w+) (\d+)/g)].map(([, name, value]) => [name, Number(value)]),
  );
}

/** What dom0 echoed of connections of these sizes, by the same rule on both sides. */
function expectEchoed(sizes: number[]): void {
  for (const bytes of sizes) {
    const found = echoed.filter((one) => one.bytes === bytes).map(({ hash }) => hash);
    expect(found, `${bytes} bytes`).toEqual([hashOfPattern(bytes)]);
  }
}

describe("Linux's backend under real Xen, call by call", () => {
  const parts = ['names', 'unreachable', 'orders', 'clients', 'together', 'slow', 'releases'];

  it.each([...parts, 'starved', 'short'])('answers as it has to: %s', (part) => {
    expect(world.done).toBe(true);
    expect(linesOf(world, 'calls').join('\n')).toMatch(
      new RegExp(`^linux: ${part}: done after`, 'm'),
    );
  });

  it('carries the bytes of rings of every order that it takes', () => {
    expectEchoed(ORDER_BYTES);
  });

  it('carries sixteen connections at a time, none with the bytes of another', () => {
    expectEchoed(TOGETHER_BYTES);
  });

  it('hands several clients over that were there at once, after POLL has said so', () => {
    const lines = linesOf(world, 'calls');
    expect(lines).toContain(`linux: clients: accepted ${CLIENTS}`);
    const hashes = fileOf(world, 'clients').trimEnd().split('\n');
    expect(hashes.map((line) => line.split(' ')[0])).toEqual(
      Array.from({ length: CLIENTS }, () => hashOfPattern(CLIENT_BYTES)),
    );
  });

  it('makes commands wait for a slow CONNECT, and bytes not', () => {
    const line = linesOf(world, 'calls').find((text) => text.startsWith('linux: slow: 50000'));
    const [bytesMs, commandsMs] = /in (\d+) ms.* for (\d+) ms/.exec(line ?? '')!.slice(1);
    expect(Number(commandsMs)).toBeGreaterThan(2000);
    expect(Number(bytesMs)).toBeLessThan(Number(commandsMs));
  });

  it('answers RELEASE in every state, and ACCEPT and POLL of what is released never', () => {
    const lost = linesOf(world, 'calls').flatMap((line) => {
      const [, state, slots] = /^linux: releases: (.*), slots lost: (\d+)$/.exec(line) ?? [];
      return state === undefined ? [] : [[state, Number(slots)]];
    });
    const free = ['unheard', 'connecting', 'refused', 'unread', 'untaken', 'hurried', 'binding'];
    expect(lost).toEqual([
      ...[...free, 'bound', 'to listen', 'listening'].map((state) => [state, 0]),
      ['accepting', 1],
      ['polling', 1],
      ['unfetched', 0],
    ]);
  });

  it('gives lost slots back to a device that starts afresh', () => {
    const lines = linesOf(world, 'calls');
    expect(lines).toContain(`linux: starved: slots lost: ${SLOTS_LOST}`);
    expect(lines).toContain('linux: starved: device is afresh, slots lost: 0');
  });

  it('answers each request once, but for the slots that are lost', () => {
    const calls = countersOf('calls');
    expect(calls['requests']! - calls['responses']!).toBe(SLOTS_LOST);
    const reusing = countersOf('reusing');
    expect(reusing['responses']).toBe(reusing['requests']);
    expect(reusing['late']).toBe(0);
  });

  it(`serves ${SHORT} short connections one after the other, and ${SHORT_REUSING}`, () => {
    const short = echoed.filter(({ bytes }) => bytes === SHORT_BYTES);
    expect(short).toHaveLength(SHORT + SHORT_REUSING);
    expect(new Set(short.map(({ hash }) => hash))).toEqual(new Set([hashOfPattern(SHORT_BYTES)]));
  });

  it('takes the same ring again and again from a guest that keeps it', () => {
    const kept = (guest: string) => /(\d+) frames kept/.exec(linesOf(world, guest).join('\n'))?.[1];
    expect(Number(kept('calls'))).toBe(0);
    expect(Number(kept('reusing'))).toBe(FRAMES_OF_A_RING);
  });

  it('goes down in the order of the protocol, and leaves nothing on either side', () => {
    expect(nodeAt(world, 'after', `${BACKEND}/state`)).toBe('6');
    expect(nodeAt(world, 'after', `${FRONTEND}/state`)).toBe('6');
    for (const guest of ['calls', 'reusing']) {
      expect(linesOf(world, guest)).toContain(
        'linux: left over: parked 0, lost 0, sockets 0, frames 0',
      );
      expect(reasonOf(world, guest)).toBe(0);
    }
    expect(tablesAt(world, 'gone')).toEqual(tablesAt(world, 'before'));
  });

  it("puts no fault and no warning into dom0's log", () => {
    expect(faultsOf(world)).toEqual([]);
  });
});
