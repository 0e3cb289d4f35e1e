/**
 * Linux's backend goes away under a guest in the middle of transfers, in each way that dom0 has,
 * and comes back; and a guest is destroyed in the middle of them. One boot for all.
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
  socketsIn,
  tablesAt,
  type Guest,
  type World,
} from './dom0/world.js';
import { hashOfPattern } from './pattern.js';

const TIMEOUT_MS = 240_000;

/** Device taken by a state that is written, by a whole detach, by unbinding the driver. */
const ROUNDS = 3;
const AGAIN_BYTES = 123_456;

const CONSOLE = 1;
const COMMAND_RING = 1;
const DATA_RING = 17;
/** What an unbound backend keeps of this guest: its rings of the third round. */
const KEPT = COMMAND_RING + 2 * DATA_RING;

/** Ports of test/xen/apps/services.h, and of the guests' listener. */
const SERVERS = [5001, 5002, 5003, 5004, 5005];
const LISTENER = 6030;

/** Domids are 1 and 2, in this order. */
const GUESTS: Record<string, Guest> = {
  victim: { app: 'trouble', settings: 'timeout=120000' },
  away: { app: 'trouble', settings: `rounds=${ROUNDS} parked=${KEPT} timeout=120000` },
};

/**
 * `xl` 4.17 cannot take a pvcalls device away: detach and attach are what its library does for
 * others. A node the guest waits for is written last.
 */
const JOB = `
F=/local/domain/2/device/pvcalls/0
B=/local/domain/0/backend/pvcalls/2/0
lines() { [ "$(grep -c "$2" "/var/log/xen/console/guest-$1.log")" -ge "$3" ]; }
state() { [ "$(xenstore-read "$1/state")" = "$2" ]; }
quiet() { ! grep -q "^ *[0-9]*: [^ ]* [^ ]* 0[1-57-9] " /proc/net/tcp; }
look() {
    observe $1
    cp /proc/net/tcp /results/$1/tcp
}
detach() {
    xenstore-write $B/online 0 $B/state 5
    wait_until 20 state $B 6 || end "no end of the device"
    xenstore-rm $B
    xenstore-rm $F
}
attach() {
    xenstore-write $F "" $B ""
    xenstore-chmod $F n2 r0
    xenstore-chmod $B n0 r2
    xenstore-write $F/backend-id 0 $F/handle 0 $F/state 1
    xenstore-write $B/frontend-id 2 $B/frontend $F $B/online 1 $B/handle 0
    xenstore-write $F/backend $B
    xenstore-write $B/state 1
}
look before
start_guest victim
await_line victim 60 "bytes move" || end "no transfer of victim"
look during
xl destroy victim
wait_until 20 quiet
look destroyed
start_guest away
wait_until 60 lines away "bytes move" 1 || end "no transfer of round 1"
xenstore-write $B/state 5
wait_until 60 lines away "bytes move" 2 || end "no transfer of round 2"
detach
wait_until 60 lines away "round 2: everybody" 1 || end "no EIO of round 2"
wait_until 20 quiet
look detached
attach
wait_until 60 lines away "bytes move" 3 || end "no transfer of round 3"
echo pvcalls-2-0 >/sys/bus/xen-backend/drivers/pvcalls/unbind
wait_until 60 lines away "round 3: everybody" 1 || end "no EIO of round 3"
echo pvcalls-2-0 >/sys/bus/xen-backend/drivers/pvcalls/bind
await_guest away 60 || end "no end of away"
look after
xl destroy away
look gone
`;

let world: World;

beforeAll(async () => {
  world = await runLinux({ guests: GUESTS, job: JOB, timeoutMs: TIMEOUT_MS - 10_000 });
}, TIMEOUT_MS);

const grantsOf = (moment: string, domid: number) =>
  tablesAt(world, moment).grants.filter((grant) => grant.domid === domid).length;

describe('a guest that is destroyed in the middle of transfers', () => {
  it('had rings mapped, connections and a listener', () => {
    expect(world.done).toBe(true);
    expect(grantsOf('during', 1)).toBe(CONSOLE + COMMAND_RING + 2 * DATA_RING);
    const { listening, established } = socketsIn(world, 'during/tcp');
    expect(listening).toEqual([...SERVERS, LISTENER]);
    expect(established).toBe(2 * 2);
  });

  it('leaves no socket in dom0, no directory, no mapping, no port and no domain', () => {
    expect(socketsIn(world, 'destroyed/tcp')).toEqual(socketsIn(world, 'before/tcp'));
    expect(fileOf(world, 'during/store')).toContain('/backend/pvcalls/1/0/state');
    expect(fileOf(world, 'destroyed/store')).not.toContain('/backend/pvcalls/1/0');
    expect(tablesAt(world, 'destroyed')).toEqual(tablesAt(world, 'before'));
    expect(fileOf(world, 'destroyed/domains').trimEnd().split('\n')).toHaveLength(2);
  });
});

describe('a guest whose device is taken away in the middle of transfers', () => {
  it.each([
    [1, 'by the state Closing in xenstore'],
    [2, 'by removing it'],
    [3, "by unbinding Linux's driver"],
  ])('round %i, %s: lives, tells everybody EIO, and talks over the next one', (round) => {
    const lines = linesOf(world, 'away').join('\n');
    expect(lines).toContain(`linux: trouble: round ${round}: everybody is told EIO`);
    expect(lines).toMatch(new RegExp(`^linux: trouble: round ${round}: back after \\d+ ms`, 'm'));
    const echoes = servedIn(world).filter((one) => one.in === AGAIN_BYTES + round);
    const hash = hashOfPattern(AGAIN_BYTES + round);
    expect(echoes).toMatchObject([{ service: 'echo', end: 'eof', inHash: hash, outHash: hash }]);
  });

  it('ends by itself, and has back all that Linux has let go of', () => {
    expect(linesOf(world, 'away')).toContain(
      `linux: left over: parked ${KEPT}, lost 0, sockets 0, frames ${KEPT}`,
    );
    expect(reasonOf(world, 'away')).toBe(0);
    expect(nodeAt(world, 'after', '/local/domain/0/backend/pvcalls/2/0/state')).toBe('6');
    expect(nodeAt(world, 'after', '/local/domain/2/device/pvcalls/0/state')).toBe('6');
  });

  it('kept nothing in dom0 once its device was removed', () => {
    expect(socketsIn(world, 'detached/tcp')).toEqual(socketsIn(world, 'before/tcp'));
    expect(fileOf(world, 'detached/store')).not.toContain('/backend/pvcalls/2/0/state');
    expect(grantsOf('detached', 2)).toBe(CONSOLE);
  });
});

describe("Linux's backend", () => {
  it('keeps rings, connections and listener of a device that was unbound', () => {
    expect(grantsOf('after', 2)).toBe(CONSOLE + KEPT);
    expect(socketsIn(world, 'after/tcp').listening).toContain(LISTENER);
  });

  it('keeps even the domain, when it is destroyed', () => {
    expect(grantsOf('gone', 2)).toBe(KEPT);
    expect(fileOf(world, 'gone/domains')).toMatch(/^\(null\) +2 /m);
    expect(socketsIn(world, 'gone/tcp')).toMatchObject({ established: 2 * 2 });
  });

  it("puts no fault and no warning into dom0's log", () => {
    expect(faultsOf(world)).toEqual([]);
  });
});
