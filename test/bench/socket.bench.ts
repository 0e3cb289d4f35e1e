/**
 * A guest's socket against plain node:net to the same server, which runs in a process of its own:
 * what PV Calls costs on top of the kernel's loopback. And what it costs in notifications.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import { allowAll, createBackend, createGuest, createMachine, type Guest } from 'pvcalls';
import {
  connectNet,
  readAll,
  roundTripUs,
  streamClient,
  writeAll,
  type Connect,
} from './clients.js';
import { measure, printMachine } from './rounds.js';

const BYTES = 64 << 20;
const MIB = BYTES / (1 << 20);
const ROUND_TRIPS = 1000;
const RING_ORDER = 8; // 512 KiB each way; a socket of the kernel has megabytes

const DEFAULT_ORDER = 4;
const HOST = '127.0.0.1';

/** First bytes of a connection: what the server is to do, and with which chunks. */
const TAKE = 0x74; //  takes all and answers one byte
const ECHO = 0x65;
const GIVE = 0x73; //  sends all; the second byte is the size of its chunks in KiB

/** In the child. */
function serve(): void {
  const source = (socket: net.Socket, chunk: Buffer): void => {
    let left = BYTES;
    const more = (): void => {
      while (left > 0) {
        left -= chunk.length;
        if (!socket.write(chunk)) return void socket.once('drain', more);
      }
      socket.end();
    };
    more();
  };
  const sink = (socket: net.Socket, had: number): void => {
    let got = had;
    socket.on('data', (data: Buffer) => (got += data.length) >= BYTES && socket.end('.'));
  };
  const echo = (socket: net.Socket, first: Buffer): void => {
    socket.write(first);
    socket.pipe(socket);
  };
  const server = net.createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => undefined);
    socket.once('data', (first: Buffer) => {
      if (first[0] === GIVE) source(socket, Buffer.alloc(first[1]! << 10, 7));
      else if (first[0] === TAKE) sink(socket, first.length - 1);
      else echo(socket, first);
    });
  });
  server.listen(0, HOST, () => process.send!((server.address() as net.AddressInfo).port));
}

/** MB/s from the server. */
async function receiveRate(connect: Connect, chunkKiB: number): Promise<number> {
  const client = await connect();
  const started = performance.now();
  await client.write(Buffer.from([GIVE, chunkKiB]));
  await readAll(client, BYTES);
  const seconds = (performance.now() - started) / 1000;
  await client.close();
  return BYTES / seconds / 1e6;
}

/** MB/s to the server, until it has all. */
async function sendRate(connect: Connect, chunkKiB: number): Promise<number> {
  const client = await connect();
  const started = performance.now();
  await client.write(Buffer.from([TAKE]));
  await writeAll(client, BYTES, chunkKiB << 10);
  await readAll(client, 1);
  const seconds = (performance.now() - started) / 1000;
  await client.close();
  return BYTES / seconds / 1e6;
}

const RATES = [
  ['receives', receiveRate],
  ['sends', sendRate],
] as const;

/** node:net as most programs use it. */
async function plainStream(port: number): Promise<net.Socket> {
  const socket = net.connect({ port, host: HOST, noDelay: true });
  await once(socket, 'connect');
  return socket;
}

async function roundTrip(connect: Connect): Promise<number> {
  const client = await connect();
  await client.write(Buffer.from([ECHO]));
  await readAll(client, 1);
  const us = await roundTripUs(client, ROUND_TRIPS);
  await client.close();
  return us;
}

async function main(child: ChildProcess): Promise<void> {
  const [port] = (await once(child, 'message')) as [number];
  const machine = createMachine();
  const backend = createBackend(machine, { policy: allowAll });
  const guest = await createGuest(machine, { ringOrder: RING_ORDER });
  const plain: Connect = () => connectNet(port);
  const guests: Connect = () => guest.connect({ host: HOST, port });
  const pair = (measured: (connect: Connect) => Promise<number>) => ({
    floor: () => measured(plain),
    value: () => measured(guests),
  });
  printMachine();
  for (const [direction, rate] of RATES) {
    for (const kib of [4, 64]) {
      await measure({
        name: `guest ${direction}, ${kib} KiB`,
        unit: 'MB/s',
        ...(kib === 64 && { aim: { atLeast: 0.9 } }),
        ...pair((connect) => rate(connect, kib)),
      });
    }
    await measure({
      name: `guest ${direction}, 64 KiB, default ring`,
      unit: 'MB/s',
      floor: () => rate(plain, 64),
      value: () => rate(() => guest.connect({ host: HOST, port, ringOrder: DEFAULT_ORDER }), 64),
    });
    await measure({
      name: `stream ${direction}, 64 KiB`,
      unit: 'MB/s',
      floor: () => rate(async () => streamClient(await plainStream(port)), 64),
      value: () =>
        rate(async () => streamClient((await guest.connect({ host: HOST, port })).stream()), 64),
    });
  }
  const us = { name: 'guest round trip, 64 B', unit: 'us', aim: { addedAtMost: 5 } };
  await measure({ ...us, ...pair(roundTrip) });
  await notifications(guest, guests);
  await guest.close();
  await backend.close();
  machine.assertCleanedUp();
  machine.close();
}

/** Of both ends together: the guest's own, and those the guest has handled. */
async function notifications(guest: Guest, connect: Connect): Promise<void> {
  for (const [direction, rate] of RATES) {
    const before = guest.counters();
    const count = async (): Promise<{ ours: number; theirs: number }> => {
      await rate(connect, 64);
      const after = guest.counters();
      return {
        ours: (after.notifications - before.notifications) / MIB,
        theirs: (after.events - before.events) / MIB,
      };
    };
    const { ours, theirs } = await count();
    const unit = '1/MiB';
    await measure({ name: `guest ${direction}: notifies`, unit, value: () => ours, exact: true });
    await measure({
      name: `guest ${direction}: is notified`,
      unit,
      value: () => theirs,
      exact: true,
    });
  }
}

if (process.send !== undefined) {
  serve();
} else {
  const child = fork(process.argv[1]!, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  try {
    await main(child);
  } finally {
    child.kill();
  }
}
