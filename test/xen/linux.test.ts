/**
 * Linux's own pvcalls backend, unmodified, in a Debian dom0 under real Xen serves guests made of
 * build/core.wasm. One boot for all: it takes longer than what happens in it. What is asserted was
 * counted and hashed in dom0, by the servers, by Xen and by xenstored.
 */
import { beforeAll, describe, expect, it } from 'vitest';

import {
  fileOf,
  linesOf,
  nodeAt,
  reasonOf,
  runLinux,
  servedIn,
  tablesAt,
  type Guest,
  type Served,
  type World,
} from './dom0/world.js';
import { HASH_OF_NOTHING, hashOfPattern } from './pattern.js';

const IS_LONG = process.env['PVCALLS_LONG'] !== undefined;
const TIMEOUT_MS = IS_LONG ? 600_000 : 180_000;
const MIB = 2 ** 20;

/** Each way, of the guest with large rings. */
const BIG_BYTES = (IS_LONG ? 64 : 16) * MIB;

/** Ports of every guest of xl: the store's and the console's; and the console's grant, of ref 0. */
const PORTS_OF_XL = 2;
const FRONTEND = '/local/domain/1/device/pvcalls/0';
const BACKEND = '/local/domain/0/backend/pvcalls/1/0';

/** Clients of the guest that listens, and the bytes of each. */
const CLIENTS = 3;
const CLIENT_BYTES = 300_001;

/** `big`: rings of order 4, as Linux's own frontend has; `small`: of order 1, indices that wrap. */
const GUESTS: Record<string, Guest> = {
  big: { app: 'scenario', settings: `bytes=${BIG_BYTES} timeout=${TIMEOUT_MS / 2}` },
  small: { app: 'scenario', settings: 'order=1 first=0xffff8000 bytes=1048576' },
  server: { app: 'listener', settings: `clients=${CLIENTS} bytes=${CLIENT_BYTES}` },
};

const SECONDS = TIMEOUT_MS / 2000;

const JOB = `
observe before
start_guest big
await_line big ${SECONDS} "echo: done" || end "no echo"
observe during
await_guest big ${SECONDS} || end "no end of big"
observe after
xl destroy big
start_guest small
await_guest small 60 || end "no end of small"
xl destroy small
start_guest server
await_line server 60 listening || end "no listener"
pids=
for client in $(seq ${CLIENTS}); do
    head -c ${CLIENT_BYTES} /dev/urandom >/tmp/in$client
    nc 127.0.0.1 6001 </tmp/in$client >/tmp/out$client &
    pids="$pids $!"
done
wait $pids
sha256sum /tmp/in* /tmp/out* >/results/clients
await_guest server 60 || end "no end of server"
xl destroy server
observe gone
`;

let world: World;
let big: Served[] = [];
let small: Served[] = [];

beforeAll(async () => {
  world = await runLinux({ guests: GUESTS, job: JOB, timeoutMs: TIMEOUT_MS - 10_000 });
  const served = servedIn(world);
  big = served.slice(0, 5);
  small = served.slice(5);
}, TIMEOUT_MS);

/** Every size that linux-steps.h echoes with rings of so many bytes each way. */
function echoed(ring: number): number {
  return [2, ring / 2, ring, 2 * ring].reduce((sum, edge) => sum + 3 * edge, 0);
}

function served(all: Served[], service: string): Served {
  const found = all.filter((one) => one.service === service);
  expect(found, service).toHaveLength(1);
  return found[0]!;
}

describe("Linux's backend under real Xen", () => {
  it('goes to Connected over xenbus, and down again in the order of the protocol', () => {
    expect(world.done).toBe(true);
    expect(nodeAt(world, 'during', `${BACKEND}/versions`)).toBe('1');
    expect(nodeAt(world, 'during', `${BACKEND}/max-page-order`)).toBe('4');
    expect(nodeAt(world, 'during', `${BACKEND}/function-calls`)).toBe('1');
    expect(nodeAt(world, 'during', `${BACKEND}/state`)).toBe('4');
    expect(nodeAt(world, 'during', `${FRONTEND}/state`)).toBe('4');
    expect(nodeAt(world, 'during', `${FRONTEND}/version`)).toBe('1');
    expect(nodeAt(world, 'after', `${BACKEND}/state`)).toBe('6');
    expect(nodeAt(world, 'after', `${FRONTEND}/state`)).toBe('6');
  });

  it('leaves dom0 without a port, a grant or a domain that was not there before', () => {
    const [before, gone] = [tablesAt(world, 'before'), tablesAt(world, 'gone')];
    expect(gone).toEqual(before);
    const after = tablesAt(world, 'after');
    expect(after.ports.filter(({ domid }) => domid === 1)).toHaveLength(PORTS_OF_XL);
    expect(after.ports.filter(({ remote }) => remote === 1)).toHaveLength(PORTS_OF_XL);
    expect(after.grants.map(({ domid, ref }) => [domid, ref])).toEqual([[1, 0]]);
  });

  it('had a command ring and a data ring mapped while a connection stood', () => {
    const during = tablesAt(world, 'during');
    expect(during.ports.filter(({ domid }) => domid === 1)).toHaveLength(PORTS_OF_XL + 2);
    expect(during.grants.filter(({ domid }) => domid === 1)).toHaveLength(1 + 1 + 1 + 16);
  });
});

describe.each([
  ['big', 32_768, BIG_BYTES, () => big],
  ['small', 4096, MIB, () => small],
] as const)('guest %s, rings of %i bytes', (guest, ring, bytes, all) => {
  it('ends by itself, with nothing left over on its side', () => {
    expect(linesOf(world, guest)).toContain(
      'linux: left over: parked 0, lost 0, sockets 0, frames 0',
    );
    expect(reasonOf(world, guest)).toBe(0);
  });

  it('gets back every byte of every size around the edges of the ring', () => {
    const echo = served(all(), 'echo');
    expect(echo.in).toBe(echoed(ring));
    expect(echo.inHash).toBe(hashOfPattern(echoed(ring)));
    expect(echo).toMatchObject({ end: 'eof', out: echo.in, outHash: echo.inHash });
  });

  it('sends megabytes of which dom0 has the hash', () => {
    const hash = hashOfPattern(bytes);
    expect(served(all(), 'sink')).toMatchObject({ end: 'done', in: bytes, inHash: hash });
  });

  it('receives megabytes, and tells dom0 the hash of what came', () => {
    const hash = hashOfPattern(bytes);
    expect(served(all(), 'source')).toMatchObject({ out: bytes, outHash: hash, claim: hash });
  });

  it('fills the ring and closes at once, and all of it arrives', () => {
    const hash = hashOfPattern(ring);
    expect(served(all(), 'tail')).toMatchObject({ end: 'eof', in: ring, inHash: hash });
  });

  it('receives all of a stream that dom0 closed at once', () => {
    const burst = served(all(), 'burst');
    expect(burst).toMatchObject({ end: 'done', out: 256 * 1024, inHash: HASH_OF_NOTHING });
    const lines = linesOf(world, guest).join('\n');
    expect(lines).toMatch(/^linux: burst: end of stream (seen|lost) after \d+ ms$/m);
  });

  it('is told ECONNREFUSED where nobody listens', () => {
    expect(linesOf(world, guest).join('\n')).toMatch(/^linux: refused: done/m);
  });
});

describe('a guest that listens', () => {
  it('takes several connections from dom0 at a time, and gives back what each sent', () => {
    const hashes = fileOf(world, 'clients').trimEnd().split('\n');
    const of = (file: string) => hashes.find((line) => line.endsWith(` ${file}`))?.split(' ')[0];
    for (let client = 1; client <= CLIENTS; client++) {
      expect(of(`/tmp/in${client}`)).toMatch(/^[0-9a-f]{64}$/);
      expect(of(`/tmp/out${client}`)).toBe(of(`/tmp/in${client}`));
    }
  });

  it('ends by itself, with nothing left over on its side', () => {
    expect(linesOf(world, 'server')).toContain(
      'linux: left over: parked 0, lost 0, sockets 0, frames 0',
    );
    expect(reasonOf(world, 'server')).toBe(0);
  });
});
