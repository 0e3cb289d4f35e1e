// A guest talks to an echo server through PV Calls.
import { createServer } from 'node:net';
import { allowAll, createBackend, createGuest, createMachine } from 'pvcalls';

// A TCP server like any other, in the backend's world.
const server = createServer((connection) => connection.pipe(connection));
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const { port } = server.address();

const machine = createMachine(); //                              the simulated Xen
const backend = createBackend(machine, { policy: allowAll }); // makes the calls, in domain 0
const guest = await createGuest(machine); //                     domain 1, and the core in it

const socket = await guest.connect({ host: '127.0.0.1', port });
await socket.write(Buffer.from('hello from a guest'));
const reply = Buffer.alloc(100);
const size = await socket.read(reply);
console.log(`echoed: ${reply.subarray(0, size)}`);
await socket.close();

const { requests, notifications } = guest.counters();
console.log(`${requests} commands, ${notifications} notifications sent by the guest`);

await guest.close();
await backend.close();
machine.assertCleanedUp(); // throws if a grant, mapping, port or watch were left
machine.close();
server.close();
