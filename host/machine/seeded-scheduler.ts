/**
 * A scheduler whose every choice comes from a seed, on virtual time. Deferred tasks are due at
 * once or a little later; of those that are due, any may run next. So deliveries are delayed,
 * coalesced and reordered, and a run with the same seed does the same, as long as all that happens
 * is a function of scheduled tasks (one thread, scripted sockets).
 */
import { Random } from './random.js';
import type { Scheduler } from './scheduler.js';

const DELAYED = 0.25; //  of deferred tasks
const DELAY_MAX_MS = 5;
const STEPS_MAX = 1_000_000;
const TIME_MAX_MS = 24 * 3_600_000;

export interface RunLimits {
  /** Tasks. Default 1,000,000. */
  maxSteps?: number;
  /** Virtual milliseconds. Default one day. */
  maxTimeMs?: number;
}

interface Task {
  dueMs: number;
  run: () => void;
}

export class SeededScheduler implements Scheduler {
  /** Tasks that have run. */
  steps = 0;
  private nowMs = 0;
  private tasks: Task[] = [];
  private readonly random: Random;

  constructor(readonly seed: number) {
    this.random = new Random(seed);
  }

  now(): number {
    return this.nowMs;
  }

  defer(task: () => void): void {
    const delayed = this.random.chance(DELAYED);
    this.add(delayed ? this.random.between(1, DELAY_MAX_MS) : 0, task);
  }

  after(delayMs: number, task: () => void): () => void {
    const added = this.add(Math.max(0, delayMs), task);
    return () => {
      const at = this.tasks.indexOf(added);
      if (at >= 0) this.tasks.splice(at, 1);
    };
  }

  /**
   * Runs tasks until `until()` holds, asked between tasks when promises have settled. Rejects with
   * an Error that names the seed: when nothing is left to run, over a limit, or when a task throws.
   */
  async run(until: () => boolean, limits: RunLimits = {}): Promise<void> {
    const maxSteps = this.steps + (limits.maxSteps ?? STEPS_MAX);
    const maxTimeMs = this.nowMs + (limits.maxTimeMs ?? TIME_MAX_MS);
    for (await settle(); !until(); await settle()) {
      if (this.tasks.length === 0) throw this.failure('ran dry: nothing is left to happen');
      if (this.steps >= maxSteps) throw this.failure(`not done after ${this.steps} steps`);
      if (this.nowMs > maxTimeMs) throw this.failure('not done in the virtual time it was given');
      this.step();
    }
  }

  /** Runs one task, any of those due; time passes only when none is. */
  private step(): void {
    const next = this.tasks.reduce((least, task) => Math.min(least, task.dueMs), Infinity);
    this.nowMs = Math.max(this.nowMs, next);
    const due = this.tasks.filter((task) => task.dueMs <= this.nowMs);
    const task = this.random.pick(due);
    this.tasks.splice(this.tasks.indexOf(task), 1);
    this.steps++;
    try {
      task.run();
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw this.failure(`a task threw: ${why}`, error);
    }
  }

  private add(delayMs: number, run: () => void): Task {
    const task = { dueMs: this.nowMs + delayMs, run };
    this.tasks.push(task);
    return task;
  }

  private failure(what: string, cause?: unknown): Error {
    const message = `seed ${this.seed}, step ${this.steps}, ${this.nowMs} ms: ${what}`;
    return new Error(message, cause === undefined ? undefined : { cause });
  }
}

/** Lets everything happen that promises have already decided. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
