// The backend asks a policy about every call of every guest. Without one, nothing leaves or enters.
import { createServer } from 'node:net';
import { allowAddresses, createBackend, createGuest, createMachine } from 'pvcalls';

const server = createServer((connection) => connection.end('welcome'));
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const { port } = server.address();

const machine = createMachine();

/** Tries to connect once, through a backend with this policy. */
async function attempt(name, policy) {
  const backend = createBackend(machine, policy && { policy });
  const guest = await createGuest(machine);
  try {
    const socket = await guest.connect({ host: '127.0.0.1', port });
    const size = await socket.read(Buffer.alloc(100));
    console.log(`${name}: connected, ${size} bytes`);
    await socket.close();
  } catch (error) {
    console.log(`${name}: ${error.code}`);
  }
  await guest.close();
  await backend.close();
}

await attempt('no policy');
await attempt('listed', allowAddresses([{ host: '127.0.0.1', port }]));
await attempt('another port', allowAddresses([{ host: '127.0.0.1', port: 1 }]));

// A policy of one's own: a function of (domid, command, id, address), 'allow' or a negative errno.
const ECONNREFUSED = 111;
const seen = [];
await attempt('own policy', ({ command, address }) => {
  seen.push(command);
  return address === undefined ? 'allow' : -ECONNREFUSED;
});
console.log(`it saw: ${seen.join(', ')}`);

machine.assertCleanedUp();
machine.close();
server.close();
