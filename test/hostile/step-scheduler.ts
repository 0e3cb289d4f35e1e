/**
 * Virtual time that moves only when a test says so, one task after the other in the order they
 * came: a test decides between which two steps the backend lies.
 */
import type { Scheduler } from '../../host/machine/scheduler.js';

const STEPS_MAX = 100_000;

interface Timer {
  readonly dueMs: number;
  readonly run: () => void;
}

export class StepScheduler implements Scheduler {
  private nowMs = 0;
  private tasks: (() => void)[] = [];
  private timers: Timer[] = [];

  now(): number {
    return this.nowMs;
  }

  defer(task: () => void): void {
    this.tasks.push(task);
  }

  after(delayMs: number, run: () => void): () => void {
    const timer = { dueMs: this.nowMs + Math.max(0, delayMs), run };
    this.timers.push(timer);
    return () => {
      this.timers = this.timers.filter((other) => other !== timer);
    };
  }

  /** Runs one task. False when there is none; time stands still. */
  step(): boolean {
    const task = this.tasks.shift();
    task?.();
    return task !== undefined;
  }

  /** Runs tasks until there are none. Result: how many. Throws when they never end. */
  settle(): number {
    let steps = 0;
    while (this.step()) {
      if (++steps > STEPS_MAX) throw new Error(`not settled after ${STEPS_MAX} steps`);
    }
    return steps;
  }

  /** Lets `ms` pass: timers run at their moments, and what they defer at once. */
  pass(ms: number): void {
    const end = this.nowMs + ms;
    this.settle();
    for (;;) {
      const due = this.timers.filter(({ dueMs }) => dueMs <= end);
      if (due.length === 0) break;
      const next = due.reduce((least, timer) => (timer.dueMs < least.dueMs ? timer : least));
      this.timers = this.timers.filter((other) => other !== next);
      this.nowMs = Math.max(this.nowMs, next.dueMs);
      next.run();
      this.settle();
    }
    this.nowMs = end;
  }
}
