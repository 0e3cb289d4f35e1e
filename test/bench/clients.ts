/**
 * Plain node:net and a guest's socket behind one small interface, and what is measured through it.
 * node:net reads into one buffer, as the guest's socket does, which is the fastest it has.
 */
import { once } from 'node:events';
import net from 'node:net';
import type { Duplex } from 'node:stream';

export interface Client {
  /** Resolves when more may be written. */
  write(data: Uint8Array): Promise<void>;
  /** Bytes put into `into`, 0 at the end. */
  read(into: Uint8Array): Promise<number>;
  close(): Promise<unknown>;
}

export type Connect = () => Promise<Client>;

export const BUFFER_SIZE = 65536;

/** The reading half of a socket that hands out one chunk after another. */
class Reader {
  private waiting: ((bytes: number) => void) | undefined;
  private readonly ready: number[] = [];

  readonly give = (bytes: number): void => {
    if (this.waiting === undefined) this.ready.push(bytes);
    else this.waiting(bytes);
    this.waiting = undefined;
  };

  /** What was read is counted and lies in the buffer: node:net has copied nothing either. */
  read(): Promise<number> {
    const had = this.ready.shift();
    return had === undefined ? new Promise((done) => (this.waiting = done)) : Promise.resolve(had);
  }
}

export async function connectNet(port: number): Promise<Client> {
  const reader = new Reader();
  const socket = net.connect({
    port,
    host: '127.0.0.1',
    noDelay: true,
    onread: {
      buffer: Buffer.alloc(BUFFER_SIZE),
      callback: (bytes) => (reader.give(bytes), true),
    },
  });
  socket.on('end', () => reader.give(0));
  await once(socket, 'connect');
  return clientOf(socket, reader);
}

/** A stream of any kind, read by its 'data' events. */
export function streamClient(socket: Duplex): Client {
  const reader = new Reader();
  socket.on('data', (chunk: Uint8Array) => reader.give(chunk.length));
  socket.on('end', () => reader.give(0));
  return clientOf(socket, reader);
}

function clientOf(socket: Duplex, reader: Reader): Client {
  return {
    write: (data) =>
      socket.write(data) ? Promise.resolve() : once(socket, 'drain').then(() => undefined),
    read: () => reader.read(),
    close: async () => {
      socket.destroy();
      if (!socket.closed) await once(socket, 'close');
    },
  };
}

/** Writes `bytes` in chunks of this size. */
export async function writeAll(client: Client, bytes: number, chunkSize: number): Promise<void> {
  const chunk = Buffer.alloc(chunkSize, 7);
  for (let sent = 0; sent < bytes; sent += chunkSize) await client.write(chunk);
}

/** Reads `bytes`; throws when the stream ends before. */
export async function readAll(client: Client, bytes: number): Promise<void> {
  const into = Buffer.alloc(BUFFER_SIZE);
  for (let got = 0; got < bytes;) {
    const count = await client.read(into);
    if (count === 0) throw new Error(`the stream ended after ${got} of ${bytes} bytes`);
    got += count;
  }
}

/** Microseconds of a message of 64 bytes there and back, against something that echoes. */
export async function roundTripUs(client: Client, trips: number): Promise<number> {
  const message = Buffer.alloc(64, 0x65);
  const into = Buffer.alloc(64);
  const started = performance.now();
  for (let trip = 0; trip < trips; trip++) {
    await client.write(message);
    await client.read(into);
  }
  return ((performance.now() - started) * 1000) / trips;
}
