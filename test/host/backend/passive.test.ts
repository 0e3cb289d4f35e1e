/** BIND, LISTEN, ACCEPT and POLL. Spec: pvcalls, "Bind" to "Poll". */
import { once } from 'node:events';
import net from 'node:net';
import { describe, expect, it } from 'vitest';
import * as errno from '../../../assembly/wire/errno.js';
import { dial, echo, fateOf, serve } from './servers.js';
import { withGuest, type TestGuest } from './test-guest.js';
import { TestRing } from './test-ring.js';
import { until } from './until.js';

async function listening(guest: TestGuest, id: bigint, backlog = 8): Promise<number> {
  const rets = [await guest.socket(id), await guest.bind(id, 0), await guest.listen(id, backlog)];
  expect(rets).toEqual([0, 0, 0]);
  return guest.boundPort(id);
}

describe('BIND', () => {
  it('reports an address in use, and the socket may try another', async () => {
    await withGuest(async ({ guest }) => {
      await using server = await serve();
      expect(await guest.socket(1n)).toBe(0);
      expect(await guest.bind(1n, server.port)).toBe(-errno.EADDRINUSE);
      expect(await guest.bind(1n, 0)).toBe(0);
      expect(await guest.release(1n)).toBe(0);
    });
  });

  it('reports an address that is not the host’s', async () => {
    await withGuest(async ({ guest }) => {
      expect(await guest.socket(1n)).toBe(0);
      expect(await guest.bind(1n, 0, '192.0.2.1')).toBe(-errno.EADDRNOTAVAIL);
    });
  });

  it('answers ENOTSOCK for an unknown id, EINVAL when bound or connected', async () => {
    await withGuest(async ({ guest }) => {
      await using server = await serve(echo);
      expect(await guest.bind(1n, 0)).toBe(-errno.ENOTSOCK);
      expect(await guest.socket(1n)).toBe(0);
      expect(await guest.bind(1n, 0)).toBe(0);
      expect(await guest.bind(1n, 0)).toBe(-errno.EINVAL);
      const ring = await guest.open(2n, server.port);
      expect(await guest.bind(2n, 0)).toBe(-errno.EINVAL);
      const other = new TestRing(guest, 1);
      expect(await guest.connectTo(1n, other, server.port)).toBe(-errno.EOPNOTSUPP);
      expect(await guest.release(2n)).toBe(0);
      ring.free();
      other.free();
    });
  });

  it('resets connections until LISTEN', async () => {
    await withGuest(async ({ guest }) => {
      expect(await guest.socket(1n)).toBe(0);
      expect(await guest.bind(1n, 0)).toBe(0);
      const early = net.connect(guest.boundPort(1n), '127.0.0.1');
      expect(await fateOf(early)).toBe('ECONNRESET');
      expect(await guest.listen(1n)).toBe(0);
      const client = await dial(guest.boundPort(1n));
      expect(await guest.poll(1n)).toBe(0);
      client.destroy();
    });
  });
});

describe('LISTEN', () => {
  it('answers ENOTSOCK, EDESTADDRREQ or EINVAL for what is not bound', async () => {
    await withGuest(async ({ guest }) => {
      await using server = await serve(echo);
      expect(await guest.listen(1n)).toBe(-errno.ENOTSOCK);
      expect(await guest.socket(1n)).toBe(0);
      expect(await guest.listen(1n)).toBe(-errno.EDESTADDRREQ);
      const ring = await guest.open(2n, server.port);
      expect(await guest.listen(2n)).toBe(-errno.EINVAL);
      expect(await guest.release(2n)).toBe(0);
      ring.free();
    });
  });

  it('applies the backlog: a connection beyond it is reset', async () => {
    await withGuest(async ({ guest, backend }) => {
      const port = await listening(guest, 1n, 2);
      const kept = [await dial(port), await dial(port)];
      await until(() => backend.devices()[0]!.sockets[0]!.pending === 2, 'two wait');
      const excess = net.connect(port, '127.0.0.1');
      expect(await fateOf(excess)).toBe('ECONNRESET');
      const fates = kept.map(fateOf);
      expect(await guest.release(1n)).toBe(0);
      expect(await Promise.all(fates)).toEqual(['ECONNRESET', 'ECONNRESET']);
    });
  });
});

describe('ACCEPT and POLL', () => {
  it('are refused where no socket listens', async () => {
    await withGuest(async ({ guest }) => {
      await using server = await serve(echo);
      const ring = new TestRing(guest, 1);
      expect(await guest.accept(1n, 2n, ring)).toBe(-errno.ENOTSOCK);
      expect(await guest.poll(1n)).toBe(-errno.ENOTSOCK);
      expect(await guest.socket(1n)).toBe(0);
      expect(await guest.accept(1n, 2n, ring)).toBe(-errno.EINVAL);
      expect(await guest.bind(1n, 0)).toBe(0);
      expect(await guest.accept(1n, 2n, ring)).toBe(-errno.EINVAL);
      expect(await guest.poll(1n)).toBe(-errno.EINVAL);
      const active = await guest.open(3n, server.port);
      expect(await guest.accept(3n, 2n, ring)).toBe(-errno.EOPNOTSUPP);
      expect(await guest.poll(3n)).toBe(-errno.EOPNOTSUPP);
      expect(await guest.listen(1n)).toBe(0);
      expect(await guest.accept(1n, 3n, ring)).toBe(-errno.EEXIST);
      expect(await guest.release(3n)).toBe(0);
      active.free();
      ring.free();
    });
  });

  it('wait their turn, several at once, and are all answered', async () => {
    await withGuest(async ({ guest }) => {
      const port = await listening(guest, 1n);
      const rings = [new TestRing(guest, 1), new TestRing(guest, 1), new TestRing(guest, 1)];
      const accepts = rings.map((ring, i) => guest.accept(1n, BigInt(10 + i), ring));
      const polls = [guest.poll(1n), guest.poll(1n)];
      const clients = [];
      for (let i = 0; i < 3; i++) clients.push(await dial(port));
      expect(await Promise.all(accepts)).toEqual([0, 0, 0]);
      clients.push(await dial(port));
      expect(await Promise.all(polls)).toEqual([0, 0]);
      for (const [i, ring] of rings.entries()) {
        clients[i]!.write(`hello ${i}`);
        expect(String(await ring.readExactly(7))).toBe(`hello ${i}`);
        expect(await guest.release(BigInt(10 + i))).toBe(0);
        ring.free();
      }
      for (const client of clients) client.destroy();
    });
  });

  it('are answered with EBADF by RELEASE, before RELEASE itself', async () => {
    await withGuest(async ({ guest }) => {
      await listening(guest, 1n);
      const ring = new TestRing(guest, 1);
      const answers = [guest.accept(1n, 2n, ring), guest.poll(1n), guest.poll(1n)];
      const release = guest.release(1n);
      const rets = await Promise.all([...answers, release]);
      expect(rets).toEqual([-errno.EBADF, -errno.EBADF, -errno.EBADF, 0]);
      expect(guest.answered.at(-1)).toBe(Math.max(...guest.answered));
      ring.free();
    });
  });

  it('with a bad ring fails, and the connection waits for the next', async () => {
    await withGuest(async ({ guest }) => {
      const port = await listening(guest, 1n);
      const client = await dial(port);
      const ring = new TestRing(guest, 1);
      const bad = { ref: 0x7fffffff, port: ring.port } as TestRing;
      expect(await guest.accept(1n, 2n, bad)).toBe(-errno.EFAULT);
      client.write('still here');
      expect(await guest.accept(1n, 2n, ring)).toBe(0);
      expect(String(await ring.readExactly(10))).toBe('still here');
      expect(await guest.release(2n)).toBe(0);
      ring.free();
      client.destroy();
    });
  });

  it('deliver what a client sent and ended before it was accepted', async () => {
    await withGuest(async ({ guest }) => {
      const port = await listening(guest, 1n);
      const client = await dial(port);
      client.end('early');
      await once(client, 'finish');
      const ring = new TestRing(guest, 1);
      expect(await guest.accept(1n, 2n, ring)).toBe(0);
      expect(String(await ring.readAll())).toBe('early');
      expect(ring.inError).toBe(-errno.ENOTCONN);
      await ring.write(Buffer.from('reply'));
      expect(String((await once(client, 'data'))[0])).toBe('reply');
      expect(await guest.release(2n)).toBe(0);
      ring.free();
      client.destroy();
    });
  });
});
