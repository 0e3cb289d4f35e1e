/** How streams end: FIN, reset, half-open, and by lies. Spec: pvcalls, "Data ring". */
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import * as data from '../../../assembly/wire/data-ring.js';
import * as errno from '../../../assembly/wire/errno.js';
import { echo, fateOf, pattern, serve, sha256 } from './servers.js';
import { withGuest } from './test-guest.js';
import { TestRing } from './test-ring.js';
import { until } from './until.js';

describe('the inbound end', () => {
  it('is ENOTCONN after all data, and the other direction goes on', async () => {
    await withGuest(async ({ guest }) => {
      await using server = await serve((socket) => socket.end(pattern(100_000)));
      const ring = await guest.open(1n, server.port, 2);
      const received = await ring.readAll();
      expect(sha256(received)).toBe(sha256(pattern(100_000)));
      expect(ring.inError).toBe(-errno.ENOTCONN);
      await ring.write(Buffer.from('still writing'));
      const [socket] = server.sockets;
      expect(String((await once(socket!, 'data'))[0])).toBe('still writing');
      expect(ring.outError).toBe(0);
      const end = once(socket!, 'end');
      expect(await guest.release(1n)).toBe(0);
      await end;
      ring.free();
    });
  });

  it('waits for a reader that is slower than the ring, one byte at a time if must be', async () => {
    await withGuest(async ({ guest }) => {
      await using server = await serve((socket) => socket.end(pattern(9000)));
      const ring = await guest.open(1n, server.port, 1);
      await until(() => ring.load(data.IN_PROD) === ring.size, 'a full ring');
      const parts: Buffer[] = [];
      for (let part = await ring.read(1); part.length > 0; part = await ring.read(7)) {
        parts.push(part);
      }
      expect(Buffer.concat(parts).equals(pattern(9000))).toBe(true);
      expect(ring.inError).toBe(-errno.ENOTCONN);
      expect(await guest.release(1n)).toBe(0);
      ring.free();
    });
  });

  it('is ECONNRESET when the peer resets', async () => {
    await withGuest(async ({ guest }) => {
      await using server = await serve();
      const ring = await guest.open(1n, server.port);
      await until(() => server.sockets.length === 1, 'connection');
      server.sockets[0]!.resetAndDestroy();
      await until(() => ring.inError !== 0, 'in_error');
      expect(ring.inError).toBe(-errno.ECONNRESET);
      await ring.write(Buffer.from('x'));
      await until(() => ring.outError !== 0, 'out_error');
      expect([-errno.EPIPE, -errno.ECONNRESET]).toContain(ring.outError);
      expect(await guest.release(1n)).toBe(0);
      ring.free();
    });
  });
});

describe('RELEASE of a connected socket', () => {
  it('ends the stream in order after what the kernel has taken', async () => {
    await withGuest(async ({ guest }) => {
      await using server = await serve();
      const ring = await guest.open(1n, server.port);
      await ring.write(Buffer.from('last words'));
      await ring.drained();
      const [socket] = server.sockets;
      const words = once(socket!, 'data');
      const fate = fateOf(socket!);
      expect(await guest.release(1n)).toBe(0);
      expect(String((await words)[0])).toBe('last words');
      expect(await fate).toBe('end');
      ring.free();
    });
  });

  it('resets when asked to, or when the guest had not read all', async () => {
    await withGuest(async ({ guest }) => {
      await using server = await serve((socket) => socket.write('unread'));
      const asked = await guest.open(1n, server.port);
      await asked.readExactly(6);
      const fateAsked = fateOf(server.sockets[0]!);
      expect(await guest.release(1n, 0, 1)).toBe(0);
      expect(await fateAsked).toBe('ECONNRESET');
      asked.free();

      const unread = await guest.open(2n, server.port);
      await until(() => unread.load(data.IN_PROD) === 6, 'bytes');
      const fateUnread = fateOf(server.sockets[1]!);
      expect(await guest.release(2n)).toBe(0);
      expect(await fateUnread).toBe('ECONNRESET');
      unread.free();
    });
  });

  it('lets go of ring memory that a stuck peer never took, and resets that peer', async () => {
    await withGuest(async ({ guest }) => {
      await using server = await serve(); // reads nothing
      const ring = await guest.open(1n, server.port, 9);
      const stuck = ring.write(Buffer.alloc(64 << 20)).catch((error: Error) => error.message);
      await until(() => server.sockets.length === 1, 'connection');
      await new Promise((resolve) => setTimeout(resolve, 100));
      expect(ring.load(data.OUT_PROD)).not.toBe(ring.load(data.OUT_CONS));
      expect(await guest.release(1n)).toBe(0);
      expect(await fateOf(server.sockets[0]!)).toBe('ECONNRESET'); // not an end: bytes were lost
      ring.store(data.OUT_ERROR, -errno.EBADF);
      ring.store(data.OUT_CONS, ring.load(data.OUT_PROD));
      ring.wakeAll();
      expect(await stuck).toMatch('out_error');
      ring.free();
    });
  });
});

describe('a lie in the indexes page', () => {
  for (const field of ['IN_CONS', 'OUT_PROD'] as const) {
    it(`as ${field} costs that socket, EIO both ways and a reset, and no other`, async () => {
      await withGuest(async ({ guest, backend }) => {
        await using server = await serve(echo);
        const good = await guest.open(1n, server.port);
        const bad = await guest.open(2n, server.port);
        const fate = fateOf(server.sockets[1]!);
        server.sockets[1]!.unpipe();
        bad.store(data[field], bad.size + 1);
        bad.notify();
        server.sockets[1]!.write('x');
        await until(() => bad.inError !== 0, 'in_error');
        expect([bad.inError, bad.outError]).toEqual([-errno.EIO, -errno.EIO]);
        expect(await fate).toBe('ECONNRESET');
        expect(backend.devices()[0]!.faults).toHaveLength(1);
        await good.write(Buffer.from('fine'));
        expect(String(await good.readExactly(4))).toBe('fine');
        expect(await guest.release(2n)).toBe(0);
        expect(await guest.release(1n)).toBe(0);
        good.free();
        bad.free();
      });
    });
  }

  it('in what is the backend’s own does not matter', async () => {
    await withGuest(async ({ guest }) => {
      await using server = await serve(echo);
      const ring = await guest.open(1n, server.port);
      await ring.write(Buffer.from('one'));
      expect(String(await ring.readExactly(3))).toBe('one');
      ring.store(data.V1_RING_ORDER, 31);
      ring.store(data.V1_REF, 0xffffffff);
      const own = [data.IN_PROD, data.OUT_CONS].map((field) => ring.load(field));
      ring.store(data.IN_PROD, 77777);
      ring.store(data.OUT_CONS, 77777);
      ring.store(data.IN_CONS, own[0]!);
      ring.store(data.OUT_CONS, own[1]!);
      await ring.write(Buffer.from('two'));
      await until(() => ring.load(data.IN_PROD) === 6, 'in_prod of the backend');
      expect(String(await ring.readExactly(3))).toBe('two');
      expect(await guest.release(1n)).toBe(0);
      ring.free();
    });
  });
});

describe('indices', () => {
  it('may start anywhere and pass 2^32', async () => {
    await withGuest(async ({ guest }) => {
      await using server = await serve(echo);
      const ring = new TestRing(guest, 2, 'v1', 0xffffff00);
      expect(await guest.socket(1n)).toBe(0);
      expect(await guest.connectTo(1n, ring, server.port)).toBe(0);
      const bytes = pattern(50_000);
      const [back] = await Promise.all([ring.readExactly(bytes.length), ring.write(bytes)]);
      expect(back.equals(bytes)).toBe(true);
      expect(await guest.release(1n)).toBe(0);
      ring.free();
    });
  });

  it('of the v7 layout work down to one page', async () => {
    await withGuest(
      async ({ guest }) => {
        await using server = await serve(echo);
        for (const order of [0, 1, 3]) {
          const ring = new TestRing(guest, order, 'v7');
          expect(await guest.socket(1n)).toBe(0);
          expect(await guest.connectTo(1n, ring, server.port)).toBe(0);
          const bytes = pattern(50_000);
          const [back] = await Promise.all([ring.readExactly(bytes.length), ring.write(bytes)]);
          expect(back.equals(bytes)).toBe(true);
          expect(await guest.release(1n)).toBe(0);
          ring.free();
        }
      },
      { layout: 'v7' },
    );
  });
});
