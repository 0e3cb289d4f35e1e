/**
 * When things happen. The machine, the backend and the drive loop never call each other from
 * inside a call: they defer. On the event loop that is nextTick and setTimeout; a seeded scheduler
 * with virtual time makes a whole run a function of its seed.
 */
export interface Scheduler {
  /** Milliseconds on this scheduler's clock; monotonic. */
  now(): number;
  /** Runs the task later, never inside the caller. Order between tasks is not promised. */
  defer(task: () => void): void;
  /** Runs the task after so many milliseconds; the result cancels it. */
  after(delayMs: number, task: () => void): () => void;
}

/** Batches in a row that run before the event loop goes on to sockets, timers and others. */
const HOPS_MAX = 64;

/**
 * Real time and the event loop. Deferred tasks of one moment run as one batch, in order; one that
 * throws does not keep the others from running. A batch runs as soon as the code that is running
 * has returned, without a turn of the loop between two ends that answer each other; now and then
 * it waits for one, so that no conversation keeps everybody else out.
 */
export class LoopScheduler implements Scheduler {
  private batch: (() => void)[] = [];
  private hops = 0;

  now(): number {
    return performance.now();
  }

  defer(task: () => void): void {
    if (this.batch.push(task) > 1) return;
    this.hops = (this.hops + 1) % HOPS_MAX;
    if (this.hops === 0) setImmediate(this.runBatch);
    else process.nextTick(this.runBatch);
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
