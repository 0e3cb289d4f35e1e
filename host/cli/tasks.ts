/**
 * The guests' part of each verb: functions that run where the guests run, on the main thread or in
 * a worker. Parameters, events and results are plain data, because they may cross threads.
 */
import type { Guest } from '../index.js';
import { dial } from './dial-task.js';
import { expose } from './expose-task.js';
import { fetchHttp } from './fetch-task.js';
import { forward } from './forward-task.js';
import { serve } from './serve-task.js';

/** News of a task: `text` for people, the whole object for --json. */
export interface TaskEvent {
  readonly event: string;
  readonly text: string;
  readonly [detail: string]: unknown;
}

export interface TaskContext {
  /** The guests of this thread that the task is for. */
  readonly guests: readonly Guest[];
  /** Aborted when it is time to end: close everything and return. */
  readonly signal: AbortSignal;
  emit(event: TaskEvent): void;
  /** Passes bytes on; resolves when they are taken and their memory may be used again. */
  write(chunk: Uint8Array): Promise<void>;
}

export const TASKS = { forward, expose, fetchHttp, serve, dial };

export type TaskName = keyof typeof TASKS;
export type TaskParams<N extends TaskName> = Parameters<(typeof TASKS)[N]>[0];
export type TaskResult<N extends TaskName> = Awaited<ReturnType<(typeof TASKS)[N]>>;

/** The one guest of a task that is for one. */
export function onlyGuest({ guests }: TaskContext): Guest {
  return guests[0]!;
}

/** Resolves when the signal is aborted. */
export function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) =>
    signal.addEventListener('abort', () => resolve(), { once: true }),
  );
}
