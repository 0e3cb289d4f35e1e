/** A guest on a thread of its own, for threads.test.ts, which bundles this file. */
import { parentPort, workerData } from 'node:worker_threads';

import { openMachine, type MachineHandle } from '../../../host/machine/index.js';

interface Job {
  handle: MachineHandle;
  domid: number;
  remotePort: number;
  /** Sleep in waitForUpcalls instead of on the event loop. */
  blocking: boolean;
  rounds: number;
}

const { handle, domid, remotePort, blocking, rounds } = workerData as Job;
const machine = openMachine(handle);
const domain = machine.domain(domid);
const words = new Int32Array(machine.memory.buffer, domain.firstFrame << 12, 1024);
const port = domain.hypercalls.evtchn_bind_interdomain(0, remotePort);
let answered = 0;

function finish(): void {
  domain.hypercalls.evtchn_close(port);
  machine.close();
  parentPort!.postMessage('done');
  parentPort!.close();
}

/** Word 0 counts questions, word 1 answers. */
domain.events.on(port, () => {
  const asked = Atomics.load(words, 0);
  if (asked === answered) return;
  answered = asked;
  Atomics.store(words, 1, answered);
  domain.hypercalls.evtchn_send(port);
  if (answered === rounds && !blocking) finish();
});

parentPort!.on('message', () => undefined); // keeps the event loop alive
parentPort!.postMessage('ready');
if (blocking) {
  while (answered < rounds) {
    if (!machine.waitForUpcalls(5_000)) throw new Error('no upcall for five seconds');
  }
  finish();
}
