import { once } from 'node:events';
import net from 'node:net';
import { describe, expect, it } from 'vitest';
import type { GuestSocket } from '../../../host/index.js';
import { collect, freePort, inWorld } from './world.js';

const HOST = '127.0.0.1';

async function connectTo(port: number): Promise<net.Socket> {
  const socket = net.connect({ host: HOST, port, allowHalfOpen: true });
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

describe('a listener of a guest', () => {
  it('hands out connections, each to one accept', () =>
    inWorld(async ({ guest }) => {
      const port = await freePort();
      const listener = await (await guest()).listen({ host: HOST, port });
      const accepts = [listener.accept(), listener.accept(), listener.accept()];
      const clients: net.Socket[] = [];
      for (const name of ['a', 'b', 'c']) {
        const client = await connectTo(port);
        client.end(name);
        clients.push(client);
      }
      const said: string[] = [];
      for (const accepted of accepts) {
        const socket = await accepted;
        const stream = socket.stream();
        said.push((await collect(stream)).toString());
        stream.end('bye');
      }
      const replies = await Promise.all(clients.map(collect));
      expect(said.sort()).toEqual(['a', 'b', 'c']);
      expect(replies.map(String)).toEqual(['bye', 'bye', 'bye']);
    }));

  it('reports an address in use from bind, and leaves nothing', () =>
    inWorld(async ({ guest, serve }) => {
      const { port } = await serve(() => undefined);
      const one = await guest();
      const error: unknown = await one.listen({ host: HOST, port }).catch((e) => e);
      expect(error).toMatchObject({ code: 'EADDRINUSE', syscall: 'bind', address: HOST, port });
      expect(one.counters().sockets).toBe(0);
    }));

  it('ends its iterator and its pending accept when it is closed', () =>
    inWorld(async ({ guest }) => {
      const port = await freePort();
      const listener = await (await guest()).listen({ host: HOST, port });
      const taken: GuestSocket[] = [];
      const serving = (async () => {
        for await (const socket of listener) taken.push(socket);
      })();
      const client = await connectTo(port);
      while (taken.length === 0) await new Promise(setImmediate);
      await listener.close();
      await serving;
      await taken[0]!.close();
      client.destroy();
      await expect(listener.accept()).rejects.toMatchObject({ code: 'EBADF' });
    }));

  it('gives an accept up when its signal says so, without losing the next connection', () =>
    inWorld(async ({ guest }) => {
      const port = await freePort();
      const listener = await (await guest()).listen({ host: HOST, port });
      await expect(listener.accept(AbortSignal.timeout(10))).rejects.toThrow(/timeout/i);
      const client = await connectTo(port);
      client.end('still here');
      const stream = (await listener.accept()).stream();
      expect((await collect(stream)).toString()).toBe('still here');
    }));

  it('gives an accept up that waits behind another, and keeps the order of the rest', () =>
    inWorld(async ({ guest }) => {
      const port = await freePort();
      const listener = await (await guest()).listen({ host: HOST, port });
      const order: string[] = [];
      const first = listener.accept().then((socket) => (order.push('first'), socket));
      await expect(listener.accept(AbortSignal.timeout(10))).rejects.toThrow(/timeout/i);
      const third = listener.accept().then((socket) => (order.push('third'), socket));
      const clients = [await connectTo(port), await connectTo(port)];
      for (const accepted of [third, first]) await (await accepted).close();
      expect(order).toEqual(['first', 'third']);
      for (const client of clients) client.destroy();
    }));

  it('carries one guest to another through the backend', () =>
    inWorld(async ({ guest }) => {
      const [server, client] = [await guest({ name: 'server' }), await guest({ name: 'client' })];
      const port = await freePort();
      const listener = await server.listen({ host: HOST, port });
      const [accepted, socket] = await Promise.all([
        listener.accept(),
        client.connect({ host: HOST, port }),
      ]);
      await socket.write(Buffer.from('from guest to guest'));
      const into = Buffer.alloc(64);
      const count = await accepted.read(into);
      expect(into.toString('utf8', 0, count)).toBe('from guest to guest');
    }));
});
