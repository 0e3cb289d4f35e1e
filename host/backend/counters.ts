/** What the backend counts, for `ls`, the account of a run and the benches. */
import type { CommandName } from './requests.js';

export interface CommandCount {
  count: number;
  /** Answered with a negative errno. */
  failed: number;
  /** From request seen to response pushed, all together. */
  totalMs: number;
  maxMs: number;
}

export interface RingCount {
  bytesIn: number;
  bytesOut: number;
  notificationsSent: number;
  notificationsReceived: number;
  /** Times that an index passed the end of its array. */
  wraps: number;
  /** Times that received bytes had to wait because `in` was full. */
  fullRings: number;
}

export function newRingCount(): RingCount {
  return {
    bytesIn: 0,
    bytesOut: 0,
    notificationsSent: 0,
    notificationsReceived: 0,
    wraps: 0,
    fullRings: 0,
  };
}

export function addRingCount(total: RingCount, part: RingCount): void {
  for (const key of Object.keys(total) as (keyof RingCount)[]) total[key] += part[key];
}

export class CommandCounts {
  private readonly byName = new Map<CommandName, CommandCount>();

  answered(command: CommandName, ret: number, elapsedMs: number): void {
    let entry = this.byName.get(command);
    if (entry === undefined) {
      entry = { count: 0, failed: 0, totalMs: 0, maxMs: 0 };
      this.byName.set(command, entry);
    }
    entry.count += 1;
    if (ret < 0) entry.failed += 1;
    entry.totalMs += elapsedMs;
    entry.maxMs = Math.max(entry.maxMs, elapsedMs);
  }

  /** A copy, by command name. */
  snapshot(): Partial<Record<CommandName, CommandCount>> {
    return Object.fromEntries([...this.byName].map(([name, entry]) => [name, { ...entry }]));
  }
}
