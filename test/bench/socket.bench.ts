/**
 * A guest's socket against plain node:net to the same server, which runs in a process of its own:
 * what PV Calls costs on top of the kernel's loopback.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import net from 'node:net';
import { allowAll, createBackend, createGuest, createMachine, type Guest } from 'pvcalls';
import { measure, printMachine } from './rounds.js';

const BYTES = 32 << 20;
const ROUND_TRIPS = 500;

/** In the child: sends BYTES to who says 's', takes all from who says 't', echoes for 'e'. */
function serve(): void {
  const chunk = Buffer.alloc(65536, 7);
  const source = (socket: net.Socket): void => {
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
    socket.on('data', (data: Buffer) => (got += data.length) >= BYTES && socket.end('done'));
  };
  const echo = (socket: net.Socket, first: Buffer): void => {
    socket.write(first);
    socket.pipe(socket);
  };
  const server = net.createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => undefined);
    socket.once('data', (first: Buffer) => {
      if (first[0] === 0x73) source(socket);
      else if (first[0] === 0x74) sink(socket, first.length - 1);
      else echo(socket, first);
    });
  });
  server.listen(0, '127.0.0.1', () => process.send!((server.address() as net.AddressInfo).port));
}

type Connect = () => Promise<Client>;

/** The least that both kinds of socket have in common. */
interface Client {
  write(data: Uint8Array): Promise<void>;
  read(into: Uint8Array): Promise<number>;
  close(): Promise<void>;
}

/** node:net with reads into one buffer, as the guest's socket has them. */
async function connectNet(port: number): Promise<Client> {
  let waiting: ((bytes: number) => void) | undefined;
  const ready: number[] = [];
  const give = (bytes: number): void => {
    if (waiting === undefined) ready.push(bytes);
    else waiting(bytes);
    waiting = undefined;
  };
  const buffer = Buffer.alloc(65536);
  const socket = net.connect({
    port,
    host: '127.0.0.1',
    noDelay: true,
    onread: { buffer, callback: (bytes) => (give(bytes), true) },
  });
  socket.on('end', () => give(0));
  await once(socket, 'connect');
  return {
    write: (data) =>
      socket.write(data) ? Promise.resolve() : once(socket, 'drain').then(() => undefined),
    read: () => {
      const had = ready.shift();
      return had === undefined ? new Promise((done) => (waiting = done)) : Promise.resolve(had);
    },
    close: async () => {
      socket.destroy();
      await once(socket, 'close');
    },
  };
}

async function receiveRate(connect: Connect): Promise<number> {
  const client = await connect();
  const into = Buffer.alloc(65536);
  const started = performance.now();
  await client.write(Buffer.from('s'));
  let got = 0;
  for (let bytes = 1; bytes > 0; got += bytes) bytes = await client.read(into);
  const seconds = (performance.now() - started) / 1000;
  await client.close();
  if (got !== BYTES) throw new Error(`received ${got} of ${BYTES} bytes`);
  return got / seconds / 1e6;
}

async function sendRate(connect: Connect, chunkSize: number): Promise<number> {
  const client = await connect();
  const chunk = Buffer.alloc(chunkSize, 1);
  const started = performance.now();
  await client.write(Buffer.from('t'));
  for (let sent = 0; sent < BYTES; sent += chunkSize) await client.write(chunk);
  await client.read(Buffer.alloc(16));
  const seconds = (performance.now() - started) / 1000;
  await client.close();
  return BYTES / seconds / 1e6;
}

async function roundTripUs(connect: Connect): Promise<number> {
  const client = await connect();
  const message = Buffer.alloc(64, 0x65);
  const into = Buffer.alloc(64);
  const started = performance.now();
  for (let trip = 0; trip < ROUND_TRIPS; trip++) {
    await client.write(message);
    await client.read(into);
  }
  const us = ((performance.now() - started) * 1000) / ROUND_TRIPS;
  await client.close();
  return us;
}

async function notificationsPerMiB(guest: Guest, connect: Connect): Promise<number> {
  const before = guest.counters().notifications;
  await receiveRate(connect);
  return (guest.counters().notifications - before) / (BYTES / (1 << 20));
}

async function main(child: ChildProcess): Promise<void> {
  const [port] = (await once(child, 'message')) as [number];
  const machine = createMachine();
  const backend = createBackend(machine, { policy: allowAll });
  const guest = await createGuest(machine, { ringOrder: 6 });
  const plain: Connect = () => connectNet(port);
  const guests: Connect = () => guest.connect({ host: '127.0.0.1', port });
  printMachine();
  const pair = (measured: (connect: Connect) => Promise<number>) => ({
    floor: () => measured(plain),
    value: () => measured(guests),
  });
  const MBs = 'MB/s';
  await measure({ name: 'receive', unit: MBs, aim: { atLeast: 0.9 }, ...pair(receiveRate) });
  for (const kib of [4, 64]) {
    const rate = (connect: Connect): Promise<number> => sendRate(connect, kib << 10);
    await measure({ name: `send ${kib} KiB`, unit: MBs, aim: { atLeast: 0.9 }, ...pair(rate) });
  }
  await measure({
    name: 'round trip 64 B',
    unit: 'us',
    aim: { atMost: 1.3 },
    ...pair(roundTripUs),
  });
  const notifications = await notificationsPerMiB(guest, guests);
  console.log(`notifications by the guest, receiving: ${notifications.toFixed(1)} per MiB`);
  const wasm = new URL('../../build/core.wasm', import.meta.url);
  console.log(`core.wasm: ${statSync(wasm).size} bytes`);
  await guest.close();
  await backend.close();
  machine.assertCleanedUp();
  machine.close();
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
