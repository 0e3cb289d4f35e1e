/** A machine with a backend that allows everything, real servers beside it, and nothing left. */
import { once } from 'node:events';
import net from 'node:net';
import type { Readable } from 'node:stream';
import {
  allowAll,
  createBackend,
  createGuest,
  createMachine,
  type BackendOptions,
  type Guest,
  type GuestOptions,
  type Machine,
  type MachineOptions,
} from '../../../host/index.js';

export interface World {
  readonly machine: Machine;
  /** A connected guest, closed at the end. */
  guest(options?: GuestOptions): Promise<Guest>;
  /** A server on 127.0.0.1, closed at the end. Result: its address. */
  serve(onConnection: (socket: net.Socket) => void): Promise<{ host: string; port: number }>;
}

export interface WorldOptions {
  machine?: MachineOptions;
  backend?: BackendOptions;
}

/** Runs `body` in a world of its own, takes it down and names everything that leaked. */
export async function inWorld(
  body: (world: World) => Promise<void>,
  options: WorldOptions = {},
): Promise<void> {
  const machine = createMachine(options.machine);
  const backend = createBackend(machine, { policy: allowAll, ...options.backend });
  const guests: Guest[] = [];
  const servers: net.Server[] = [];
  const sockets = new Set<net.Socket>();
  const guest = async (guestOptions: GuestOptions = {}): Promise<Guest> => {
    const made = await createGuest(machine, { memoryMiB: 8, ...guestOptions });
    guests.push(made);
    return made;
  };
  const serve: World['serve'] = async (onConnection) => {
    const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined);
      onConnection(socket);
    });
    servers.push(server);
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return { host: '127.0.0.1', port: (server.address() as net.AddressInfo).port };
  };
  try {
    await body({ machine, guest, serve });
    await Promise.all(guests.map((made) => made.close()));
    await backend.close();
    machine.assertCleanedUp();
  } finally {
    for (const socket of sockets) socket.destroy();
    for (const server of servers) server.close();
    machine.close();
  }
}

/** A port of 127.0.0.1 at which nothing listens. */
export async function freePort(): Promise<number> {
  const server = net.createServer();
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as net.AddressInfo;
  await new Promise((closed) => server.close(closed));
  return port;
}

/** Everything a stream gives until its end; unlike stream/consumers, it leaves a Duplex open. */
export function collect(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  return new Promise((resolve, reject) => {
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.once('end', () => resolve(Buffer.concat(chunks)));
    stream.once('error', reject);
  });
}
