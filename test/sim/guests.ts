/** Guests of a real world: on this thread, or in a worker that this thread waits upon. */
import { Worker } from 'node:worker_threads';
import { buildSync } from 'esbuild';
import { envAt, guestAt, type RealWorld } from './real-world.js';
import type { Report } from './worker-guest.js';
import { runNamed, type WorkloadName } from './workloads.js';

/** Two folders deep, as the sources: from there the bundle finds build/core.wasm. */
const BUNDLE = 'build/test/worker-guest.js';

let bundled = false;

export type Done = Extract<Report, { kind: 'done' }>;

/** Runs a workload in a new guest in a thread of its own. Rejects with what it rejects with. */
export async function runInWorker(world: RealWorld, workload: WorkloadName): Promise<Done> {
  bundle();
  const workerData = { handle: world.machine.handle(), place: world.newPlace(), workload };
  const worker = new Worker(new URL(`../../${BUNDLE}`, import.meta.url), { workerData });
  try {
    return await new Promise<Done>((resolve, reject) => {
      worker.on('message', (report: Report) => {
        if (report.kind === 'locate') {
          const { host } = report;
          worker.postMessage({ host, address: world.locate(host) });
        } else if (report.kind === 'dial') world.dial(report.address, report.talk);
        else if (report.kind === 'done') resolve(report);
        else reject(new Error(report.message));
      });
      worker.on('error', reject);
      worker.on('exit', () => reject(new Error('the worker ended without a word')));
    });
  } finally {
    await worker.terminate();
  }
}

/** Runs a workload in a new guest on this thread. */
export async function runHere(world: RealWorld, workload: WorkloadName): Promise<void> {
  const place = world.newPlace();
  const guest = await guestAt(world.machine, place);
  const env = envAt(place, guest, {
    locate: (host) => Promise.resolve(world.locate(host)),
    dial: (address, talk) => world.dial(address, talk),
  });
  await runNamed(workload, env);
  await guest.close();
  world.claims.push(...env.claims);
}

/** Runs a workload in a new guest on a thread of its own. */
export async function runThere(world: RealWorld, workload: WorkloadName): Promise<void> {
  const { claims } = await runInWorker(world, workload);
  world.claims.push(...claims);
}

function bundle(): void {
  if (bundled) return;
  buildSync({
    entryPoints: [new URL('worker-guest.ts', import.meta.url).pathname],
    outfile: new URL(`../../${BUNDLE}`, import.meta.url).pathname,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20.19',
    logLevel: 'error',
  });
  bundled = true;
}
