/** The xenbus states that both ends of every device pass, as xenstore shows them. */
import { performance } from 'node:perf_hooks';
import type { Machine, Scheduler, StoreClient } from '../index.js';

const NAMES = [
  'Unknown',
  'Initialising',
  'InitWait',
  'Initialised',
  'Connected',
  'Closing',
  'Closed',
];

export function stateName(state: number): string {
  return NAMES[state] ?? `state ${state}`;
}

export interface StateChange {
  readonly domid: number;
  readonly end: 'frontend' | 'backend';
  readonly state: string;
  /** Milliseconds since the timeline began. */
  readonly atMs: number;
}

/** Turns of the event loop in which watches catch up. */
const TURNS = 32;

export class Timeline {
  readonly changes: StateChange[] = [];
  /** Told of every change. */
  onChange: ((change: StateChange) => void) | undefined;
  private readonly startedMs = performance.now();
  private store: StoreClient | undefined;
  private readonly last = new Map<string, string>();

  watch(machine: Machine, domid: number, paths: { frontend: string; backend: string }): void {
    this.store ??= machine.store.connect(0);
    for (const end of ['frontend', 'backend'] as const) {
      const path = `${paths[end]}/state`;
      this.note(domid, end, path);
      this.store.watch(path, `${domid}`, () => this.note(domid, end, path));
    }
  }

  /** The states one end has passed, in order. */
  passed(domid: number, end: StateChange['end']): string[] {
    return this.changes
      .filter((change) => change.domid === domid && change.end === end)
      .map((change) => change.state);
  }

  /** Lets the watches that have fired be told. */
  async settle(scheduler: Scheduler): Promise<void> {
    for (let turn = 0; turn < TURNS; turn++) {
      await new Promise<void>((resolve) => scheduler.defer(resolve));
    }
  }

  close(): void {
    this.store?.close();
    this.store = undefined;
  }

  private note(domid: number, end: StateChange['end'], path: string): void {
    if (this.store?.exists(path) !== true) return;
    const state = stateName(Number(this.store.read(path)));
    if (this.last.get(path) === state) return;
    this.last.set(path, state);
    const change = { domid, end, state, atMs: performance.now() - this.startedMs };
    this.changes.push(change);
    this.onChange?.(change);
  }
}
