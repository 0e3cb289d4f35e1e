/**
 * What a guest does when there is no backend for it: it says so in a line and ends in time. Also a
 * backend that comes late, and one that goes away under a transfer. One boot for all.
 */
import { beforeAll, describe, expect, it } from 'vitest';

import {
  linesOf,
  nodeAt,
  reasonOf,
  runLinux,
  tablesAt,
  type Guest,
  type World,
} from './dom0/world.js';

const TIMEOUT_MS = 180_000;
const CRASH = 3;
const POWER_OFF = 0;

const scenario = (settings: string): Guest => ({ app: 'scenario', settings });

const GUESTS = {
  alone: scenario('wait=1500'),
  late: scenario('wait=30000 bytes=65536'),
  nobody: scenario('wait=3000'),
  refused: scenario('wait=3000'),
  orphan: scenario('timeout=30000'),
};

/**
 * Domids are 1 to 5, in this order: all domains are kept. xl writes `backend-id`; `misled` changes
 * it before the guest runs.
 */
const JOB = `
misled() {
    start_guest $1 -p
    wait_until 10 xenstore-exists "/local/domain/$2/device/pvcalls/0/state" || end "no $1"
    xenstore-write "/local/domain/$2/device/pvcalls/0/backend-id" "$3"
    wait_until 10 xl unpause $1
    await_guest $1 30 || end "no end of $1"
}
start_guest alone
await_guest alone 30 || end "no end of alone"
start_guest late
sleep 3
insmod /modules/pvcalls-back.ko
await_guest late 30 || end "no end of late"
misled nobody 3 77
misled refused 4 1
start_guest orphan
await_line orphan 30 "echo: done" || end "no echo"
echo pvcalls-5-0 >/sys/bus/xen-backend/drivers/pvcalls/unbind
await_guest orphan 40 || end "no end of orphan"
observe after
`;

let world: World;

beforeAll(async () => {
  world = await runLinux({
    guests: GUESTS,
    job: JOB,
    backend: false,
    timeoutMs: TIMEOUT_MS - 10_000,
  });
}, TIMEOUT_MS);

describe('a guest under real Xen', () => {
  it('says that no backend appeared, when its time for that is up', () => {
    expect(world.done).toBe(true);
    expect(linesOf(world, 'alone')).toContain(
      'linux: device: no backend (is pvcalls-back loaded in dom0?), ms: 1500',
    );
    expect(reasonOf(world, 'alone')).toBe(CRASH);
  });

  it('connects to a backend that appears after it', () => {
    const connected = linesOf(world, 'late').find((line) => line.includes('connected after'));
    expect(Number(/after (\d+) ms/.exec(connected ?? '')?.[1])).toBeGreaterThan(500);
    expect(reasonOf(world, 'late')).toBe(POWER_OFF);
  });

  it('says that its backend is a domain which does not exist', () => {
    expect(linesOf(world, 'nobody')).toContain(
      "linux: device: no ring can be offered to the backend's domain: -105",
    );
    expect(reasonOf(world, 'nobody')).toBe(CRASH);
  });

  it("says that Xen's policy keeps it from a backend in another guest", () => {
    expect(linesOf(world, 'refused').join('\n')).toMatch(
      /-EPERM: Xen's security policy keeps these domains apart/,
    );
    expect(reasonOf(world, 'refused')).toBe(CRASH);
  });

  it('is told of a backend that goes away under a transfer', () => {
    expect(linesOf(world, 'orphan').join('\n')).toMatch(
      /^linux: sink: (send: -5|recv: -5|the device is lost in state: \d)$/m,
    );
    expect(reasonOf(world, 'orphan')).toBe(CRASH);
    expect(nodeAt(world, 'after', '/local/domain/0/backend/pvcalls/5/0/state')).toBe('6');
  });
});

describe("Linux's backend", () => {
  it('keeps nothing of guests that gave up, and all of one whose device was unbound', () => {
    const { grants } = tablesAt(world, 'after');
    const mapped = (domid: number) => grants.filter((grant) => grant.domid === domid).length;
    const console = 1;
    expect([1, 2, 3, 4].map(mapped)).toEqual([console, console, console, console]);
    expect(mapped(5), 'its remove() lets go of nothing').toBe(console + 1 + 17);
  });
});
