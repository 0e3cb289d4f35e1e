/**
 * Two Dom0less guests under real Xen: build/dom0less.wasm through wasm2c at both ends, a port
 * passed through a granted page, events by PPI 31, and a byte stream over a data ring in granted
 * pages.
 */
import { beforeAll, describe, expect, it } from 'vitest';

import { runDom0less } from '../../host/metal/qemu.mjs';
import { guestLines, imageOf, type Gic } from './images.js';

/** An emulated processor takes 128 ns of its own time per instruction: seconds pass quickly. */
const TIMEOUT_MS = 120_000;
const BIG = 16 << 20;

interface Pair {
  bytes: number;
  order: number;
  first?: string;
  gic?: Gic;
  xenArguments?: string;
}

let image = '';

beforeAll(async () => {
  image = await imageOf('pair');
}, TIMEOUT_MS);

function runPair({ bytes, order, first = '0', gic = 3, xenArguments }: Pair) {
  const settings = `bytes=${bytes} order=${order} first=${first} timeout=60000`;
  return runDom0less({
    gic,
    ...(xenArguments === undefined ? {} : { xenArguments }),
    guests: [
      { image, bootargs: `role=receiver peer=2 semihosting=on ${settings}` },
      { image, bootargs: `role=sender peer=1 semihosting=failures ${settings}` },
    ],
  });
}

/** FNV-1a of the pattern that a guest sends: test/xen/apps/pair.c, `produce`. */
function hashOfPattern(seed: number, bytes: number): string {
  let state = seed;
  let hash = 0x811c9dc5;
  for (let i = 0; i < bytes; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    hash = Math.imul(hash ^ (state >>> 24), 0x01000193);
  }
  return (hash >>> 0).toString(16);
}

/** What each guest says that it received. They compare hashes too, and exit with the result. */
function expectBytes(console: string, bytes: number): void {
  const [ofReceiver, ofSender] = [hashOfPattern(1, bytes), hashOfPattern(2, bytes)];
  const lines = guestLines(console);
  expect(lines).toContain(`(d1) pair: received hash ${ofSender}, sent hash ${ofReceiver}`);
  expect(lines).toContain(`(d2) pair: received hash ${ofReceiver}, sent hash ${ofSender}`);
}

describe.each([2, 3] as const)('two guests without dom0, GICv%i', (gic) => {
  it(
    'exchange 16 MiB each way, over indices that wrap, and end',
    async () => {
      const big: Pair = { bytes: BIG, order: 5, first: '0xffff0000', gic };
      const { exitCode, console: text, milliseconds } = await runPair(big);
      console.log(`GICv${gic}: 2 x 16 MiB in ${milliseconds} ms of QEMU`);
      console.log(guestLines(text).join('\n'));
      expectBytes(text, BIG);
      expect(exitCode).toBe(0);
    },
    TIMEOUT_MS,
  );
});

describe('two guests without dom0', () => {
  it.each([0, 9])('exchange bytes over rings of order %i', async (order) => {
    const { exitCode, console } = await runPair({ bytes: 300_001, order, first: '0xfffffc00' });
    expectBytes(console, 300_001);
    expect(exitCode).toBe(0);
  });

  it('do the same again in every instruction, since nothing is left to chance', async () => {
    const pair: Pair = { bytes: 100_000, order: 1 };
    const [first, second] = [await runPair(pair), await runPair(pair)];
    expect(second.console).toBe(first.console);
  });

  it('say which policy keeps them apart, and end, when Xen was booted with SILO', async () => {
    const { exitCode, console } = await runPair({ bytes: 1000, order: 1, xenArguments: '' });
    expect(guestLines(console).join('\n')).toContain(
      "-EPERM: Xen's security policy keeps these domains apart; boot Xen with xsm=dummy",
    );
    expect(exitCode).toBe(3);
  });

  it('give up in time on a peer that never comes', async () => {
    const guests = [
      { image, bootargs: 'role=receiver peer=2 timeout=300 semihosting=on' },
      { image, bootargs: 'role=sender peer=3 timeout=200 semihosting=on' },
    ];
    const alone = await runDom0less({ guests: guests.slice(0, 1) });
    expect(guestLines(alone.console)).toContain('(d1) pair: the link failed: -110');
    expect(alone.exitCode).toBe(3);
    const astray = await runDom0less({ guests });
    expect(guestLines(astray.console)).toContain('(d2) pair: the link failed: -110');
    expect(astray.exitCode).toBe(3);
  });
});
