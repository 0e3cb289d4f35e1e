/**
 * Two guests that meet at an address of the backend against two sockets of node:net on the kernel's
 * loopback; both pairs have both ends in this thread. With the backend's splice, which joins the
 * two data rings, and without, when every byte goes through the host's loopback as well.
 */
import { once } from 'node:events';
import net from 'node:net';
import { allowAll, createBackend, createGuest, createMachine } from 'pvcalls';
import {
  streamClient,
  connectNet,
  readAll,
  roundTripUs,
  writeAll,
  type Client,
} from './clients.js';
import { measure, printMachine } from './rounds.js';

const BYTES = 32 << 20;
const ROUND_TRIPS = 500;
const RING_ORDER = 6;
const HOST = '127.0.0.1';

/** A connected pair. */
type Connect = () => Promise<[Client, Client]>;

async function rate(connect: Connect, chunkSize: number): Promise<number> {
  const [from, to] = await connect();
  const started = performance.now();
  await Promise.all([writeAll(from, BYTES, chunkSize), readAll(to, BYTES)]);
  const seconds = (performance.now() - started) / 1000;
  await Promise.all([from.close(), to.close()]);
  return BYTES / seconds / 1e6;
}

async function roundTrip(connect: Connect): Promise<number> {
  const [asks, answers] = await connect();
  const answer = async (): Promise<void> => {
    const into = Buffer.alloc(64);
    for (let trip = 0; trip < ROUND_TRIPS; trip++) {
      await answers.read(into);
      await answers.write(into);
    }
  };
  const [us] = await Promise.all([roundTripUs(asks, ROUND_TRIPS), answer()]);
  await Promise.all([asks.close(), answers.close()]);
  return us;
}

/** Two guests of one backend: `splice` false keeps it from joining their rings. */
async function startGuests(
  splice: boolean,
): Promise<{ connect: Connect; end: () => Promise<void> }> {
  const machine = createMachine();
  const backend = createBackend(machine, { policy: allowAll, ...{ splice } });
  const options = { ringOrder: RING_ORDER };
  const [one, two] = await Promise.all([
    createGuest(machine, { ...options, name: 'one' }),
    createGuest(machine, { ...options, name: 'two' }),
  ]);
  const port = await freePort();
  const listener = await two.listen({ host: HOST, port });
  return {
    connect: () => Promise.all([one.connect({ host: HOST, port }), listener.accept()]),
    end: async () => {
      await one.close();
      await two.close();
      await backend.close();
      machine.assertCleanedUp();
      machine.close();
    },
  };
}

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, HOST);
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function main(): Promise<void> {
  const server = net.createServer({ noDelay: true }).listen(0, HOST);
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  const plain: Connect = async () => {
    const accepted = once(server, 'connection') as Promise<[net.Socket]>;
    const client = await connectNet(port);
    return [client, streamClient((await accepted)[0])];
  };
  printMachine();
  for (const splice of [true, false]) {
    const { connect, end } = await startGuests(splice);
    const kind = splice ? 'guest to guest' : 'guest to guest, no splice';
    for (const kib of [4, 64]) {
      await measure({
        name: `${kind}, ${kib} KiB`,
        unit: 'MB/s',
        floor: () => rate(plain, kib << 10),
        value: () => rate(connect, kib << 10),
        ...(splice && { aim: { atLeast: 1 } }),
      });
    }
    await measure({
      name: `${kind}, round trip`,
      unit: 'us',
      floor: () => roundTrip(plain),
      value: () => roundTrip(connect),
      ...(splice && { aim: { atMost: 0.7 } }),
    });
    await end();
  }
  server.close();
}

await main();
