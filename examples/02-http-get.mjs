// node:http over a guest's socket: `stream()` is a Duplex, and that is all a client asks for.
import http from 'node:http';
import { text } from 'node:stream/consumers';
import { allowAll, createBackend, createGuest, createMachine } from 'pvcalls';

const server = http.createServer((request, response) => {
  response.setHeader('content-type', 'text/plain');
  response.end(`you asked for ${request.url}\n`.repeat(1000));
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));

const machine = createMachine();
const backend = createBackend(machine, { policy: allowAll });
const guest = await createGuest(machine);

/** As net.connect, but by way of the guest. */
function createConnection({ host, port }, done) {
  guest.connect({ host, port }).then((socket) => done(null, socket.stream()), done);
}

const { port } = server.address();
const request = http.get({ host: '127.0.0.1', port, path: '/hello', createConnection });
const response = await new Promise((resolve, reject) => {
  request.once('response', resolve).once('error', reject);
});
const body = await text(response);
console.log(`${response.statusCode} ${response.headers['content-type']}`);
console.log(`${body.length} bytes: ${body.slice(0, body.indexOf('\n'))} ...`);

await guest.close();
await backend.close();
machine.assertCleanedUp();
machine.close();
server.close();
