/** The account of a run, or of many: what it must have met to prove anything. */
import type { Backend } from '../../host/backend/index.js';
import type { GuestCounters } from '../../host/index.js';
import type { Machine } from '../../host/machine/index.js';
import type { WorkCounts } from './env.js';

export interface Counts {
  runs: number;
  /** Requests that the backend answered, and those of them that failed. */
  commands: number;
  errors: number;
  /** Connected sockets of guests, and their bytes in both directions. */
  sockets: number;
  bytes: number;
  /** Times that an index of a data ring passed the end of its array. */
  wraps: number;
  /** Times that bytes had to wait for room, in either direction. */
  fullRings: number;
  cancellations: number;
  /** Events that found their port pending already; upcalls and events that brought nothing. */
  coalesced: number;
  spurious: number;
}

export function newCounts(): Counts {
  return {
    runs: 0,
    commands: 0,
    errors: 0,
    sockets: 0,
    bytes: 0,
    wraps: 0,
    fullRings: 0,
    cancellations: 0,
    coalesced: 0,
    spurious: 0,
  };
}

export function add(total: Counts, part: Counts): void {
  for (const key of Object.keys(total) as (keyof Counts)[]) total[key] += part[key];
}

/** Counts of a run whose devices are still there. */
export function countRun(
  machine: Machine,
  backend: Backend,
  works: readonly WorkCounts[],
  cores: readonly GuestCounters[],
): Counts {
  const counts = { ...newCounts(), runs: 1 };
  for (const { commands, rings } of backend.devices()) {
    for (const { count, failed } of Object.values(commands)) {
      counts.commands += count;
      counts.errors += failed;
    }
    counts.wraps += rings.wraps;
    counts.fullRings += rings.fullRings;
  }
  for (const work of works) {
    counts.sockets += work.sockets;
    counts.bytes += work.bytes;
    counts.fullRings += work.stalls;
    counts.cancellations += work.cancellations;
  }
  const { coalesced, spurious } = machine.counters();
  counts.coalesced = coalesced;
  counts.spurious = spurious + cores.reduce((sum, core) => sum + core.spurious, 0);
  return counts;
}

/** One line for a person. */
export function describe(counts: Counts): string {
  const { runs, bytes, ...rest } = counts;
  const mib = (bytes / 2 ** 20).toFixed(1);
  const parts = Object.entries(rest).map(([name, count]) => `${count} ${words(name)}`);
  return `${runs} runs: ${parts.join(', ')}, ${mib} MiB`;
}

/** Names of what never happened. */
export function zeroes(counts: Counts): string[] {
  return Object.entries(counts)
    .filter(([, count]) => count === 0)
    .map(([name]) => words(name));
}

const words = (name: string): string =>
  name.replace(/[A-Z]/g, (letter) => ` ${letter}`).toLowerCase();
