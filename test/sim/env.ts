/** What a workload needs of its surroundings, in the thread of the machine and in any other. */
import type { Address, Guest } from '../../host/index.js';
import type { Random } from '../../host/machine/index.js';
import type { Talk } from './conversation.js';
import type { Claim } from './ledger.js';

/** What a workload counts; the world adds its own counts later. */
export interface WorkCounts {
  /** Calls that failed as they had to, or by chance, and were told so. */
  errors: number;
  cancellations: number;
  /** Times that a sender found `out` full. */
  stalls: number;
  sockets: number;
  bytes: number;
}

export interface Env {
  readonly guest: Guest;
  /** Rings of this workload are of one of these orders. */
  readonly orders: readonly number[];
  /** A generator of its own for each job, so that jobs on real time do not disturb each other. */
  randomFor(job: string): Random;
  pause(ms: number): Promise<void>;
  /** Somebody there answers calls. */
  readonly server: Address;
  /** Nobody listens there. */
  readonly refused: Address;
  /** The policy denies connecting there. */
  readonly denied: Address;
  /** A host of the backend's world that nobody else binds ports at. */
  ownHost(): string;
  /** The address at which a socket of a guest listens on that host. */
  locate(host: string): Promise<Address>;
  /** A program outside calls the guest that listens there. */
  dial(address: Address, talk: Talk): void;
  /** A number for two new streams. */
  newId(): number;
  readonly claims: Claim[];
  readonly counts: WorkCounts;
  /** Jobs that are not over, for reports. */
  readonly running: Set<string>;
}

export function newWorkCounts(): WorkCounts {
  return { errors: 0, cancellations: 0, stalls: 0, sockets: 0, bytes: 0 };
}

export const codeOf = (error: unknown): string =>
  String((error as { code?: unknown }).code ?? (error as Error).name);

/** Waits for the rejection of `call`; throws unless its code is one of these. */
export async function fails(
  env: Env,
  what: string,
  call: Promise<unknown>,
  codes: readonly string[],
): Promise<void> {
  let result: unknown;
  try {
    result = await call;
  } catch (error) {
    if (!codes.includes(codeOf(error))) throw error;
    env.counts.errors += 1;
    return;
  }
  throw new Error(`${what}: should have failed with ${codes.join(' or ')}, gave ${String(result)}`);
}

/** Whether `error` is the reason of an AbortSignal. */
export const isAbort = (error: unknown): boolean => (error as Error).name === 'AbortError';
