/** Hypercalls without end from several threads, for threads.test.ts, which bundles this file. */
import { parentPort, workerData } from 'node:worker_threads';

import { openMachine, type MachineHandle } from '../../../host/machine/index.js';

const { handle, domid, rounds } = workerData as {
  handle: MachineHandle;
  domid: number;
  rounds: number;
};
const machine = openMachine(handle);
const { hypercalls, firstFrame } = machine.domain(domid);
const mapper = machine.domain(0).hypercalls;
const problems: string[] = [];

for (let round = 0; round < rounds; round++) {
  const port = hypercalls.evtchn_alloc_unbound(0);
  const ref = hypercalls.gnttab_grant_access(0, firstFrame + (round % 4), 0);
  const bound = mapper.evtchn_bind_interdomain(domid, port);
  const frame = mapper.gnttab_map(domid, ref, 1);
  if (frame !== firstFrame + (round % 4)) problems.push(`mapped ${frame}`);
  if (hypercalls.gnttab_end_access(ref) !== -16) problems.push('ended while mapped');
  const results = [
    hypercalls.evtchn_send(port),
    mapper.gnttab_unmap(frame),
    hypercalls.gnttab_end_access(ref),
    mapper.evtchn_close(bound),
    hypercalls.evtchn_close(port),
  ];
  if (results.some((result) => result !== 0)) problems.push(results.join(' '));
}
machine.close();
parentPort!.postMessage(problems);
