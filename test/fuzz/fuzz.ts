/** Starts the fuzzer in a worker, and watches that it goes on. */
import { Worker } from 'node:worker_threads';
import { buildSync } from 'esbuild';
import { Coverage } from './coverage.js';
import type { Job, Outcome } from './worker.js';

/** A run takes milliseconds; on a machine that does much else, a second. */
const STUCK_MS = 20_000;
const LOOK_MS = 1_000;

let bundled: string | undefined;

function workerCode(): string {
  bundled ??= buildSync({
    entryPoints: [new URL('worker.ts', import.meta.url).pathname],
    bundle: true,
    write: false,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    logLevel: 'error',
    // Nothing of the worker reads files.
    define: { 'import.meta.url': '"file:///"' },
  }).outputFiles[0]!.text;
  return bundled;
}

/** Resolves with what came out; rejects when a run does not end. */
export async function fuzz(
  module: WebAssembly.Module,
  options: Omit<Job, 'module' | 'progress'>,
  stuckMs = STUCK_MS,
): Promise<Omit<Outcome, 'coverage'> & { coverage: Coverage }> {
  const progress = new SharedArrayBuffer(8);
  const workerData: Job = { ...options, module, progress };
  const worker = new Worker(workerCode(), { eval: true, workerData });
  try {
    const { coverage, ...outcome } = await Promise.race([
      message(worker),
      stuck(progress, stuckMs),
    ]);
    return { ...outcome, coverage: Object.assign(new Coverage(), coverage) };
  } finally {
    await worker.terminate();
  }
}

function message(worker: Worker): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

/** Rejects when seed and step have not moved for so long. */
function stuck(progress: SharedArrayBuffer, stuckMs: number): Promise<never> {
  const words = new Int32Array(progress);
  return new Promise((_, reject) => {
    let seen = '';
    let sinceMs = performance.now();
    const timer = setInterval(() => {
      const now = words.join();
      if (now !== seen) [seen, sinceMs] = [now, performance.now()];
      if (performance.now() - sinceMs < stuckMs) return;
      clearInterval(timer);
      reject(new Error(`seed ${words[0]}, step ${words[1]}: a call of the core does not return`));
    }, LOOK_MS);
    timer.unref();
  });
}
