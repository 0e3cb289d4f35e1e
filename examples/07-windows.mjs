// Zero copy: bytes are made in the send ring and looked at in the receive ring, where the backend's
// kernel calls read and write them too. `write` and `read` would copy once each.
import { createServer } from 'node:net';
import { allowAll, createBackend, createGuest, createMachine } from 'pvcalls';

const TOTAL = 1 << 20; // bytes

const server = createServer((connection) => connection.pipe(connection));
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const machine = createMachine();
const backend = createBackend(machine, { policy: allowAll });
const guest = await createGuest(machine);
const { port } = server.address();
const socket = await guest.connect({ host: '127.0.0.1', port, ringOrder: 6 });

let [sent, received, wrong, windows] = [0, 0, 0, 0];
let finished;
const done = new Promise((resolve) => (finished = resolve));

/** Writes as long as there is room, reads as long as there are bytes. */
function turn() {
  for (let room; sent < TOTAL && (room = socket.writable()) !== undefined;) {
    const before = sent;
    for (const span of room) {
      const count = Math.min(span.length, TOTAL - sent);
      for (let i = 0; i < count; i++) span[i] = sent++ % 251;
    }
    socket.publish(sent - before);
  }
  for (let window; received < TOTAL && (window = socket.readable()) !== undefined;) {
    const before = received;
    for (const span of window) for (const byte of span) wrong += byte === received++ % 251 ? 0 : 1;
    socket.consume(received - before);
    windows += 1;
  }
  if (received === TOTAL) finished();
}

socket.onReady = turn; // called when a window that was undefined has come
turn();
await done;
console.log(`${received} bytes there and back, ${wrong} of them wrong`);
console.log(`read in ${windows} windows`);

await guest.close();
await backend.close();
machine.assertCleanedUp();
machine.close();
server.close();
