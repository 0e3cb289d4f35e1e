/** Hostile requests: floods, ids, addresses, order. hostile.ts says what is checked each time. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import * as errno from '../../../assembly/wire/errno.js';
import * as wire from '../../../assembly/wire/pvcalls.js';
import { recover, turn, withHostile, type HostileWorld } from './hostile.js';
import { serve } from './servers.js';
import { sockaddr, type Fields, type TestGuest } from './test-guest.js';
import { TestRing } from './test-ring.js';
import { until } from './until.js';

const FLOOD = process.env['PVCALLS_LONG'] ? 1_000_000 : 100_000;
const FLOOD_TIMEOUT_MS = process.env['PVCALLS_LONG'] ? 300_000 : 60_000;
const HEAP_GROWTH_MAX = 4 << 20;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

function heapUsed(): number {
  collect();
  return process.memoryUsage().heapUsed;
}

interface Flood {
  readonly cmd: number;
  readonly id: (n: number) => bigint;
  readonly fields?: (n: number) => Fields;
  readonly addr?: Uint8Array;
}

/** Sends `count` requests, 32 at a time. Result: the answers, by errno. */
async function flood(guest: TestGuest, count: number, what: Flood): Promise<Map<number, number>> {
  const rets = new Map<number, number>();
  const counting = ({ ret }: { ret: number }) => rets.set(ret, (rets.get(ret) ?? 0) + 1);
  for (let sent = 0; sent < count;) {
    let last: Promise<unknown> = Promise.resolve();
    for (let i = 0; i < 32 && sent < count; i++, sent++) {
      const { cmd, id, fields, addr } = what;
      last = guest.answer(guest.put(cmd, id(sent), fields?.(sent), addr)).then(counting);
    }
    guest.push();
    await last;
    await turn();
  }
  await until(() => [...rets.values()].reduce((sum, n) => sum + n, 0) === count, 'all answers');
  return rets;
}

const unknown = (n: number): bigint => 1_000_000n + BigInt(n);

describe('a flood', () => {
  const local = sockaddr('127.0.0.1', 1);
  const addressed: Fields = { [wire.CONNECT_LEN]: 16 };
  const cases: [string, Flood, number][] = [
    ['CONNECT of unknown ids', { cmd: 1, id: unknown, fields: () => addressed, addr: local }, -88],
    ['RELEASE of unknown ids', { cmd: 2, id: unknown }, 0],
    ['BIND of unknown ids', { cmd: 3, id: unknown, fields: () => addressed, addr: local }, -88],
    ['LISTEN of unknown ids', { cmd: 4, id: unknown }, -88],
    ['ACCEPT of unknown ids', { cmd: 5, id: unknown }, -88],
    ['POLL of unknown ids', { cmd: 6, id: unknown }, -88],
    ['SOCKET of one id', { cmd: 0, id: () => 1n, fields: () => socketFields }, -errno.EEXIST],
    ['commands that do not exist', { cmd: 4711, id: unknown }, -errno.ENOTSUP],
  ];
  const socketFields: Fields = { [wire.SOCKET_DOMAIN]: 2, [wire.SOCKET_TYPE]: 1 };

  it(
    `of ${FLOOD} requests of every kind holds no memory, and the neighbour is served`,
    { timeout: FLOOD_TIMEOUT_MS },
    async () => {
      await withHostile(async ({ guest, device, neighbour }) => {
        expect(await guest.socket(1n)).toBe(0);
        const before = heapUsed();
        for (const [what, request, ret] of cases) {
          const share = Math.ceil(FLOOD / cases.length);
          const flooding = flood(guest, share, request);
          await neighbour.assertWell(); // in the middle of it
          expect([what, ...(await flooding)]).toEqual([what, [ret, share]]);
          guest.answered.length = 0;
        }
        expect(heapUsed() - before).toBeLessThan(HEAP_GROWTH_MAX);
        expect(device().sockets).toHaveLength(1);
        expect(device().mappedPages).toBe(1);
      });
    },
  );

  it('of SOCKET and RELEASE, each id new, holds no memory', async () => {
    await withHostile(async ({ guest, device }) => {
      const before = heapUsed();
      const pair = (n: number) => BigInt(n >>> 1) << 40n;
      for (let round = 0; round < 10; round++) {
        for (let n = 0; n < 2000; n++) {
          guest.put(n % 2 === 0 ? 0 : 2, pair(n), n % 2 === 0 ? socketFields : {});
          if (n % 32 !== 31 && n !== 1999) continue;
          const last = guest.answered.length + 1;
          guest.push();
          while (guest.answered.length < last) await turn();
        }
        guest.answered.length = 0;
      }
      await until(() => device().sockets.length === 0, 'all released');
      expect(heapUsed() - before).toBeLessThan(HEAP_GROWTH_MAX);
    });
  });

  it('of sockets stops at the quota with EMFILE; the neighbour still gets one', async () => {
    await withHostile(
      async ({ guest, neighbour }) => {
        const rets = await flood(guest, 500, { cmd: 0, id: unknown, fields: () => socketFields });
        expect([...rets]).toEqual([
          [0, 100],
          [-errno.EMFILE, 400],
        ]);
        await neighbour.assertWell();
        expect(await guest.release(unknown(0))).toBe(0);
        expect(await guest.socket(unknown(0))).toBe(0);
      },
      { quotas: { sockets: 100 } },
    );
  });

  it('of listeners and of requests that wait stops at the quotas', async () => {
    await withHostile(
      async ({ guest, device }) => {
        const rets: number[] = [];
        for (let id = 1n; id <= 6n; id++) {
          rets.push((await guest.socket(id)) || (await guest.bind(id, 0)));
        }
        expect(rets).toEqual([0, 0, 0, 0, -errno.EMFILE, -errno.EMFILE]);
        for (let id = 1n; id <= 4n; id++) expect(await guest.listen(id, 0xffffffff)).toBe(0);
        const polls = [];
        for (let n = 0; n < 12; n++) polls.push(guest.poll(BigInt(1 + (n % 4))));
        await until(() => device().outstanding === 8, 'eight wait');
        const refused = await Promise.all(polls.slice(8));
        expect(refused).toEqual(new Array(4).fill(-errno.ENOBUFS));
        for (let id = 1n; id <= 4n; id++) expect(await guest.release(id)).toBe(0);
        expect(await Promise.all(polls.slice(0, 8))).toEqual(new Array(8).fill(-errno.EBADF));
        expect(await guest.socket(9n)).toBe(0); // and all of it is free again
        expect([await guest.bind(9n, 0), await guest.listen(9n)]).toEqual([0, 0]);
        const again = guest.poll(9n);
        expect(await guest.release(9n)).toBe(0);
        expect(await again).toBe(-errno.EBADF);
      },
      { quotas: { passiveSockets: 4, waiting: 8 } },
    );
  });

  it('of CONNECT and RELEASE at once leaves no connection behind', async () => {
    await withHostile(async ({ guest, server, device }) => {
      const ring = new TestRing(guest, 1);
      for (let round = 0; round < 200; round++) {
        expect(await guest.socket(1n)).toBe(0);
        const rets = [guest.connectTo(1n, ring, server.port), guest.release(1n)];
        expect(await Promise.all(rets)).toEqual([-errno.ECONNABORTED, 0]);
      }
      expect(device().mappedPages).toBe(1);
      ring.free();
    });
  });

  it('of BIND and RELEASE at once leaves no listener behind', async () => {
    await withHostile(async ({ guest }) => {
      for (let round = 0; round < 200; round++) {
        expect(await guest.socket(1n)).toBe(0);
        expect(await Promise.all([guest.bind(1n, 0), guest.release(1n)])).toEqual([
          -errno.ECONNABORTED,
          0,
        ]);
      }
    });
  });

  it('of RELEASE with reuse keeps no more rings than sockets are allowed', async () => {
    await withHostile(
      async ({ guest, machine, server, device }) => {
        const rings: TestRing[] = [];
        const ports = machine.domain(0).ports().length;
        for (let round = 0; round < 30; round++) {
          rings.push(await guest.open(1n, server.port));
          expect(await guest.release(1n, 1)).toBe(0);
        }
        expect(device().mappedPages).toBe(1 + 8 * 3);
        expect(machine.domain(0).ports().length).toBe(ports + 8);
        const [oldest, newest] = [rings[0]!, rings[29]!];
        for (const ring of [newest, oldest]) {
          expect(await guest.socket(1n)).toBe(0);
          expect(await guest.connectTo(1n, ring, server.port)).toBe(0); // kept or mapped anew
          expect(await guest.release(1n)).toBe(0);
        }
        await guest.close();
        for (const ring of rings) ring.free();
      },
      { quotas: { sockets: 8 } },
    );
  });
});

describe('ids', () => {
  it('that are used twice are refused, whatever the first socket does', async () => {
    await withHostile(async ({ guest, server }) => {
      const rings = [new TestRing(guest, 1), new TestRing(guest, 1)] as const;
      for (const id of [0n, 1n, 0x8000000000000000n, 0xffffffffffffffffn]) {
        expect(await guest.socket(id)).toBe(0);
        expect(await guest.socket(id)).toBe(-errno.EEXIST);
        expect(await guest.connectTo(id, rings[0], server.port)).toBe(0);
        expect(await guest.socket(id)).toBe(-errno.EEXIST);
        expect(await guest.connectTo(id, rings[1], server.port)).toBe(-errno.EISCONN);
        expect(await guest.bind(id, 0)).toBe(-errno.EINVAL);
        expect(await guest.release(id)).toBe(0);
        expect(await guest.release(id)).toBe(0);
        rings[0].events = 0;
      }
      for (const ring of rings) ring.free();
    });
  });

  it('of the neighbour mean nothing here', async () => {
    await withHostile(async ({ guest, server }) => {
      const ring = new TestRing(guest, 1);
      expect(await guest.connectTo(1n, ring, server.port)).toBe(-errno.ENOTSOCK); // it has a 1
      expect(await guest.release(1n)).toBe(0);
      ring.free();
    });
  });

  it('that ACCEPT gives to its own listener, or to two connections, are refused', async () => {
    await withHostile(async ({ guest }) => {
      const rets = [await guest.socket(1n), await guest.bind(1n, 0), await guest.listen(1n)];
      expect(rets).toEqual([0, 0, 0]);
      const port = guest.boundPort(1n);
      const rings = [1, 2, 3].map(() => new TestRing(guest, 1));
      expect(await guest.accept(1n, 1n, rings[0]!)).toBe(-errno.EEXIST);
      const accepts = [guest.accept(1n, 5n, rings[0]!), guest.accept(1n, 5n, rings[1]!)];
      expect([await guest.socket(6n), await guest.connectTo(6n, rings[2]!, port)]).toEqual([0, 0]);
      expect(await accepts[0]).toBe(0);
      const again = new TestRing(guest, 1);
      expect([await guest.socket(7n), await guest.connectTo(7n, again, port)]).toEqual([0, 0]);
      expect(await accepts[1]).toBe(-errno.EEXIST);
      for (const id of [5n, 6n, 7n, 1n]) expect(await guest.release(id)).toBe(0);
      for (const ring of [...rings, again]) ring.free();
    });
  });
});

describe('an address', () => {
  const inet = sockaddr('127.0.0.1', 1);
  const family = (value: number) => sockaddr('127.0.0.1', 1, value);
  const cases: [string, number, Uint8Array, number][] = [
    ['of no length', 0, inet, -errno.EINVAL],
    ['of one byte', 1, inet, -errno.EINVAL],
    ['of its family alone', 2, inet, -errno.EINVAL],
    ['of another family alone', 2, family(1), -errno.EAFNOSUPPORT],
    ['one byte short', 7, inet, -errno.EINVAL],
    ['of all 28 bytes', 28, inet, -errno.ECONNREFUSED],
    ['of 29 bytes', 29, inet, -errno.EINVAL],
    ['of 2^32 - 1 bytes', 0xffffffff, inet, -errno.EINVAL],
    ['of family 0', 16, family(0), -errno.EAFNOSUPPORT],
    ['of family AF_INET6', 28, family(10), -errno.EAFNOSUPPORT],
    ['of a family in the wrong order', 16, family(0x0200), -errno.EAFNOSUPPORT],
    ['of family 65535', 16, family(0xffff), -errno.EAFNOSUPPORT],
  ];
  it.each(cases)('%s is answered, and nothing stays mapped', async (_, len, addr, ret) => {
    await withHostile(async ({ guest, device }) => {
      const ring = new TestRing(guest, 1);
      expect(await guest.socket(1n)).toBe(0);
      const fields = { [wire.CONNECT_LEN]: len, [wire.CONNECT_REF]: ring.ref };
      Object.assign(fields, { [wire.CONNECT_EVTCHN]: ring.port });
      expect((await guest.call(wire.PVCALLS_CONNECT, 1n, fields, addr)).ret).toBe(ret);
      expect(device().mappedPages).toBe(1);
      const bound = (await guest.call(wire.PVCALLS_BIND, 1n, { [wire.BIND_LEN]: len }, addr)).ret;
      if (ret !== -errno.ECONNREFUSED) expect(bound).toBe(ret);
      ring.free();
    });
  });
});

describe('commands', () => {
  it('by numbers that do not exist are answered, in full width', async () => {
    await withHostile(async ({ guest }) => {
      for (const cmd of [7, 8, 255, 256, 0x80000000, 0xffffffff]) {
        const id = 0x123456789abcdefn;
        expect(await guest.call(cmd, id)).toEqual({ cmd, ret: -errno.ENOTSUP, id });
      }
    });
  });

  it('out of order are told so, on a socket of every state', async () => {
    await withHostile(async ({ guest, server }) => {
      const ring = new TestRing(guest, 1);
      const spare = new TestRing(guest, 1);
      const all = async (id: bigint) => [
        await guest.listen(id),
        await guest.accept(id, 50n, spare),
        await guest.poll(id),
      ];
      expect(await all(1n)).toEqual([-errno.ENOTSOCK, -errno.ENOTSOCK, -errno.ENOTSOCK]);
      expect(await guest.socket(1n)).toBe(0);
      expect(await all(1n)).toEqual([-errno.EDESTADDRREQ, -errno.EINVAL, -errno.EINVAL]);
      expect(await guest.connectTo(1n, ring, server.port)).toBe(0);
      expect(await all(1n)).toEqual([-errno.EINVAL, -errno.EOPNOTSUPP, -errno.EOPNOTSUPP]);
      expect(await guest.socket(2n)).toBe(0);
      expect(await guest.bind(2n, 0)).toBe(0);
      expect(await guest.connectTo(2n, spare, server.port)).toBe(-errno.EOPNOTSUPP);
      expect(await guest.accept(2n, 50n, spare)).toBe(-errno.EINVAL);
      for (const id of [1n, 2n]) expect(await guest.release(id)).toBe(0);
      for (const used of [ring, spare]) used.free();
    });
  });

  it('after the ring was closed are not looked at', async () => {
    await withHostile(async (world: HostileWorld) => {
      const { guest, device } = world;
      guest.setState(5);
      await guest.backendReaches(5);
      guest.put(wire.PVCALLS_SOCKET, 1n);
      guest.push();
      guest.hypercalls.evtchn_send(guest.port);
      await turn();
      await turn();
      expect(guest.answered).toHaveLength(0);
      expect(device().mappedPages).toBe(0);
      await recover(world);
    });
  });

  it('that need a port get ENFILE when the backend has none left', async () => {
    await withHostile(async ({ guest, machine, server }) => {
      const { hypercalls } = machine.domain(0);
      const taken: number[] = [];
      for (let port = 1; port > 0;) {
        port = hypercalls.evtchn_alloc_unbound(0) | 0;
        if (port > 0) taken.push(port);
      }
      const ring = new TestRing(guest, 1);
      expect(await guest.socket(1n)).toBe(0);
      expect(await guest.connectTo(1n, ring, server.port)).toBe(-errno.ENFILE);
      for (const port of taken) hypercalls.evtchn_close(port);
      expect(await guest.connectTo(1n, ring, server.port)).toBe(0);
      expect(await guest.release(1n)).toBe(0);
      ring.free();
    });
  });
});

describe('an end of the other side', () => {
  it('floods nothing: 100 connections that are reset at once, each answered', async () => {
    await withHostile(async ({ guest }) => {
      await using server = await serve((socket) => socket.resetAndDestroy());
      const ring = new TestRing(guest, 1);
      for (let round = 0; round < 100; round++) {
        expect(await guest.socket(1n)).toBe(0);
        const ret = await guest.connectTo(1n, ring, server.port);
        expect([0, -errno.ECONNRESET]).toContain(ret);
        expect(await guest.release(1n)).toBe(0);
      }
      ring.free();
    });
  });
});
