/** The scripted SocketLayer under a seeded scheduler: same seed, same run. */
import { describe, expect, it } from 'vitest';
import { OUT_CONS } from '../../../assembly/wire/data-ring.js';
import * as errno from '../../../assembly/wire/errno.js';
import {
  createBackend,
  echoScript,
  resetScript,
  ScriptedLayer,
  sinkScript,
  sourceScript,
} from '../../../host/backend/index.js';
import { createMachine, SeededScheduler } from '../../../host/machine/index.js';
import { pattern, sha256 } from './servers.js';
import { TestGuest } from './test-guest.js';
import { TestRing } from './test-ring.js';

const HOST = '10.0.0.1';

interface SeededWorld {
  readonly guest: TestGuest;
  readonly layer: ScriptedLayer;
  /** Virtual time. */
  readonly sleep: (delayMs: number) => Promise<void>;
}

/** Runs a test on virtual time. Result: an account of the run that depends on all of it. */
async function seeded(seed: number, test: (world: SeededWorld) => Promise<void>): Promise<string> {
  const scheduler = new SeededScheduler(seed);
  const machine = createMachine({
    memoryMiB: 8,
    maxDomains: 4,
    maxGrantFrames: 4,
    seed,
    scheduler,
  });
  const layer = new ScriptedLayer({ scheduler, seed });
  const backend = createBackend(machine, { layer, policy: () => 'allow' });
  const guest = new TestGuest(machine, backend, 128);
  const run = async <T>(work: Promise<T>): Promise<T> => {
    let done = false;
    const end = work.finally(() => (done = true));
    end.catch(() => undefined);
    await scheduler.run(() => done);
    return end;
  };
  await scheduler.run(() => guest.backendState() === 2);
  guest.publish();
  await scheduler.run(() => guest.backendState() === 4);
  const sleep = (delayMs: number) =>
    new Promise<void>((resolve) => void scheduler.after(delayMs, resolve));
  await run(test({ guest, layer, sleep }));
  const account = JSON.stringify([scheduler.now(), backend.devices(), layer.counts]);
  guest.setState(5);
  await scheduler.run(() => guest.backendState() === 5);
  expect(guest.unpublish()).toBe(0);
  guest.setState(6);
  await scheduler.run(() => guest.backendState() === 6);
  await run(backend.close());
  guest.store.close();
  machine.close();
  machine.assertCleanedUp();
  return account;
}

async function echoRun({ guest, layer }: SeededWorld): Promise<void> {
  layer.serve({ host: HOST, port: 7 }, echoScript);
  const ring = new TestRing(guest, 2);
  expect(await guest.socket(1n)).toBe(0);
  expect(await guest.connectTo(1n, ring, 7, HOST)).toBe(0);
  const bytes = pattern(60_000);
  const [back] = await Promise.all([ring.readExactly(bytes.length), ring.write(bytes)]);
  expect(sha256(back)).toBe(sha256(bytes));
  expect(await guest.release(1n)).toBe(0);
  ring.free();
}

describe('a seeded run', () => {
  it('carries every byte, and is the same for the same seed only', async () => {
    const first = await seeded(42, echoRun);
    expect(await seeded(42, echoRun)).toBe(first);
    expect(await seeded(43, echoRun)).not.toBe(first);
  });

  it('reports refusal, end and reset', async () => {
    await seeded(1, async ({ guest, layer }) => {
      layer.serve({ host: HOST, port: 19 }, () => sourceScript(pattern(20_000)));
      layer.serve({ host: HOST, port: 13 }, () => resetScript(5));
      const ring = new TestRing(guest, 1);
      expect(await guest.socket(1n)).toBe(0);
      expect(await guest.connectTo(1n, ring, 1, HOST)).toBe(-errno.ECONNREFUSED);
      expect(await guest.connectTo(1n, ring, 19, HOST)).toBe(0);
      expect((await ring.readAll()).equals(pattern(20_000))).toBe(true);
      expect(ring.inError).toBe(-errno.ENOTCONN);
      expect(await guest.release(1n)).toBe(0);
      ring.free();

      const other = new TestRing(guest, 1);
      expect(await guest.socket(2n)).toBe(0);
      expect(await guest.connectTo(2n, other, 13, HOST)).toBe(0);
      await other.write(Buffer.from('hello'));
      await other.readAll();
      expect(other.inError).toBe(-errno.ECONNRESET);
      expect(await guest.release(2n)).toBe(0);
      other.free();
    });
  });

  it('lets programs dial a guest, and a guest dial a guest', async () => {
    await seeded(2, async ({ guest, layer, sleep }) => {
      const address = { host: HOST, port: 80 };
      expect(await guest.socket(1n)).toBe(0);
      expect(await guest.bind(1n, 80, HOST)).toBe(0);
      expect(await guest.socket(5n)).toBe(0);
      expect(await guest.bind(5n, 80, HOST)).toBe(-errno.EADDRINUSE);
      expect(await guest.listen(1n)).toBe(0);

      const served = new TestRing(guest, 1);
      const accept = guest.accept(1n, 2n, served);
      const received = new Promise<[Uint8Array, number]>((resolve) => {
        layer.dial(
          address,
          sinkScript((...what) => resolve(what)),
        );
      });
      expect(await accept).toBe(0);
      await served.write(pattern(10_000));
      while (served.load(OUT_CONS) !== 10_000) await sleep(1);
      expect(await guest.release(2n)).toBe(0);
      const [bytes, error] = await received;
      expect([sha256(bytes), error]).toEqual([sha256(pattern(10_000)), 0]);
      served.free();

      const [near, far] = [new TestRing(guest, 1), new TestRing(guest, 2)];
      const [accepted, connected] = await Promise.all([
        guest.accept(1n, 3n, far),
        guest.connectTo(5n, near, 80, HOST),
      ]);
      expect([accepted, connected]).toEqual([0, 0]);
      const [back] = await Promise.all([far.readExactly(9_000), near.write(pattern(9_000))]);
      expect(back.equals(pattern(9_000))).toBe(true);
      expect(await guest.release(5n)).toBe(0);
      expect((await far.readAll()).length).toBe(0);
      expect(await guest.release(3n)).toBe(0);
      near.free();
      far.free();
    });
  });
});
