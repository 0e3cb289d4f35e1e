/**
 * What Linux's pvcalls backend does wrong, each as a guest sees it: docs/protocols/linux-backend.md
 * explains. A test that turns red says that this kernel has a fault less. Three boots, because dom0
 * does not survive them all, and has two processors in one.
 */
import { beforeAll, describe, expect, it } from 'vitest';

import { faultsOf, fileOf, linesOf, reasonOf, runLinux, type World } from './dom0/world.js';

const BOOT_MS = 300_000;
const TIMEOUT_MS = 4 * BOOT_MS;

/** ms: nobody answers where dom0's kernel has faulted. */
const COMMAND_MS = 5000;
const TIMES = 10;
const SELVES = 200;

/** By number, as test/xen/apps/linux-faults.c counts them. */
const settings = (fault: number, times = TIMES) =>
  `fault=${fault} times=${times} first=0x5ce00000 command=${COMMAND_MS} timeout=200000`;

const DATA_JOB = `
start_guest ends
await_guest ends 120 || end "no end of ends"
start_guest storm
await_guest storm 60 || end "no end of storm"
start_guest zero
await_guest zero 60 || end "no end of zero"
start_guest five
await_guest five 60 || end "no end of five"
`;

const HASTY_JOB = `
start_guest hasty
await_guest hasty 60 || end "no end of hasty"
`;

const RELEASES_PART = 7;

const SELVES_JOB = `
start_guest selves
await_guest selves 200 || end "no end of selves"
`;

let data: World;
let hasty: World;
let selves: World;

describe.runIf(process.env['PVCALLS_LONG'])("a fault of Linux's backend", () => {
  beforeAll(async () => {
    data = await runLinux({
      guests: {
        ends: { app: 'faults', settings: settings(1) },
        storm: { app: 'faults', settings: settings(2) },
        zero: { app: 'faults', settings: settings(3) },
        five: { app: 'faults', settings: settings(4) },
      },
      job: DATA_JOB,
      timeoutMs: BOOT_MS,
    });
    hasty = await runLinux({
      guests: {
        hasty: {
          app: 'calls',
          settings: `part=${RELEASES_PART} hasty=1 command=${COMMAND_MS}`,
        },
      },
      job: HASTY_JOB,
      timeoutMs: BOOT_MS,
    });
    selves = await runLinux({
      guests: { selves: { app: 'faults', settings: settings(5, SELVES) } },
      job: SELVES_JOB,
      processors: 2,
      timeoutMs: BOOT_MS,
    });
  }, TIMEOUT_MS);

  it('ends of streams are lost', () => {
    const line = /: (\d+) streams came whole, the end of (\d+) was lost/;
    const [whole, lost] = line.exec(linesOf(data, 'ends').join('\n'))!.slice(1).map(Number);
    expect(whole).toBe(TIMES);
    expect(lost).toBeGreaterThan(0);
  });

  it('events come without end after a send that failed, until close()', () => {
    const lines = linesOf(data, 'storm').join('\n');
    const events = (when: string) =>
      Number(new RegExp(`^linux: faults: ${when}: (\\d+) events`, 'm').exec(lines)?.[1]);
    expect(lines).toContain('linux: faults: send answers -32');
    expect(events('after a send that fails')).toBeGreaterThan(2 * events('the peer closes'));
    expect(events('after close')).toBeLessThanOrEqual(events('the peer closes'));
    expect(reasonOf(data, 'storm')).toBe(0);
  });

  it('a ring of order 0 is taken, against the specification', () => {
    expect(linesOf(data, 'zero')).toContain(
      'linux: faults: connect with a ring of order 0 answers 0',
    );
    expect(reasonOf(data, 'zero')).toBe(0);
  });

  it("a ring of order 5 ends the thread that serves the guest's commands", () => {
    expect(linesOf(data, 'five')).toContain(
      'linux: faults: connect with a ring of order 5 answers -110',
    );
    expect(fileOf(data, 'linux.log')).toMatch(/ring_order 5, which is > MAX/);
    expect(faultsOf(data).join('\n')).toMatch(/list_del corruption/);
  });

  it('-EINTR, which the core takes for "ask again", and what two threads do to one ring', () => {
    const lines = linesOf(selves, 'selves').join('\n');
    expect(lines).toMatch(new RegExp(`: ${SELVES} connections to ourselves, requests asked again`));
    expect(lines).toContain('linux: left over: parked 0, lost 0, sockets 0, frames 0');
    expect(reasonOf(selves, 'selves')).toBe(0);
  });

  it("RELEASE on the heels of ACCEPT faults in dom0's kernel", () => {
    expect(linesOf(hasty, 'hasty')).toContain('linux: releases: release answers: -110');
    expect(fileOf(hasty, 'linux.log')).toMatch(/pc : inet_accept/);
  });
});
