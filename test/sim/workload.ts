/** The mixed workload of one guest: calls, services, errors and second thoughts, all at once. */
import {
  callAndGiveUp,
  callAndLeave,
  callCut,
  callInVain,
  callReset,
  call,
  churn,
} from './calls.js';
import type { Mode, Talk } from './conversation.js';
import type { Env } from './env.js';
import { serve } from './services.js';

/** Bytes per direction of the calls that must come through; with the services 290 KiB and more. */
const CALLS: readonly [Mode, number][] = [
  ['echo', 36_000],
  ['down', 64_000],
  ['up', 48_000],
  ['both', 28_000],
  ['half', 9_000],
];

const ANSWERS: readonly [Mode, number][] = [
  ['echo', 10_000],
  ['down', 20_000],
  ['up', 20_000],
  ['both', 5_000],
];

/** `guests` call what this one serves. */
export async function mixed(env: Env, guests: readonly Env[] = [env]): Promise<void> {
  const talks = ANSWERS.map(([mode, length]): Talk => ({
    mode,
    id: env.newId(),
    length,
    after: 0,
  }));
  const jobs: Record<string, (job: string) => Promise<void>> = {
    serve: (job) => serve(env, job, talks, guests),
    reset: (job) => callReset(env, job, 12_000),
    cut: (job) => callCut(env, job, 20_000),
    leave: (job) => callAndLeave(env, job, 12_000),
    'leave again': (job) => callAndLeave(env, job, 12_000),
    'give up': (job) => callAndGiveUp(env, job),
    churn: (job) => churn(env, job, 10),
    'in vain': (job) => callInVain(env, job),
  };
  for (const [mode, length] of CALLS) jobs[mode] = (job) => call(env, job, { mode, length });
  await Promise.all(Object.entries(jobs).map(([job, run]) => runJob(env, job, run)));
}

async function runJob(env: Env, job: string, run: (job: string) => Promise<void>): Promise<void> {
  env.running.add(job);
  await env.pause(env.randomFor(`${job} starts`).between(0, 40));
  try {
    await run(job);
  } catch (error) {
    throw new Error(`job "${job}": ${(error as Error).message}`, { cause: error });
  }
  env.running.delete(job);
}
