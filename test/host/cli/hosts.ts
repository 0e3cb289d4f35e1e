/** Servers and clients of the host that the command line is tried with. */
import { once } from 'node:events';
import net from 'node:net';
import { afterEach } from 'vitest';

import { endOrReset } from '../../../host/backend/node-end.js';

const open = new Set<net.Socket | net.Server>();
afterEach(() => {
  for (const each of open) {
    if (each instanceof net.Server) each.close();
    else each.destroy();
  }
  open.clear();
});

/** A server on a port of its own. Its sockets do not end by themselves. */
export async function server(handle: (socket: net.Socket) => void): Promise<number> {
  const listener = net.createServer({ allowHalfOpen: true }, (socket) => {
    open.add(socket);
    socket.on('error', () => undefined);
    handle(socket);
  });
  open.add(listener);
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  return (listener.address() as net.AddressInfo).port;
}

/** A server that answers every request with these bytes, whatever it asks, and then does `then`. */
export function answering(
  answer: string | Buffer,
  then: (socket: net.Socket) => void = (socket) => socket.end(),
): Promise<number> {
  return server((socket) => {
    socket.once('data', () => socket.write(answer, () => then(socket)));
  });
}

/** A port where nobody listens. */
export async function closedPort(): Promise<number> {
  const listener = net.createServer().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as net.AddressInfo;
  listener.close();
  return port;
}

/** A connected socket that keeps what it receives. */
export class Client {
  readonly socket: net.Socket;
  readonly chunks: Buffer[] = [];
  /** 'end' after a FIN, or the code of the error. */
  readonly over: Promise<string>;

  private constructor(socket: net.Socket) {
    this.socket = socket;
    open.add(socket);
    socket.on('data', (chunk: Buffer) => this.chunks.push(chunk));
    this.over = new Promise((resolve) => {
      socket.once('end', () => {
        endOrReset(socket, (reset) => resolve(reset ? 'ECONNRESET' : 'end'));
      });
      socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'error'));
    });
  }

  static async connect(port: number): Promise<Client> {
    const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    const client = new Client(socket);
    await Promise.race([once(socket, 'connect'), client.over]);
    return client;
  }

  get bytes(): Buffer {
    return Buffer.concat(this.chunks);
  }

  /** Resolves when so many bytes are there. */
  async received(count: number): Promise<Buffer> {
    while (this.bytes.length < count) await once(this.socket, 'data');
    return this.bytes;
  }
}
