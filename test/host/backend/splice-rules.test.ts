/** What only the splice does: which connects it takes, its queue, its limits, its work. */
import net from 'node:net';
import { describe, expect, it } from 'vitest';
import * as data from '../../../assembly/wire/data-ring.js';
import * as errno from '../../../assembly/wire/errno.js';
import { join, part, withPair } from './pair.js';
import { dial, fateOf, pattern, sha256 } from './servers.js';
import { TestRing } from './test-ring.js';
import { until } from './until.js';

const HELD_MAX = 65536;
const HELD_BY_DEVICE = 1 << 22;
const KERNEL_TIME_MS = 20;
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
const pause = () => new Promise((resolve) => setTimeout(resolve, KERNEL_TIME_MS));

describe('a connect', () => {
  it.each([
    ['127.0.0.1', '127.0.0.1'],
    ['127.0.0.1', '0.0.0.0'],
    ['127.0.0.5', '127.0.0.5'],
    ['0.0.0.0', '127.0.0.1'],
    ['0.0.0.0', '127.0.0.9'],
    ['0.0.0.0', '0.0.0.0'],
  ])('that meets a listener at %s by %s is spliced', async (bound, connected) => {
    await withPair(
      async (world) => {
        const { client, server, port, layer } = world;
        const [near, far] = [new TestRing(client, 1), new TestRing(server, 1)];
        expect(await client.socket(5n)).toBe(0);
        expect(await client.connectTo(5n, near, port, connected)).toBe(0);
        expect(await server.accept(1n, 6n, far)).toBe(0);
        expect(layer.connects).toBe(0);
        await part(world, { near, far });
      },
      {},
      bound,
    );
  });

  it('to another address or port is the host’s', async () => {
    await withPair(async ({ client, port, layer }) => {
      const ring = new TestRing(client, 1);
      expect(await client.socket(5n)).toBe(0);
      expect(await client.connectTo(5n, ring, port, '127.0.0.2')).toBe(-errno.ECONNREFUSED);
      expect(await client.connectTo(5n, ring, 1)).toBe(-errno.ECONNREFUSED);
      expect(layer.connects).toBe(2);
      ring.free();
    });
  });

  it('is the host’s again when the listener has gone', async () => {
    await withPair(async ({ client, server, port, layer }) => {
      expect(await server.release(1n)).toBe(0);
      const ring = new TestRing(client, 1);
      expect(await client.socket(5n)).toBe(0);
      expect(await client.connectTo(5n, ring, port)).toBe(-errno.ECONNREFUSED);
      expect(layer.connects).toBe(1);
      ring.free();
    });
  });

  it('is denied by the policy as any other', async () => {
    await withPair(
      async ({ client, port }) => {
        const ring = new TestRing(client, 1);
        expect(await client.socket(5n)).toBe(0);
        expect(await client.connectTo(5n, ring, port)).toBe(-errno.EACCES);
        ring.free();
      },
      { policy: ({ command }) => (command === 'connect' ? -errno.EACCES : 'allow') },
    );
  });

  it('is refused before LISTEN', async () => {
    await withPair(
      async ({ client, server, port }) => {
        const ring = new TestRing(client, 1);
        expect(await client.socket(5n)).toBe(0);
        expect(await client.connectTo(5n, ring, port)).toBe(-errno.ECONNREFUSED);
        expect(await server.listen(1n)).toBe(0);
        expect(await client.connectTo(5n, ring, port)).toBe(0);
        expect(await client.release(5n)).toBe(0);
        ring.free();
      },
      {},
      '127.0.0.1',
      0,
    );
  });

  it('is refused when the backlog is full, of guests and of clients outside', async () => {
    await withPair(
      async ({ client, server, port }) => {
        const pending = () => server.backend.devices()[0]!.sockets[0]!.pending;
        const first = await client.open(5n, port);
        const outside = await dial(port);
        await until(() => pending() === 2, 'two wait');
        const second = new TestRing(client, 1);
        expect(await client.socket(7n)).toBe(0);
        expect(await client.connectTo(7n, second, port)).toBe(-errno.ECONNREFUSED);
        expect(await fateOf(net.connect(port, '127.0.0.1'))).toBe('ECONNRESET');
        const far = new TestRing(server, 1);
        expect(await server.accept(1n, 6n, far)).toBe(0);
        expect(await client.connectTo(7n, second, port)).toBe(0);
        for (const id of [5n, 7n]) expect(await client.release(id)).toBe(0);
        expect(await server.release(6n)).toBe(0);
        for (const ring of [first, second, far]) ring.free();
        outside.destroy();
      },
      {},
      '127.0.0.1',
      2,
    );
  });

  it('that its guest releases at once leaves nothing in the queue but an end', async () => {
    await withPair(async ({ client, server, port }) => {
      const near = new TestRing(client, 1);
      expect(await client.socket(5n)).toBe(0);
      const rets = [client.connectTo(5n, near, port), client.release(5n)];
      expect(await Promise.all(rets)).toEqual([-errno.ECONNABORTED, 0]);
      near.free();
      const again = await client.open(5n, port);
      expect(await client.release(5n)).toBe(0);
      again.free();
      const far = new TestRing(server, 1);
      expect(await server.accept(1n, 6n, far)).toBe(0);
      expect(await far.readAll()).toHaveLength(0);
      expect(far.inError).toBe(-errno.ENOTCONN);
      expect(await server.release(6n)).toBe(0);
      far.free();
    });
  });
});

describe('a ring that nobody reads', () => {
  it('holds up who writes into it, with nothing in between, and only that direction', async () => {
    await withPair(async (world) => {
      const { near, far } = await join(world, 4, 1);
      const bytes = pattern(100_000);
      const writing = near.write(bytes);
      await until(() => far.load(data.IN_PROD) === far.size, 'a full ring');
      await pause();
      expect(near.load(data.OUT_CONS)).toBe(far.size);
      await far.write(Buffer.from('the other way'));
      expect(String(await near.readExactly(13))).toBe('the other way');
      near.notify(); // for nothing: there is no room
      await pause();
      expect(near.load(data.OUT_CONS)).toBe(far.size);
      expect(sha256(await far.readExactly(bytes.length))).toBe(sha256(bytes));
      await writing;
      expect(world.server.backend.devices()[0]!.rings.fullRings).toBeGreaterThan(0);
      await part(world, { near, far });
    });
  });

  it('goes on byte by byte as room comes', async () => {
    await withPair(async (world) => {
      const { near, far } = await join(world, 1, 1);
      const bytes = pattern(9000);
      const writing = near.write(bytes);
      const parts: Buffer[] = [];
      for (let have = 0; have < bytes.length; have += parts.at(-1)!.length) {
        parts.push(await far.read(have % 2 === 0 ? 1 : 7));
      }
      await writing;
      expect(Buffer.concat(parts).equals(bytes)).toBe(true);
      await part(world, { near, far });
    });
  });

  it('gets all that was sent before a RELEASE, and then the end', async () => {
    await withPair(async (world) => {
      const { near, far } = await join(world, 4, 1);
      await near.write(pattern(30_000));
      await until(() => far.load(data.IN_PROD) === far.size, 'a full ring');
      expect(near.load(data.OUT_CONS)).toBe(far.size);
      expect(await world.client.release(5n)).toBe(0);
      expect(near.load(data.OUT_CONS)).toBe(30_000);
      near.free();
      expect(sha256(await far.readAll())).toBe(sha256(pattern(30_000)));
      expect(far.inError).toBe(-errno.ENOTCONN);
      expect(await world.server.release(6n)).toBe(0);
      far.free();
    });
  });

  it('is reset with the rest when its sender’s device closes', async () => {
    await withPair(async (world) => {
      const { near, far } = await join(world, 4, 1);
      await near.write(pattern(30_000));
      await until(() => far.load(data.IN_PROD) === far.size, 'a full ring');
      await world.client.close();
      near.free();
      await until(() => far.inError !== 0, 'in_error');
      expect(far.inError).toBe(-errno.ECONNRESET);
      expect(await world.server.release(6n)).toBe(0);
      far.free();
    });
  });

  it('fails the sender that waits when its own socket is released', async () => {
    await withPair(async (world) => {
      const { near, far } = await join(world, 4, 1);
      await near.write(pattern(30_000));
      await until(() => far.load(data.IN_PROD) === far.size, 'a full ring');
      await far.readExactly(far.size); // what is in the ring; more comes
      expect(await world.server.release(6n)).toBe(0);
      expect([near.inError, near.outError]).toEqual([-errno.ECONNRESET, -errno.ECONNRESET]);
      expect(await world.client.release(5n)).toBe(0);
      near.free();
      far.free();
    });
  });
});

describe('bytes for a connection that nobody accepted', () => {
  it('are held up to 64 KiB; the others wait in the ring, and none is lost', async () => {
    await withPair(async (world) => {
      const { client, server, port } = world;
      const near = await client.open(5n, port, 9);
      const bytes = pattern(200_000);
      await near.write(bytes);
      await until(() => near.load(data.OUT_CONS) === HELD_MAX, 'held');
      await pause();
      expect(near.load(data.OUT_CONS)).toBe(HELD_MAX);
      const far = new TestRing(server, 1);
      expect(await server.accept(1n, 6n, far)).toBe(0);
      far.store(data.IN_CONS, 1000); // read, and nobody is told
      near.notify();
      await pause();
      expect(far.load(data.IN_PROD)).toBe(far.size); // what is held goes first
      far.notify();
      const rest = await far.readExactly(bytes.length - 1000);
      expect(sha256(rest)).toBe(sha256(bytes.subarray(1000)));
      await part(world, { near, far });
    });
  });

  it('are 1 MiB for one listener: who comes last is cut off, and told so', async () => {
    await withPair(async (world) => {
      const { client, server, port } = world;
      const send = async (id: bigint): Promise<void> => {
        const near = await client.open(id, port, 9);
        await near.write(Buffer.alloc(600_000, Number(id)));
        expect(await client.release(id)).toBe(0);
        near.free();
      };
      const receive = async (size: number, error: number): Promise<void> => {
        const far = new TestRing(server, 4);
        expect(await server.accept(1n, 20n, far)).toBe(0);
        expect(await far.readAll()).toHaveLength(size);
        expect(far.inError).toBe(error);
        expect(await server.release(20n)).toBe(0);
        far.free();
      };
      for (const id of [10n, 11n]) await send(id);
      await receive(600_000, -errno.ENOTCONN);
      await receive((1 << 20) - 600_000, -errno.ECONNRESET);
      await send(12n); // all of it is free again
      await receive(600_000, -errno.ENOTCONN);
    });
  });

  it('are 4 MiB for a guest, however many listeners it has had', async () => {
    await withPair(async ({ client, server }) => {
      const fars: TestRing[] = [];
      let held = 0;
      for (let id = 10n; id < 60n; id += 10n) {
        const rets = [await server.socket(id), await server.bind(id, 0, '127.0.0.1')];
        rets.push(await server.listen(id, 1));
        const near = await client.open(id, server.boundPort(id), 9);
        const far = new TestRing(server, 1);
        rets.push(await server.accept(id, id + 1n, far));
        await near.write(Buffer.alloc(near.size));
        await until(() => far.load(data.IN_PROD) === far.size, 'a full ring');
        rets.push(await client.release(id), await server.release(id));
        expect(rets).toEqual([0, 0, 0, 0, 0, 0]);
        held += near.load(data.OUT_CONS) - far.size;
        near.free();
        fars.push(far);
      }
      expect(held).toBe(HELD_BY_DEVICE);
      for (const [i, far] of fars.entries()) {
        expect(await server.release(BigInt(11 + 10 * i))).toBe(0);
        far.free();
      }
    });
  });
});

describe('the work of one event', () => {
  it('is one copy and one notification, inside it', async () => {
    await withPair(async (world) => {
      const { near, far } = await join(world, 4, 4);
      await turn();
      const before = far.events;
      near.store(data.OUT_PROD, near.size); // 16 pages in random order
      near.notify();
      for (let turns = 0; turns < 3 && far.load(data.IN_PROD) === 0; turns++) await turn();
      expect(far.load(data.IN_PROD)).toBe(near.size);
      await pause();
      expect(far.events - before).toBe(1);
      await part(world, { near, far });
    });
  });

  it('is not prolonged by a guest that publishes while it is done', async () => {
    await withPair(async (world) => {
      const { near, far } = await join(world, 1, 4);
      const { load } = Atomics;
      let looks = 0;
      const outProd = data.OUT_PROD / 4;
      Atomics.load = ((words: Int32Array, at: number) => {
        const mine = words.byteOffset === near.words.byteOffset && at === outProd;
        if (mine && words !== near.words && ++looks < 100) near.words[at]! += 16;
        return load(words, at);
      }) as typeof load;
      try {
        near.notify();
        await turn();
        await turn();
      } finally {
        Atomics.load = load;
      }
      expect(looks).toBeGreaterThan(0);
      expect(looks).toBeLessThan(4);
      expect(await far.readExactly(16)).toHaveLength(16);
      expect(await world.client.release(5n, 0, 1)).toBe(0);
      expect(await world.server.release(6n)).toBe(0);
      near.free();
      far.free();
    });
  });
});
