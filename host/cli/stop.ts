/**
 * SIGINT, SIGTERM and SIGHUP: the first asks for a clean end, the second ends at once.
 */
import { constants } from 'node:os';
import type { Output } from './output.js';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export class Stop {
  private readonly controller = new AbortController();
  /** 128 plus the signal's number, as shells have it; undefined while none came. */
  exitCode: number | undefined;

  constructor(output: Output) {
    for (const name of SIGNALS) process.on(name, () => this.handle(name));
    output.onClosed = () => this.controller.abort(new Error('nobody reads the output'));
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  /** Resolves when it is time to end. */
  asked(): Promise<void> {
    const { signal } = this;
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
  }

  private handle(name: (typeof SIGNALS)[number]): void {
    const exitCode = 128 + constants.signals[name];
    if (this.exitCode !== undefined) process.exit(exitCode);
    this.exitCode = exitCode;
    this.controller.abort(new Error(`ended by ${name}`));
  }
}
