/** Real servers on 127.0.0.1 for these tests; each closes what it opened. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';
import { endOrReset } from '../../../host/backend/node-end.js';

export interface TestServer extends AsyncDisposable {
  readonly port: number;
  readonly sockets: net.Socket[];
  readonly errors: Error[];
  /** The next connection. */
  next(): Promise<net.Socket>;
}

export async function serve(
  handler: (socket: net.Socket) => void = () => undefined,
): Promise<TestServer> {
  const sockets: net.Socket[] = [];
  const errors: Error[] = [];
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(socket);
    socket.on('error', (error) => errors.push(error));
    handler(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as net.AddressInfo).port,
    sockets,
    errors,
    next: async () => (await once(server, 'connection'))[0] as net.Socket,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

export const echo = (socket: net.Socket): void => {
  socket.pipe(socket);
};

/** A client that is connected. */
export async function dial(port: number): Promise<net.Socket> {
  const socket = net.connect({ host: '127.0.0.1', port, allowHalfOpen: true });
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

/** Result of a connection that is not wanted: the error code, or 'connected' and then 'end'. */
export function fateOf(socket: net.Socket): Promise<string> {
  return new Promise((resolve) => {
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    socket.on('end', () => endOrReset(socket, (reset) => resolve(reset ? 'ECONNRESET' : 'end')));
    socket.resume();
  });
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Bytes that differ wherever they are misplaced. */
export function pattern(size: number): Buffer {
  const bytes = Buffer.alloc(size);
  let x = 0x2545f491;
  for (let at = 0; at + 4 <= size; at += 4) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    bytes.writeInt32LE(x, at);
  }
  return bytes;
}
