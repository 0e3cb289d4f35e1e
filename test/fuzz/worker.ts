/** Fuzzes in a thread of its own, so that a core that never returns can be told. Bundled. */
import { parentPort, workerData } from 'node:worker_threads';
import { Coverage } from './coverage.js';
import type { Trace } from './ops.js';
import { Failure, runSeed, shrink } from './run.js';

export interface Job {
  readonly module: WebAssembly.Module;
  /** First seed. */
  readonly from: number;
  /** As many runs as it takes to have made so many mutations; */
  readonly mutations: number;
  /** or so many runs at most. */
  readonly runs: number;
  /** Two words: the seed and the step that are under way. */
  readonly progress: SharedArrayBuffer;
}

type CoverageData = {
  [Key in keyof Coverage]: Coverage[Key] extends (...args: never[]) => unknown ? never : Key;
}[keyof Coverage];

export interface Outcome {
  readonly coverage: Pick<Coverage, CoverageData>;
  readonly seconds: number;
  readonly failure?: { readonly message: string; readonly seed: number; readonly trace: Trace };
}

const { module, from, mutations, runs, progress } = workerData as Job;
const words = new Int32Array(progress);

function fuzz(): Outcome {
  const coverage = new Coverage();
  const startMs = performance.now();
  const outcome = (): Outcome => ({
    coverage: { ...coverage },
    seconds: (performance.now() - startMs) / 1000,
  });
  for (let seed = from; coverage.mutations < mutations && seed < from + runs; seed++) {
    Atomics.store(words, 0, seed);
    try {
      runSeed(module, seed, coverage, (step) => (words[1] = step));
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      const { message } = error;
      return { ...outcome(), failure: { message, seed, trace: shrink(module, error.trace) } };
    }
  }
  return outcome();
}

parentPort!.postMessage(fuzz());
