/**
 * The lock for hypercalls that change tables. Held for microseconds and never across a callback,
 * so waiters spin first and then sleep in short slices. Taking it when it is free is one atomic
 * operation.
 *
 *   0 free | 1 held | 2 held, and somebody may sleep
 */
const SPINS = 200;
const SLICE_MS = 1;
/** Longer than any hypercall: the holder's thread was killed inside one. */
const DEAD_AFTER_MS = 5_000;

export class SpinLock {
  constructor(
    private readonly words: Int32Array,
    private readonly at: number,
  ) {}

  acquire(): void {
    for (let spin = 0; spin < SPINS; spin++) {
      if (Atomics.compareExchange(this.words, this.at, 0, 1) === 0) return;
    }
    this.acquireAsleep();
  }

  release(): void {
    if (Atomics.exchange(this.words, this.at, 0) === 2) Atomics.notify(this.words, this.at, 1);
  }

  private acquireAsleep(): void {
    const giveUpAt = performance.now() + DEAD_AFTER_MS;
    while (Atomics.exchange(this.words, this.at, 2) !== 0) {
      Atomics.wait(this.words, this.at, 2, SLICE_MS);
      if (performance.now() < giveUpAt) continue;
      throw new Error(
        `machine: the hypercall lock was held for ${DEAD_AFTER_MS} ms; a thread was probably ` +
          'terminated inside a hypercall. Close the machine on a thread before terminating it.',
      );
    }
  }
}
