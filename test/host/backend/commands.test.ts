/** SOCKET, CONNECT and RELEASE, and every way to get them wrong. Spec: pvcalls, by command. */
import { describe, expect, it } from 'vitest';
import * as errno from '../../../assembly/wire/errno.js';
import * as wire from '../../../assembly/wire/pvcalls.js';
import * as data from '../../../assembly/wire/data-ring.js';
import { echo, serve } from './servers.js';
import { idleStream, SlowLayer } from './slow-layer.js';
import { sockaddr, withGuest, TestGuest } from './test-guest.js';
import { TestRing } from './test-ring.js';
import { until } from './until.js';

async function connectWith(guest: TestGuest, ring: TestRing, addr: Uint8Array, len = 16) {
  const fields = { [wire.CONNECT_LEN]: len, [wire.CONNECT_REF]: ring.ref };
  Object.assign(fields, { [wire.CONNECT_EVTCHN]: ring.port });
  return (await guest.call(wire.PVCALLS_CONNECT, 1n, fields, addr)).ret;
}

describe('SOCKET', () => {
  it('refuses other families, types and protocols with ENOTSUP, and ids in use', async () => {
    await withGuest(async ({ guest }) => {
      expect(await guest.socket(1n, 10)).toBe(-errno.ENOTSUP);
      expect(await guest.socket(1n, 2, 2)).toBe(-errno.ENOTSUP);
      expect(await guest.socket(1n, 2, 1, 6)).toBe(-errno.ENOTSUP);
      expect(await guest.socket(1n)).toBe(0);
      expect(await guest.socket(1n)).toBe(-errno.EEXIST);
      expect(await guest.release(1n)).toBe(0);
      expect(await guest.socket(1n)).toBe(0);
    });
  });

  it('echoes id and cmd in full width, for unknown commands too', async () => {
    await withGuest(async ({ guest }) => {
      const id = 0xfedcba9876543210n;
      expect(await guest.call(7, id)).toEqual({ cmd: 7, ret: -errno.ENOTSUP, id });
      const cmd = 0xffffffff;
      expect(await guest.call(cmd, id)).toEqual({ cmd, ret: -errno.ENOTSUP, id });
      expect((await guest.call(wire.PVCALLS_POLL, id)).id).toBe(id);
    });
  });
});

describe('CONNECT', () => {
  it('answers ENOTSOCK for an unknown id and EISCONN for a connected one', async () => {
    await withGuest(async ({ guest }) => {
      await using server = await serve(echo);
      const ring = new TestRing(guest, 1);
      expect(await guest.connectTo(1n, ring, server.port)).toBe(-errno.ENOTSOCK);
      expect(await guest.socket(1n)).toBe(0);
      expect(await guest.connectTo(1n, ring, server.port)).toBe(0);
      expect(await guest.connectTo(1n, ring, server.port)).toBe(-errno.EISCONN);
      expect(await guest.release(1n)).toBe(0);
      ring.free();
    });
  });

  it('answers ECONNREFUSED by its number, and the socket may try again', async () => {
    await withGuest(async ({ guest }) => {
      const closed = await serve();
      await closed[Symbol.asyncDispose]();
      await using server = await serve(echo);
      const ring = new TestRing(guest, 1);
      expect(await guest.socket(1n)).toBe(0);
      expect(await guest.connectTo(1n, ring, closed.port)).toBe(-errno.ECONNREFUSED);
      expect(await guest.connectTo(1n, ring, server.port)).toBe(0);
      expect(await guest.release(1n)).toBe(0);
      ring.free();
    });
  });

  it('checks length and family of the address', async () => {
    await withGuest(async ({ guest }) => {
      const ring = new TestRing(guest, 1);
      expect(await guest.socket(1n)).toBe(0);
      const address = sockaddr('127.0.0.1', 1);
      for (const len of [0, 1, 7, 29, 0x80000000, 0xffffffff]) {
        expect(await connectWith(guest, ring, address, len)).toBe(-errno.EINVAL);
      }
      const other = sockaddr('127.0.0.1', 1, 10);
      expect(await connectWith(guest, ring, other)).toBe(-errno.EAFNOSUPPORT);
      ring.free();
    });
  });

  it('refuses rings that it cannot map, and leaves nothing mapped', async () => {
    await withGuest(async ({ guest, backend }) => {
      expect(await guest.socket(1n)).toBe(0);
      const attempt = async (spoil: (ring: TestRing) => object): Promise<number> => {
        const ring = new TestRing(guest, 2);
        const bad = { ref: ring.ref, port: ring.port, ...spoil(ring) } as TestRing;
        const ret = await guest.connectTo(1n, bad, 1);
        expect(backend.devices()[0]!.mappedPages).toBe(1);
        ring.free();
        return ret;
      };
      const order = (value: number) => (ring: TestRing) => {
        ring.store(data.V1_RING_ORDER, value);
        return {};
      };
      for (const value of [0, 10, 31, 32, 0xffffffff]) {
        expect(await attempt(order(value))).toBe(-errno.EINVAL);
      }
      expect(await attempt(() => ({ ref: 0xffffffff }))).toBe(-errno.EFAULT);
      expect(await attempt(() => ({ port: 0xffffffff }))).toBe(-errno.EFAULT);
      expect(await attempt(() => ({ port: 0 }))).toBe(-errno.EFAULT);
      const badRef = (ring: TestRing) => (ring.store(data.V1_REF + 12, 0x7fffffff), {});
      expect(await attempt(badRef)).toBe(-errno.EFAULT);
      const badIndex = (ring: TestRing) => (ring.store(data.IN_CONS, 1), {});
      expect(await attempt(badIndex)).toBe(-errno.EINVAL);
    });
  });

  it('stalls nothing else while it is slow', async () => {
    const layer = new SlowLayer();
    await withGuest(
      async ({ guest }) => {
        const ring = new TestRing(guest, 1);
        expect(await guest.socket(1n)).toBe(0);
        const slow = guest.connectTo(1n, ring, 80);
        expect(await guest.socket(2n)).toBe(0);
        expect(await guest.connectTo(1n, ring, 80)).toBe(-errno.EALREADY);
        layer.connects[0]!.done(-errno.ETIMEDOUT);
        expect(await slow).toBe(-errno.ETIMEDOUT);
        ring.free();
      },
      { layer },
    );
  });
});

describe('RELEASE', () => {
  it('answers 0 for an unknown id', async () => {
    await withGuest(async ({ guest }) => {
      expect(await guest.release(99n)).toBe(0);
    });
  });

  it('cancels a CONNECT, which is answered first', async () => {
    const layer = new SlowLayer();
    await withGuest(
      async ({ guest }) => {
        const ring = new TestRing(guest, 1);
        expect(await guest.socket(1n)).toBe(0);
        const connect = guest.connectTo(1n, ring, 80);
        const release = guest.release(1n);
        expect(await connect).toBe(-errno.ECONNABORTED);
        expect(await release).toBe(0);
        const [first, second] = guest.answered.slice(-2);
        expect(first).toBeLessThan(second!);
        expect(layer.connects[0]!.cancelled).toBe(true);
        layer.connects[0]!.done(idleStream); // too late: nobody minds
        ring.free();
      },
      { layer },
    );
  });

  it('cancels a BIND, which is answered first', async () => {
    const layer = new SlowLayer();
    await withGuest(
      async ({ guest }) => {
        expect(await guest.socket(1n)).toBe(0);
        const bind = guest.bind(1n, 80);
        const release = guest.release(1n);
        expect(await Promise.all([bind, release])).toEqual([-errno.ECONNABORTED, 0]);
        expect(layer.binds[0]!.cancelled).toBe(true);
      },
      { layer },
    );
  });

  it('keeps the mapping when asked to reuse it, and takes it again for the same ref', async () => {
    await withGuest(async ({ guest, backend }) => {
      await using server = await serve(echo);
      const ring = await guest.open(1n, server.port, 1);
      await ring.write(Buffer.from('one'));
      expect(String(await ring.readExactly(3))).toBe('one');
      expect(await guest.release(1n, 1)).toBe(0);
      expect(backend.devices()[0]!.mappedPages).toBe(4);
      expect(await guest.socket(2n)).toBe(0);
      expect(await guest.connectTo(2n, ring, server.port)).toBe(0);
      expect(backend.devices()[0]!.mappedPages).toBe(4);
      await ring.write(Buffer.from('two'));
      expect(String(await ring.readExactly(3))).toBe('two');
      expect(await guest.release(2n)).toBe(0);
      ring.free();
    });
  });

  it('drops a kept mapping when its ref comes back with another port', async () => {
    await withGuest(async ({ guest, backend }) => {
      await using server = await serve(echo);
      const ring = await guest.open(1n, server.port, 1);
      expect(await guest.release(1n, 1)).toBe(0);
      const port = guest.hypercalls.evtchn_alloc_unbound(0);
      expect(await guest.socket(2n)).toBe(0);
      const again = Object.create(ring, { port: { value: port } }) as TestRing;
      again.listen();
      expect(await guest.connectTo(2n, again, server.port)).toBe(0);
      expect(backend.devices()[0]!.mappedPages).toBe(4);
      await again.write(Buffer.from('two'));
      expect(String(await again.readExactly(3))).toBe('two');
      expect(await guest.release(2n)).toBe(0);
      guest.domain.events.off(port);
      guest.hypercalls.evtchn_close(port);
      ring.free();
    });
  });

  it('unmaps at once when told not to keep', async () => {
    await withGuest(
      async ({ guest }) => {
        await using server = await serve(echo);
        const ring = await guest.open(1n, server.port, 1);
        expect(await guest.release(1n, 1)).toBe(0);
        ring.free();
      },
      { keepReused: false },
    );
  });

  it('frees what was kept when the device closes', async () => {
    let ring: TestRing | undefined;
    await withGuest(async ({ guest }) => {
      await using server = await serve(echo);
      ring = await guest.open(1n, server.port, 1);
      expect(await guest.release(1n, 1)).toBe(0);
      await guest.close();
      ring.free();
    });
  });
});

describe('the command ring', () => {
  it('carries more requests than it has slots, across the end of its indices', async () => {
    await withGuest(async ({ guest, backend }) => {
      await guest.close();
      guest.setState(1);
      await guest.connect({ version: '1' }, 0xfffffff0);
      for (let round = 0; round < 3; round++) {
        const ids = Array.from({ length: 32 }, (_, i) => BigInt(i));
        const answers = ids.map((id) => guest.answer(guest.put(wire.PVCALLS_RELEASE, id)));
        guest.push();
        const responses = await Promise.all(answers);
        expect(responses.map(({ ret, id }) => [ret, id])).toEqual(ids.map((id) => [0, id]));
      }
      const { commands, notifications } = backend.devices()[0]!;
      expect(commands.release?.count).toBe(96);
      expect(notifications.sent).toBeLessThan(10);
    });
  });

  it('that claims too many requests closes its device and no other', async () => {
    await withGuest(async ({ guest, machine, backend }) => {
      const faults: string[] = [];
      backend.on('fault', ({ reason }) => faults.push(reason));
      const other = new TestGuest(machine, backend, 64);
      await other.connect();
      guest.reqProd += 33;
      guest.push();
      await guest.backendReaches(5);
      await until(() => faults.length === 1, 'one fault');
      expect(guest.unpublish()).toBe(0);
      guest.setState(6);
      await guest.backendReaches(6);
      expect(await other.socket(1n)).toBe(0);
      await other.close();
      other.store.close();
      expect(faults).toHaveLength(1);
    });
  });
});
