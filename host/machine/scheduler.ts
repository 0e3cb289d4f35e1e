/**
 * When things happen. The machine, the backend and the drive loop never call each other from
 * inside a call: they defer. On the event loop that is setImmediate and setTimeout; a seeded
 * scheduler with virtual time makes a whole run a function of its seed.
 */
export interface Scheduler {
  /** Milliseconds on this scheduler's clock; monotonic. */
  now(): number;
  /** Runs the task later, never inside the caller. Order between tasks is not promised. */
  defer(task: () => void): void;
  /** Runs the task after so many milliseconds; the result cancels it. */
  after(delayMs: number, task: () => void): () => void;
}

/**
 * Real time and the event loop. Deferred tasks of one turn run as one batch, in order; one that
 * throws does not keep the others from running.
 */
export class LoopScheduler implements Scheduler {
  private batch: (() => void)[] = [];

  now(): number {
    return performance.now();
  }

  defer(task: () => void): void {
    if (this.batch.push(task) === 1) setImmediate(this.runBatch);
  }

  after(delayMs: number, task: () => void): () => void {
    const timer = setTimeout(task, delayMs);
    return () => clearTimeout(timer);
  }

  private readonly runBatch = (): void => {
    const tasks = this.batch;
    this.batch = [];
    let done = 0;
    try {
      while (done < tasks.length) tasks[done++]!();
    } finally {
      if (done < tasks.length) {
        const rest = tasks.slice(done);
        setImmediate(() => rest.forEach((task) => this.defer(task)));
      }
    }
  };
}
