// A guest listens at an address of the backend's host, and a program of the host connects to it.
import net from 'node:net';
import { allowAll, createBackend, createGuest, createMachine } from 'pvcalls';

const machine = createMachine();
const backend = createBackend(machine, { policy: allowAll });
const guest = await createGuest(machine);

// Port 0 lets the host choose. PV Calls has no getsockname, so only the backend knows the port.
const listener = await guest.listen({ host: '127.0.0.1', port: 0 });
const [device] = backend.devices();
const { port } = device.sockets.find(({ state }) => state === 'listening').address;

const serving = (async () => {
  for await (const socket of listener) {
    const stream = socket.stream();
    stream.on('data', (chunk) => stream.write(String(chunk).toUpperCase()));
    stream.on('end', () => stream.end());
  }
})();

const client = net.connect(port, '127.0.0.1');
client.write('is anybody there?');
const answer = await new Promise((resolve) => client.once('data', resolve));
console.log(`the guest says: ${answer}`);
client.end();

await listener.close(); // ends the loop above
await serving;
await guest.close();
await backend.close();
machine.assertCleanedUp();
machine.close();
