// A guest on a thread of its own. The machine's state lies in shared memory, so the guest makes its
// hypercalls there directly; only wake-ups cross between the threads.
import { createServer } from 'node:net';
import { Worker, isMainThread, threadId, workerData } from 'node:worker_threads';
import { allowAll, attachPvcalls, createBackend, createGuest, createMachine } from 'pvcalls';
import { detachPvcalls, openMachine } from 'pvcalls';

if (isMainThread) await main();
else await guestThread(workerData);

async function main() {
  const server = createServer((connection) => connection.pipe(connection));
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const machine = createMachine();
  const backend = createBackend(machine, { policy: allowAll });

  // xenstored and the toolstack's part stay with the thread that made the machine.
  const domain = machine.createDomain({ name: 'guest', frames: 4096 });
  const device = { frontend: domain.domid, backend: 0 };
  attachPvcalls(machine, device);

  const { port } = server.address();
  const data = { handle: machine.handle(), domid: domain.domid, port };
  const worker = new Worker(new URL(import.meta.url), { workerData: data });
  await new Promise((resolve, reject) => worker.once('exit', resolve).once('error', reject));

  console.log(`wake-ups between the threads: ${machine.counters().wakes}`);
  await detachPvcalls(machine, device);
  domain.destroy();
  await backend.close();
  machine.assertCleanedUp();
  machine.close();
  server.close();
}

async function guestThread({ handle, domid, port }) {
  const machine = openMachine(handle);
  const guest = await createGuest(machine, { domain: machine.domain(domid) });
  const socket = await guest.connect({ host: '127.0.0.1', port });
  await socket.write(Buffer.from(`hello from thread ${threadId}`));
  const reply = Buffer.alloc(100);
  const size = await socket.read(reply);
  console.log(`echoed: ${reply.subarray(0, size)}`);
  await guest.close();
  machine.close();
}
