/**
 * A guest on a thread of its own: opens the machine, runs the core and the guest's part of a verb.
 * The domain and its device were made by the main thread, which also takes them away.
 */
import { setMaxListeners } from 'node:events';
import { parentPort, workerData } from 'node:worker_threads';
import { createGuest, openMachine, type Guest } from '../index.js';
import { serializeError, type FromWorker, type ToWorker, type WorkerJob } from './messages.js';
import { TASKS, type TaskContext, type TaskEvent } from './tasks.js';

const port = parentPort!;
const job = workerData as WorkerJob;
const machine = openMachine(job.handle);
let guest: Guest | undefined;

interface Active {
  readonly controller: AbortController;
  /** Of the chunk that is on its way. */
  taken: (() => void) | undefined;
}

const active = new Map<number, Active>();

function post(message: FromWorker): void {
  port.postMessage(message);
}

/** Answers a question with the result of its work, or with its failure. */
function answer(id: number, work: Promise<unknown>): void {
  work.then(
    (result) => post({ kind: 'done', id, result }),
    (error: unknown) => post({ kind: 'failed', id, error: serializeError(error) }),
  );
}

async function open(): Promise<void> {
  guest = await createGuest(machine, { ...job.options, domain: machine.domain(job.domid) });
}

async function start(id: number, name: keyof typeof TASKS, params: unknown): Promise<unknown> {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal); // each connection listens to it
  const mine: Active = { controller, taken: undefined };
  active.set(id, mine);
  const context: TaskContext = {
    guests: [guest!],
    signal: controller.signal,
    emit: (event: TaskEvent) => post({ kind: 'event', id, event }),
    write: (chunk) =>
      new Promise((resolve) => {
        mine.taken = resolve;
        post({ kind: 'chunk', id, chunk });
      }),
  };
  try {
    const task = TASKS[name] as (p: unknown, c: TaskContext) => Promise<unknown>;
    return await task(params, context);
  } finally {
    active.delete(id);
  }
}

function stop(id: number): void {
  const mine = active.get(id);
  mine?.controller.abort();
  mine?.taken?.();
}

async function close(): Promise<void> {
  try {
    await guest?.close();
  } finally {
    machine.close();
    process.exit(); // of this thread
  }
}

port.on('message', (message: ToWorker) => {
  switch (message.kind) {
    case 'open':
      return answer(message.id, open());
    case 'start':
      return answer(message.id, start(message.id, message.name, message.params));
    case 'stop':
      return stop(message.id);
    case 'taken':
      return active.get(message.id)?.taken?.();
    case 'counters':
      return answer(message.id, Promise.resolve(guest!.counters()));
    case 'close':
      return void close();
  }
});
