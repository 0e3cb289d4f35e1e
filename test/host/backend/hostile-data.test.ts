/** Hostile data rings: references, orders, indices, grants. hostile.ts says what is checked. */
import { describe, expect, it } from 'vitest';
import * as data from '../../../assembly/wire/data-ring.js';
import * as errno from '../../../assembly/wire/errno.js';
import { pause, recover, turn, withHostile, type HostileWorld } from './hostile.js';
import { pattern } from './servers.js';
import { TestRing } from './test-ring.js';
import { until } from './until.js';

const ORDER = data.V1_RING_ORDER;
const REF = data.V1_REF;
const HELD_MS = 20;

/** What CONNECT answers to this ring; nothing is mapped afterwards when it fails. */
async function offer(world: HostileWorld, ring: TestRing, lies: object = {}): Promise<number> {
  const { guest, server, device } = world;
  const socket = await guest.socket(1n);
  if (socket !== 0) return socket;
  const offered = { ref: ring.ref, port: ring.port, ...lies } as TestRing;
  const ret = await guest.connectTo(1n, offered, server.port);
  if (ret !== 0) expect(device().mappedPages).toBe(1);
  expect(await guest.release(1n)).toBe(0);
  expect(device().mappedPages).toBe(1);
  return ret;
}

describe('ring_order', () => {
  for (const order of [0, 10, 11, 31, 32, 0x80000000, 0xffffffff, 0xdeadbeef]) {
    it(`${order} is refused`, async () => {
      await withHostile(async (world) => {
        const ring = new TestRing(world.guest, 2);
        ring.store(ORDER, order);
        expect(await offer(world, ring)).toBe(-errno.EINVAL);
        ring.free();
      });
    });
  }

  it('9 with the references of order 2 is refused, and all of it let go', async () => {
    await withHostile(async (world) => {
      const ring = new TestRing(world.guest, 2);
      ring.store(ORDER, 9);
      expect(await offer(world, ring)).toBe(-errno.EFAULT);
      ring.free();
    });
  });

  it('that changes after setup means nothing, nor do the references', async () => {
    await withHostile(async ({ guest, server }) => {
      const ring = await guest.open(1n, server.port, 2);
      for (const lie of [0, 9, 10, 0xffffffff]) {
        ring.store(ORDER, lie);
        for (let i = 0; i < 512; i++) ring.store(REF + 4 * i, lie + i);
        const bytes = pattern(20_000);
        const [back] = await Promise.all([ring.readExactly(bytes.length), ring.write(bytes)]);
        expect(back.equals(bytes)).toBe(true);
      }
      expect(await guest.release(1n)).toBe(0);
      ring.free(); // every page was unmapped, by what was true at setup
    });
  });
});

describe('a reference', () => {
  it('that is none, in the request or at any place of the list, is refused', async () => {
    await withHostile(async (world) => {
      const { guest } = world;
      for (const bad of [0, 7, 4000, 0x7fffffff, 0x80000000, 0xffffffff]) {
        const ring = new TestRing(guest, 2);
        expect(await offer(world, ring, { ref: bad })).toBe(-errno.EFAULT);
        for (const place of [0, 1, 3]) {
          const good = ring.load(REF + 4 * place);
          ring.store(REF + 4 * place, bad);
          expect(await offer(world, ring)).toBe(-errno.EFAULT);
          ring.store(REF + 4 * place, good);
        }
        expect(await offer(world, ring)).toBe(0);
        ring.free();
      }
    });
  });

  it('of the neighbour’s is refused: grants are looked up in the guest’s own table', async () => {
    await withHostile(async (world) => {
      const { guest, neighbour } = world;
      const theirs = neighbour.guest;
      const ring = new TestRing(guest, 1);
      const mine = new Set(guest.domain.grants().map(({ ref }) => ref));
      const refs = theirs.domain.grants().map(({ ref }) => ref);
      for (const ref of refs.filter((candidate) => !mine.has(candidate))) {
        expect(await offer(world, ring, { ref })).toBe(-errno.EFAULT);
      }
      ring.free();
    });
  });

  it('to another domain, or for reading only, is refused', async () => {
    await withHostile(async (world) => {
      const { guest, neighbour } = world;
      const ring = new TestRing(guest, 1);
      const frame = ring.frames[0]!;
      for (const [remote, readonly] of [
        [neighbour.guest.domain.domid, 0],
        [0, 1],
      ] as const) {
        const ref = guest.hypercalls.gnttab_grant_access(remote, frame, readonly);
        ring.store(REF, ref);
        expect(await offer(world, ring)).toBe(-errno.EFAULT);
        expect(guest.hypercalls.gnttab_end_access(ref)).toBe(0);
      }
      ring.free();
    });
  });

  it('that is there twice makes in and out one: the guest’s own muddle', async () => {
    await withHostile(async ({ guest, server }) => {
      const ring = new TestRing(guest, 1);
      ring.store(REF + 4, ring.refs[0]!);
      expect(await guest.socket(1n)).toBe(0);
      expect(await guest.connectTo(1n, ring, server.port)).toBe(0);
      ring.store(data.OUT_PROD, 4096);
      ring.notify();
      await until(() => ring.load(data.IN_PROD) === 4096, 'an echo of something');
      ring.store(data.IN_CONS, 4096);
      expect(await guest.release(1n)).toBe(0);
      ring.free();
    });
  });

  it('of the indexes page writes over its own indices', async () => {
    await withHostile(async ({ guest, server }) => {
      const ring = new TestRing(guest, 1);
      ring.store(REF, ring.ref); // `in` is the indexes page
      expect(await guest.socket(1n)).toBe(0);
      expect(await guest.connectTo(1n, ring, server.port)).toBe(0);
      server.sockets.at(-1)!.write(Buffer.alloc(4096, 0xff));
      await until(() => ring.load(data.OUT_ERROR) !== 0, 'garbage');
      ring.notify();
      await pause(HELD_MS);
      expect(await guest.release(1n)).toBe(0);
      ring.free();
    });
  });

  it('of the command ring costs the device, and it comes back', async () => {
    await withHostile(async (world) => {
      const { guest, server } = world;
      const ring = new TestRing(guest, 1);
      ring.store(REF, guest.ringRef); // `in` is the command ring
      expect(await guest.socket(1n)).toBe(0);
      expect(await guest.connectTo(1n, ring, server.port)).toBe(0);
      server.sockets.at(-1)!.write(Buffer.alloc(4096, 0xff));
      await until(() => ring.load(data.IN_PROD) > 0, 'bytes');
      guest.hypercalls.evtchn_send(guest.port);
      await recover(world);
      ring.free();
    });
  });

  it('and port of a ring in use make no second socket of it', async () => {
    await withHostile(async ({ guest, server }) => {
      const ring = await guest.open(1n, server.port);
      expect(await guest.socket(2n)).toBe(0);
      expect(await guest.connectTo(2n, ring, server.port)).toBe(-errno.EFAULT);
      await ring.write(Buffer.from('still'));
      expect(String(await ring.readExactly(5))).toBe('still');
      for (const id of [1n, 2n]) expect(await guest.release(id)).toBe(0);
      ring.free();
    });
  });

  it('of more pages than the quota is refused with ENOBUFS, and all of it let go', async () => {
    await withHostile(
      async (world) => {
        const ring = new TestRing(world.guest, 4);
        expect(await offer(world, ring)).toBe(-errno.ENOBUFS);
        ring.free();
        const small = new TestRing(world.guest, 2);
        expect(await offer(world, small)).toBe(0);
        small.free();
      },
      { quotas: { mappedPages: 12 } },
    );
  });
});

describe('a port', () => {
  it('that is none, is taken, or is the neighbour’s is refused', async () => {
    await withHostile(async (world) => {
      const { guest, neighbour } = world;
      const ring = new TestRing(guest, 1);
      const mine = new Set(guest.domain.ports().map(({ port }) => port));
      const theirs = neighbour.guest.domain.ports().map(({ port }) => port);
      const foreign = theirs.filter((port) => !mine.has(port));
      for (const port of [0, 4095, 4096, 0xffffffff, guest.port, ...foreign]) {
        expect(await offer(world, ring, { port })).toBe(-errno.EFAULT);
      }
      expect(await offer(world, ring)).toBe(0);
      ring.free();
    });
  });

  it('that the guest closes silences its own ring and no other', async () => {
    await withHostile(async ({ guest, server }) => {
      const ring = await guest.open(1n, server.port);
      guest.domain.events.off(ring.port);
      guest.hypercalls.evtchn_close(ring.port);
      server.sockets.at(-1)!.write('nobody is told');
      await until(() => ring.load(data.IN_PROD) === 14, 'bytes');
      expect(await guest.release(1n)).toBe(0);
      expect(() => ring.free()).not.toThrow();
    });
  });
});

describe('indices', () => {
  const lies: [string, keyof typeof data, (ring: TestRing, now: number) => number][] = [
    ['out_prod one byte too far', 'OUT_PROD', (ring, now) => now + ring.size + 1],
    ['out_prod half the range ahead', 'OUT_PROD', (_, now) => now + 0x80000000],
    ['out_prod backwards', 'OUT_PROD', (_, now) => now - 1],
    ['in_cons two rings ahead of in_prod', 'IN_CONS', (ring, now) => now + 2 * ring.size],
    ['in_cons half the range ahead', 'IN_CONS', (_, now) => now + 0x80000000],
    ['in_cons a ring and a byte behind', 'IN_CONS', (ring, now) => now - ring.size - 1],
  ];
  for (const [what, field, lie] of lies) {
    it(`that lie, ${what}: EIO both ways, a reset, one fault`, async () => {
      await withHostile(async ({ guest, server, device }) => {
        const ring = await guest.open(1n, server.port);
        await ring.write(Buffer.from('honest'));
        expect(String(await ring.readExactly(6))).toBe('honest');
        ring.store(data[field] as number, lie(ring, 6));
        ring.notify();
        server.sockets.at(-1)!.write('x'.repeat(8192)); // makes it look at in_cons
        await until(() => ring.inError !== 0, 'in_error');
        expect([ring.inError, ring.outError]).toEqual([-errno.EIO, -errno.EIO]);
        expect(device().faults).toHaveLength(1);
        const left = ring.load(data.IN_PROD);
        ring.store(data.IN_CONS, left);
        ring.store(data.OUT_PROD, 6);
        ring.notify();
        await pause(HELD_MS);
        expect(ring.load(data.IN_PROD)).toBe(left); // it stays dead
        expect(await guest.release(1n)).toBe(0);
        ring.free();
      });
    });
  }

  it('that cannot be those of this ring are refused at setup', async () => {
    await withHostile(async (world) => {
      for (const field of [data.IN_CONS, data.IN_PROD, data.OUT_CONS, data.OUT_PROD]) {
        for (const value of [4097, 0x80000000]) {
          const ring = new TestRing(world.guest, 1);
          ring.store(field, value);
          expect(await offer(world, ring)).toBe(-errno.EINVAL);
          ring.free();
        }
      }
    });
  });

  it('of 100 sockets that lie fill no log: the first 32 faults are told', async () => {
    await withHostile(async ({ guest, server, device, backend }) => {
      const told: string[] = [];
      backend.on('fault', ({ reason }) => told.push(reason));
      const ring = new TestRing(guest, 1);
      for (let round = 0; round < 100; round++) {
        for (const offset of [0, 4, 8, 64, 68, 72]) ring.store(offset, 0);
        expect(await guest.socket(1n)).toBe(0);
        expect(await guest.connectTo(1n, ring, server.port)).toBe(0);
        ring.store(data.OUT_PROD, 0x80000000);
        ring.notify();
        await until(() => ring.inError !== 0, 'in_error');
        expect(await guest.release(1n)).toBe(0);
      }
      expect(told).toHaveLength(32);
      expect(told[31]).toContain('more of this device are not reported');
      expect(device().faults).toEqual(told);
      ring.free();
    });
  });
});

describe('grants', () => {
  it('cannot be ended under our feet: Xen says EBUSY, and bytes still flow', async () => {
    await withHostile(async ({ guest, server }) => {
      const ring = await guest.open(1n, server.port, 2);
      for (const ref of [ring.ref, ...ring.refs, guest.ringRef]) {
        expect(guest.hypercalls.gnttab_end_access(ref)).toBe(-errno.EBUSY);
      }
      await ring.write(Buffer.from('flows'));
      expect(String(await ring.readExactly(5))).toBe('flows');
      expect(await guest.release(1n)).toBe(0);
      ring.free();
    });
  });

  it('that were ended before CONNECT are refused', async () => {
    await withHostile(async (world) => {
      const { guest } = world;
      const ring = new TestRing(guest, 1);
      expect(guest.hypercalls.gnttab_end_access(ring.refs[1]!)).toBe(0);
      expect(await offer(world, ring)).toBe(-errno.EFAULT);
      ring.refs[1] = guest.hypercalls.gnttab_grant_access(0, ring.frames[1]!, 0);
      ring.free();
    });
  });

  it('of a guest that dies with everything open end with the backend’s mappings', async () => {
    await withHostile(async ({ guest, server, machine, device }) => {
      const ring = await guest.open(1n, server.port, 2);
      void ring.write(pattern(100_000)).catch(() => undefined);
      await turn();
      guest.store.close();
      guest.domain.destroy();
      server.sockets.at(-1)!.write('to nobody');
      await turn();
      machine.store.connect(0).rm(guest.backendPath);
      await until(() => device() === undefined, 'the device is gone');
    });
  });
});
