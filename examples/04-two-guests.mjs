// Two guests meet on the backend's localhost: no network interface lies between them.
import { allowAll, createBackend, createGuest, createMachine } from 'pvcalls';

const machine = createMachine();
const backend = createBackend(machine, { policy: allowAll });
const server = await createGuest(machine, { name: 'server' });
const client = await createGuest(machine, { name: 'client' });

const listener = await server.listen({ host: '127.0.0.1', port: 0 });
const device = backend.devices().find(({ domid }) => domid === server.domid);
const { port } = device.sockets.find(({ state }) => state === 'listening').address;

const [mine, theirs] = await Promise.all([
  client.connect({ host: '127.0.0.1', port }),
  listener.accept(),
]);
await mine.write(Buffer.from('from guest to guest'));
const bytes = Buffer.alloc(100);
const size = await theirs.read(bytes);
console.log(`domain ${server.domid} read: ${bytes.subarray(0, size)}`);

await mine.close();
console.log(`domain ${server.domid} read ${await theirs.read(bytes)} bytes: the end of the stream`);
for (const { domid, rings } of backend.devices()) {
  console.log(`domain ${domid}: ${rings.bytesOut} bytes out, ${rings.bytesIn} bytes in`);
}

await client.close();
await server.close();
await backend.close();
machine.assertCleanedUp();
machine.close();
