// The core as a WebAssembly component, in a machine that lies in the component's own memory: grants
// are of its pages, and the backend runs between its calls. Names and numbers: docs/abi.md.
import { createServer } from 'node:net';
import { allowAll, attachPvcalls, createBackend, createMachine } from 'pvcalls';
import { createComponentFrontend } from 'pvcalls/component';

const server = createServer((connection) => connection.pipe(connection));
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const { port } = server.address();

const hypercalls = {}; // what the component imports; the machine has them
const { frontend, memory } = await createComponentFrontend({ hypercalls, memoryMiB: 32 });
const machine = createMachine({ memory, maxDomains: 2 });
const backend = createBackend(machine, { policy: allowAll });
const domain = machine.createDomain({ name: 'guest', frames: 512 });
attachPvcalls(machine, { frontend: domain.domid, backend: 0 });
Object.assign(hypercalls, domain.hypercalls);

const [words, bytes] = [new Int32Array(memory.buffer), Buffer.from(memory.buffer)];
const SCRATCH = domain.firstFrame * 4096; // the domain's first frame; the arena has the others
const [EVENT, ADDRESS, TEXT] = [SCRATCH + 64, SCRATCH + 128, SCRATCH + 192];
const { sharedInfo, storePage, storePort } = domain;
words.set([SCRATCH + 4096, 511, 16, sharedInfo, 0, storePage, storePort, 0, 2], SCRATCH >>> 2);
frontend.init(SCRATCH);
bytes.set([2, 0, port >> 8, port & 255, 127, 0, 0, 1], ADDRESS); // sockaddr_in

/** What the guest does at each event: the kinds of docs/abi.md. */
let [handle, closed] = [0, undefined];
const finished = new Promise((resolve) => (closed = resolve));
function react(kind, state, result) {
  if (kind === 1 && state === 2) {
    handle = frontend.socket(2, 1, 0); // the device is connected
    frontend.connect(handle, ADDRESS, 16);
  } else if (kind === 1 && state === 4) closed();
  else if (kind === 2) {
    console.log(`connect: ${result}`);
    frontend.send(handle, TEXT, bytes.write('hello from a component', TEXT));
  } else if (kind === 4) frontend.xenbusStop();
  if (kind === 1 || kind > 3) return;
  const size = frontend.recv(handle, TEXT, 64, 0); // -EAGAIN arms the next EVENT_READY
  if (size > 0) console.log(`echoed: ${bytes.subarray(TEXT, TEXT + size)}`);
  if (size > 0) frontend.close(handle);
}

domain.start(() => {
  frontend.handleUpcall(); // between calls: here, nothing else runs
  for (let kind; (kind = frontend.pollEvent(EVENT)) !== 0;) {
    react(kind, words[(EVENT + 8) >>> 2], words[(EVENT + 12) >>> 2]);
  }
});
frontend.xenbusStart();
await finished;
await backend.close();
domain.destroy();
machine.assertCleanedUp();
machine.close();
server.close();
