/** A guest in a thread of its own: runs one workload and says how it went. Bundled by the tests. */
import { parentPort, workerData } from 'node:worker_threads';
import type { Address, GuestCounters } from '../../host/index.js';
import { openMachine, type Machine, type MachineHandle } from '../../host/machine/index.js';
import type { Talk } from './conversation.js';
import type { WorkCounts } from './env.js';
import type { Claim } from './ledger.js';
import { envAt, guestAt, type GuestPlace } from './real-world.js';
import { runNamed } from './workloads.js';

export interface Job {
  readonly handle: MachineHandle;
  readonly place: GuestPlace;
  readonly workload: string;
}

export type Report =
  | { readonly kind: 'locate'; readonly host: string }
  | { readonly kind: 'dial'; readonly address: Address; readonly talk: Talk }
  | {
      readonly kind: 'done';
      readonly claims: Claim[];
      readonly counts: WorkCounts;
      readonly core: GuestCounters;
    }
  | { readonly kind: 'failed'; readonly message: string };

const port = parentPort!;
const tell = (report: Report): void => port.postMessage(report);
const located = new Map<string, (address: Address) => void>();

port.on('message', ({ host, address }: { host: string; address: Address }) => {
  located.get(host)?.(address);
});

async function main({ handle, place, workload }: Job): Promise<Report> {
  const machine = openMachine(handle);
  try {
    return await work(machine, place, workload);
  } finally {
    machine.close(); // before the last word: whoever hears it may end this thread
  }
}

async function work(machine: Machine, place: GuestPlace, workload: string): Promise<Report> {
  const guest = await guestAt(machine, place);
  const env = envAt(place, guest, {
    dial: (address, talk) => tell({ kind: 'dial', address, talk }),
    locate: (host) =>
      new Promise((resolve) => {
        located.set(host, resolve);
        tell({ kind: 'locate', host });
      }),
  });
  try {
    await runNamed(workload, env);
  } catch (error) {
    const running = [...env.running].join(', ');
    throw new Error(`${(error as Error).stack}\nnot over: ${running}`, { cause: error });
  }
  await guest.close();
  const { claims, counts } = env;
  return { kind: 'done', claims, counts, core: guest.counters() };
}

main(workerData as Job)
  .then(tell, (error: unknown) => tell({ kind: 'failed', message: (error as Error).message }))
  .finally(() => port.close());
