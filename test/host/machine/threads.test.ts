/** Domains on threads of their own: one machine, several workers, hypercalls on shared memory. */
import { Worker } from 'node:worker_threads';

import { buildSync } from 'esbuild';
import { describe, expect, it } from 'vitest';

import { guestOn, machineFor } from './support.js';

function bundle(name: string): string {
  const { outputFiles } = buildSync({
    entryPoints: [new URL(name, import.meta.url).pathname],
    bundle: true,
    write: false,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
  });
  return outputFiles[0]!.text;
}

const guestCode = bundle('worker-guest.ts');
const hypercallsCode = bundle('worker-hypercalls.ts');

/** The first message of a worker; rejects when it fails. */
function message(worker: Worker): Promise<unknown> {
  return new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

describe.each([
  ['an event loop', false],
  ['waitForUpcalls', true],
])('a guest in a worker that sleeps in %s', (_, blocking) => {
  it('exchanges events with domain 0 on the main thread, both ways', async () => {
    const rounds = 300;
    const machine = machineFor();
    const guest = guestOn(machine);
    const domain0 = machine.domain(0);
    const port = domain0.hypercalls.evtchn_alloc_unbound(guest.domid);
    const words = new Int32Array(machine.memory.buffer, guest.firstFrame << 12, 1024);
    const workerData = {
      handle: machine.handle(),
      domid: guest.domid,
      remotePort: port,
      blocking,
      rounds,
    };
    const worker = new Worker(guestCode, { eval: true, workerData });
    expect(await message(worker)).toBe('ready');
    const done = message(worker);
    const ask = (): void => {
      if (Atomics.load(words, 1) !== words[0]) return; // spurious, or not answered yet
      if (words[0] === rounds) return;
      Atomics.add(words, 0, 1);
      domain0.hypercalls.evtchn_send(port);
    };
    domain0.events.on(port, ask);
    ask();
    expect(await done).toBe('done');
    expect(words[1]).toBe(rounds);
    expect(machine.counters().wakes).toBeGreaterThan(0);
    domain0.events.off(port);
    domain0.hypercalls.evtchn_close(port);
    machine.assertCleanedUp();
    await worker.terminate();
  });
});

describe('several threads', () => {
  it('make hypercalls on one machine without harm to each other', async () => {
    const machine = machineFor();
    const handle = machine.handle();
    const results = await Promise.all(
      [1, 2, 3].map(async () => {
        const { domid } = guestOn(machine);
        const worker = new Worker(hypercallsCode, {
          eval: true,
          workerData: { handle, domid, rounds: 5_000 },
        });
        const problems = await message(worker);
        await worker.terminate();
        return problems;
      }),
    );
    expect(results).toEqual([[], [], []]);
    expect(machine.counters().sends).toBeGreaterThanOrEqual(15_000);
    machine.assertCleanedUp();
  });
});
