/** Guests that connect to each other: the same with the splice and without. */
import { describe, expect, it } from 'vitest';
import * as data from '../../../assembly/wire/data-ring.js';
import * as errno from '../../../assembly/wire/errno.js';
import { join, part, withPair, type PairWorld } from './pair.js';
import { dial, pattern, sha256 } from './servers.js';
import { TestRing } from './test-ring.js';
import { until } from './until.js';

const GONE = [-errno.EPIPE, -errno.ECONNRESET];

/** Every socket's bytes in and out, as `ls` shows them. */
function byteCounts({ server }: PairWorld): string[] {
  return server.backend
    .devices()
    .flatMap(({ domid, sockets }) =>
      sockets.flatMap(({ id, ring }) =>
        ring === undefined ? [] : [`${domid}.${id}: ${ring.bytesIn} in, ${ring.bytesOut} out`],
      ),
    );
}

describe.each([
  ['ring to ring', true],
  ['through the host', false],
])('guests connected to each other %s', (_, splice) => {
  const run = (test: (world: PairWorld) => Promise<void>): Promise<void> =>
    withPair(test, { splice });

  it('carry bytes both ways at once, rings of any order', async () => {
    await run(async (world) => {
      for (const [order, farOrder] of [
        [1, 1],
        [1, 4],
        [4, 2],
        [9, 3],
      ]) {
        const { near, far } = await join(world, order, farOrder);
        const bytes = pattern(400_000);
        const [there, back] = await Promise.all([
          far.readExactly(bytes.length),
          near.readExactly(bytes.length),
          near.write(bytes),
          far.write(bytes),
        ]);
        expect(sha256(there)).toBe(sha256(bytes));
        expect(sha256(back)).toBe(sha256(bytes));
        await part(world, { near, far });
      }
      expect(world.layer.connects).toBe(splice ? 0 : 4);
    });
  });

  it('are seen by policy, listing and counters', async () => {
    await run(async (world) => {
      const { client, server, port, asked } = world;
      const ends = await join(world);
      await ends.near.write(pattern(5000));
      await ends.far.write(pattern(3000));
      await Promise.all([ends.far.readExactly(5000), ends.near.readExactly(3000)]);
      await Promise.all([ends.near.drained(), ends.far.drained()]);
      const [b, a] = [server.domain.domid, client.domain.domid];
      expect(byteCounts(world)).toEqual([`${b}.6: 5000 in, 3000 out`, `${a}.5: 3000 in, 5000 out`]);
      const [listener, accepted] = server.backend.devices()[0]!.sockets;
      expect(listener!.pending).toBe(0);
      expect(accepted!.address!.host).toBe('127.0.0.1');
      expect(accepted!.address!.port).toBeGreaterThan(1024);
      await part(world, ends);
      const calls = asked.map(({ domid, command, id, address }) =>
        [domid, command, id, address?.port].join(' '),
      );
      expect(calls).toEqual([
        `${b} socket 1 `,
        `${b} bind 1 0`,
        `${b} listen 1 `,
        `${a} socket 5 `,
        `${a} connect 5 ${port}`,
        `${b} accept 1 `,
        `${a} release 5 `,
        `${b} release 6 `,
      ]);
      const totals = server.backend.devices().map(({ rings }) => [rings.bytesIn, rings.bytesOut]);
      expect(totals).toEqual([
        [5000, 3000],
        [3000, 5000],
      ]);
    });
  });

  it.each(['near', 'far'] as const)('end in order when the %s one releases', async (who) => {
    await run(async (world) => {
      const ends = await join(world, 2);
      const other = who === 'near' ? ends.far : ends.near;
      const release = () => (who === 'near' ? world.client.release(5n) : world.server.release(6n));
      const received = other.readAll();
      await ends[who].write(pattern(20_000));
      await ends[who].drained();
      expect(await release()).toBe(0);
      expect(sha256(await received)).toBe(sha256(pattern(20_000)));
      expect(other.inError).toBe(-errno.ENOTCONN);
      await until(() => {
        other.store(data.OUT_PROD, other.load(data.OUT_CONS) + 1);
        other.notify();
        return other.outError !== 0; // the host's first write after the end still succeeds
      }, 'out_error');
      expect(GONE).toContain(other.outError);
      await part(world, ends);
    });
  });

  it('reset when asked to', async () => {
    await run(async (world) => {
      const ends = await join(world);
      await ends.near.write(Buffer.from('before'));
      expect(String(await ends.far.readExactly(6))).toBe('before');
      expect(await world.client.release(5n, 0, 1)).toBe(0);
      expect(await ends.far.readAll()).toHaveLength(0);
      expect(ends.far.inError).toBe(-errno.ECONNRESET);
      await part(world, ends);
    });
  });

  it('reset when the one that releases had not read all', async () => {
    await run(async (world) => {
      const ends = await join(world);
      await ends.far.write(Buffer.from('unread'));
      await until(() => ends.near.load(data.IN_PROD) === 6, 'bytes');
      expect(await world.client.release(5n)).toBe(0);
      await until(() => ends.far.inError !== 0, 'in_error');
      expect(ends.far.inError).toBe(-errno.ECONNRESET);
      await part(world, ends);
    });
  });

  it('get what was sent before they accepted, and then the end', async () => {
    await run(async (world) => {
      const { client, server, port } = world;
      const near = await client.open(5n, port, 2);
      await near.write(pattern(30_000));
      await near.drained();
      expect(await client.release(5n)).toBe(0);
      near.free();
      const far = new TestRing(server, 1);
      expect(await server.accept(1n, 6n, far)).toBe(0);
      expect(sha256(await far.readAll())).toBe(sha256(pattern(30_000)));
      expect(far.inError).toBe(-errno.ENOTCONN);
      expect(await server.release(6n)).toBe(0);
      far.free();
    });
  });

  it('wait in one queue with clients from outside, first come, first served', async () => {
    await run(async (world) => {
      const { client, server, port } = world;
      const pending = () => server.backend.devices()[0]!.sockets[0]!.pending;
      const rings: TestRing[] = [];
      const clients = [];
      for (let turn = 0; turn < 6; turn++) {
        if (turn % 2 === 0) {
          const ring = await client.open(BigInt(10 + turn), port);
          await ring.write(Buffer.from([turn]));
          rings.push(ring);
        } else {
          clients.push(await dial(port));
          clients.at(-1)!.write(Buffer.from([turn]));
        }
        await until(() => pending() === turn + 1, 'one more');
      }
      expect(await server.poll(1n)).toBe(0);
      for (let turn = 0; turn < 6; turn++) {
        const far = new TestRing(server, 1);
        expect(await server.accept(1n, 50n, far)).toBe(0);
        expect(await far.readExactly(1)).toEqual(Buffer.from([turn]));
        expect(await server.release(50n)).toBe(0);
        far.free();
      }
      for (let turn = 0; turn < 6; turn += 2) {
        expect(await client.release(BigInt(10 + turn))).toBe(0);
      }
      for (const ring of rings) ring.free();
      for (const socket of clients) socket.destroy();
    });
  });

  it('answer ACCEPT and POLL that came before the connect', async () => {
    await run(async (world) => {
      const { client, server, port } = world;
      const far = new TestRing(server, 1);
      const accept = server.accept(1n, 6n, far);
      const first = await client.open(5n, port);
      expect(await accept).toBe(0);
      const poll = server.poll(1n);
      const second = await client.open(7n, port);
      expect(await poll).toBe(0);
      await far.write(Buffer.from('hello'));
      expect(String(await first.readExactly(5))).toBe('hello');
      expect(await client.release(7n)).toBe(0);
      await part(world, { near: first, far });
      second.free();
    });
  });

  it('are reset when the listener goes before it accepted', async () => {
    await run(async (world) => {
      const near = await world.client.open(5n, world.port);
      await until(() => world.server.backend.devices()[0]!.sockets[0]!.pending === 1, 'pending');
      expect(await world.server.release(1n)).toBe(0);
      await until(() => near.inError !== 0, 'in_error');
      expect(near.inError).toBe(-errno.ECONNRESET);
      expect(await world.client.release(5n)).toBe(0);
      near.free();
    });
  });

  it.each([
    ['closes', 5],
    ['begins anew, as after a suspend', 1],
  ])('are told when the device of the other %s', async (_, state) => {
    await run(async (world) => {
      const { client, server } = world;
      const { near, far } = await join(world);
      near.store(data.OUT_PROD, near.size); // published, and nobody is told
      client.setState(state);
      await until(() => far.inError !== 0, 'in_error');
      expect(far.inError).toBe(-errno.ECONNRESET); // cut off: bytes were never sent
      await until(() => client.backendState() !== 4, 'disconnected');
      near.free();
      expect(client.unpublish()).toBe(0);
      client.setState(6);
      expect(await server.release(6n)).toBe(0);
      far.free();
      client.setState(1);
      await client.connect();
      await part(world, await join(world));
    });
  });

  it('are cut off when one of them lies, and only they', async () => {
    await run(async (world) => {
      for (const [liar, field] of [
        ['near', 'OUT_PROD'],
        ['near', 'IN_CONS'],
        ['far', 'OUT_PROD'],
        ['far', 'IN_CONS'],
      ] as const) {
        const ends = await join(world);
        const bad = ends[liar];
        const good = liar === 'near' ? ends.far : ends.near;
        bad.store(data[field], bad.size + 1);
        bad.notify();
        if (field === 'IN_CONS') await good.write(Buffer.from('x'));
        await until(() => bad.inError !== 0 && good.inError !== 0, 'in_error');
        expect([bad.inError, bad.outError]).toEqual([-errno.EIO, -errno.EIO]);
        expect(good.inError).toBe(-errno.ECONNRESET);
        await part(world, ends);
      }
      const ends = await join(world);
      await ends.near.write(Buffer.from('fine'));
      expect(String(await ends.far.readExactly(4))).toBe('fine');
      await part(world, ends);
    });
  });

  it('may be one guest', async () => {
    await run(async (world) => {
      const { server } = world;
      const ends = await join({ ...world, client: server });
      await ends.near.write(pattern(3000));
      expect(await ends.far.readExactly(3000)).toEqual(pattern(3000));
      await part({ ...world, client: server }, ends);
    });
  });

  it('work in linux mode', async () => {
    await withPair(
      async (world) => {
        const ends = await join(world, 2);
        const bytes = pattern(300_000);
        const [there] = await Promise.all([
          ends.far.readExactly(bytes.length),
          ends.near.write(bytes),
        ]);
        expect(sha256(there)).toBe(sha256(bytes));
        await ends.near.drained();
        expect(await world.client.release(5n)).toBe(0);
        expect(await ends.far.readAll()).toHaveLength(0);
        expect(ends.far.inError).toBe(-errno.ENOTCONN);
        expect(await world.server.release(6n)).toBe(0);
        ends.near.free();
        ends.far.free();
      },
      { splice, mode: 'linux' },
    );
  });
});
