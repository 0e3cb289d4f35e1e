/**
 * Where guests run: all on this thread, or each in a worker of its own. Either way a crew starts
 * tasks on them, reads their counters and closes them.
 */
import { setMaxListeners } from 'node:events';
import { Worker } from 'node:worker_threads';
import {
  createGuest,
  type CoreOptions,
  type Domain,
  type Guest,
  type GuestCounters,
  type Machine,
} from '../index.js';
import { deserializeError, type FromWorker, type ToWorker, type WorkerJob } from './messages.js';
import {
  TASKS,
  type TaskContext,
  type TaskEvent,
  type TaskName,
  type TaskParams,
  type TaskResult,
} from './tasks.js';

export interface TaskHandlers {
  event?: (event: TaskEvent) => void;
  write?: (chunk: Uint8Array) => Promise<void>;
}

export interface Running<N extends TaskName> {
  readonly result: Promise<TaskResult<N>>;
  /** Asks the task to end. */
  stop(): void;
}

export interface Crew {
  /** Domids of its guests. */
  readonly domids: readonly number[];
  /** Starts a task for all its guests, or for the one with this domid. */
  start<N extends TaskName>(
    name: N,
    params: TaskParams<N>,
    handlers: TaskHandlers,
    domid?: number,
  ): Running<N>;
  /** By domid, in the order of `domids`. */
  counters(): Promise<GuestCounters[]>;
  /** Closes the guests; their domains stay. */
  close(): Promise<void>;
}

/** Guests on this thread. */
export class LocalCrew implements Crew {
  private constructor(private readonly guests: readonly Guest[]) {}

  static async open(
    machine: Machine,
    domains: readonly Domain[],
    options: CoreOptions,
    signal: AbortSignal,
  ): Promise<LocalCrew> {
    const guests = await Promise.all(
      domains.map((domain) => createGuest(machine, { ...options, domain, signal })),
    );
    return new LocalCrew(guests);
  }

  get domids(): number[] {
    return this.guests.map((guest) => guest.domid);
  }

  start<N extends TaskName>(
    name: N,
    params: TaskParams<N>,
    handlers: TaskHandlers,
    domid?: number,
  ): Running<N> {
    const controller = new AbortController();
    setMaxListeners(0, controller.signal); // each connection listens to it
    const context: TaskContext = {
      guests: this.guests.filter((guest) => domid === undefined || guest.domid === domid),
      signal: controller.signal,
      emit: (event) => handlers.event?.(event),
      write: handlers.write ?? (() => Promise.resolve()),
    };
    const task = TASKS[name] as (p: unknown, c: TaskContext) => Promise<TaskResult<N>>;
    return { result: task(params, context), stop: () => controller.abort() };
  }

  counters(): Promise<GuestCounters[]> {
    return Promise.resolve(this.guests.map((guest) => guest.counters()));
  }

  async close(): Promise<void> {
    await Promise.all(this.guests.map((guest) => guest.close()));
  }
}

interface Task {
  readonly handlers: TaskHandlers;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** One guest in a worker. */
export class WorkerCrew implements Crew {
  readonly domids: readonly number[];
  private readonly worker: Worker;
  private readonly tasks = new Map<number, Task>();
  private readonly exited: Promise<void>;
  private lastId = 0;
  private failure: Error | undefined;

  private constructor(job: WorkerJob) {
    this.domids = [job.domid];
    this.worker = new Worker(new URL('./cli-worker.js', import.meta.url), { workerData: job });
    this.worker.on('message', (message: FromWorker) => this.handle(message));
    this.worker.on('error', (error) => this.fail(error));
    this.exited = new Promise((resolve) => {
      this.worker.once('exit', () => {
        this.fail(new Error('the thread of a guest has ended'));
        resolve();
      });
    });
  }

  /** Resolves when the device of the guest is connected. */
  static async open(job: WorkerJob): Promise<WorkerCrew> {
    const crew = new WorkerCrew(job);
    try {
      await crew.ask((id) => ({ kind: 'open', id }));
    } catch (error) {
      await crew.worker.terminate();
      throw error;
    }
    return crew;
  }

  start<N extends TaskName>(name: N, params: TaskParams<N>, handlers: TaskHandlers): Running<N> {
    let task = 0;
    const result = this.ask((id) => {
      task = id;
      return { kind: 'start', id, name, params };
    }, handlers);
    return {
      result: result as Promise<TaskResult<N>>,
      stop: () => this.post({ kind: 'stop', id: task }),
    };
  }

  async counters(): Promise<GuestCounters[]> {
    return [(await this.ask((id) => ({ kind: 'counters', id }))) as GuestCounters];
  }

  async close(): Promise<void> {
    if (this.failure === undefined) this.post({ kind: 'close' });
    await this.exited;
  }

  private ask(message: (id: number) => ToWorker, handlers: TaskHandlers = {}): Promise<unknown> {
    const id = ++this.lastId;
    return new Promise((resolve, reject) => {
      if (this.failure !== undefined) return reject(this.failure);
      this.tasks.set(id, { handlers, resolve, reject });
      this.post(message(id));
    });
  }

  private post(message: ToWorker): void {
    this.worker.postMessage(message);
  }

  private handle(message: FromWorker): void {
    const task = this.tasks.get(message.id);
    if (task === undefined) return;
    switch (message.kind) {
      case 'event':
        return task.handlers.event?.(message.event);
      case 'chunk':
        return this.pass(task, message.id, message.chunk);
      case 'done':
        this.tasks.delete(message.id);
        return task.resolve(message.result);
      case 'failed':
        this.tasks.delete(message.id);
        return task.reject(deserializeError(message.error));
    }
  }

  /** The chunk is ring memory of the guest: it stands until we say that it was taken. */
  private pass(task: Task, id: number, chunk: Uint8Array): void {
    const taken = task.handlers.write?.(chunk) ?? Promise.resolve();
    taken.then(
      () => this.post({ kind: 'taken', id }),
      () => this.post({ kind: 'stop', id }),
    );
  }

  private fail(error: Error): void {
    this.failure ??= error;
    for (const task of this.tasks.values()) task.reject(this.failure);
    this.tasks.clear();
  }
}
