/** What the main thread and the worker of a guest say to each other. */
import type { CoreOptions, MachineHandle } from '../index.js';
import type { TaskEvent, TaskName } from './tasks.js';

export interface WorkerJob {
  readonly handle: MachineHandle;
  readonly domid: number;
  readonly options: CoreOptions;
}

/** Errors lose their fields when they are cloned. */
export interface SerializedError {
  readonly message: string;
  readonly fields: Record<string, unknown>;
}

export type ToWorker =
  | { kind: 'open'; id: number }
  | { kind: 'start'; id: number; name: TaskName; params: unknown }
  | { kind: 'stop'; id: number }
  /** The last chunk of the task was taken. */
  | { kind: 'taken'; id: number }
  | { kind: 'counters'; id: number }
  | { kind: 'close' };

export type FromWorker =
  | { kind: 'event'; id: number; event: TaskEvent }
  | { kind: 'chunk'; id: number; chunk: Uint8Array }
  | { kind: 'done'; id: number; result: unknown }
  | { kind: 'failed'; id: number; error: SerializedError };

export function serializeError(error: unknown): SerializedError {
  if (!(error instanceof Error)) return { message: String(error), fields: {} };
  const { code, errno, syscall, address, port, hostname } = error as Error &
    Record<string, unknown>;
  const fields = { code, errno, syscall, address, port, hostname };
  const known = Object.entries(fields).filter(([, value]) => value !== undefined);
  return { message: error.message, fields: Object.fromEntries(known) };
}

export function deserializeError({ message, fields }: SerializedError): Error {
  return Object.assign(new Error(message), fields);
}
