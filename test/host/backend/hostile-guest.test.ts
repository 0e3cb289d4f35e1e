/** Hostile use of the command ring and of events. hostile.ts says what is checked each time. */
import { describe, expect, it } from 'vitest';
import * as data from '../../../assembly/wire/data-ring.js';
import * as errno from '../../../assembly/wire/errno.js';
import { PAGE_SIZE } from '../../../assembly/wire/page.js';
import * as wire from '../../../assembly/wire/pvcalls.js';
import * as sring from '../../../assembly/wire/ring.js';
import { NodeSocketLayer } from '../../../host/backend/index.js';
import { pause, recover, turn, withHostile } from './hostile.js';
import { dial } from './servers.js';
import { TestRing } from './test-ring.js';
import { until } from './until.js';

const STORM_MS = 300;
/** 64 events for nothing are free; then 1, 2, 4 ... 64 ms apart. */
const STORM_EVENTS_MAX = 64 + 8 + STORM_MS / 64 + 8;

/** node:net, but for port 1, where nobody answers. */
class SilentLayer extends NodeSocketLayer {
  override connect(...args: Parameters<NodeSocketLayer['connect']>): () => void {
    return args[0].port === 1 ? () => undefined : super.connect(...args);
  }
}

describe('req_prod', () => {
  for (const jump of [33, 64, 0x7fffffff, 0x80000000, 0xffffffff]) {
    it(`that jumps by ${jump} fails the device, and it comes back`, async () => {
      await withHostile(async (world) => {
        const { guest, device } = world;
        expect(await guest.socket(1n)).toBe(0);
        guest.reqProd = (guest.reqProd + jump) >>> 0;
        Atomics.store(guest.words(guest.ringFrame), sring.REQ_PROD / 4, guest.reqProd | 0);
        guest.hypercalls.evtchn_send(guest.port);
        await recover(world);
        expect(device().faults).toEqual(['req_prod is further ahead than the command ring holds']);
      });
    });
  }

  it('that claims 32 old slots costs 32 answers and nothing else', async () => {
    await withHostile(async ({ guest, device }) => {
      guest.reqProd += 32;
      guest.push();
      await until(() => guest.answered.length === 32, 'answers');
      expect(device().sockets).toHaveLength(0);
      expect(device().faults).toEqual([]);
    });
  });

  it('beyond requests that wait fails the device: no response may overwrite them', async () => {
    await withHostile(async (world) => {
      const { guest } = world;
      expect([await guest.socket(1n), await guest.bind(1n, 0), await guest.listen(1n)]).toEqual([
        0, 0, 0,
      ]);
      for (let i = 0; i < 30; i++) guest.put(wire.PVCALLS_POLL, 1n);
      guest.push();
      await until(() => world.device().outstanding === 30, 'waiting');
      for (let i = 0; i < 3; i++) guest.put(wire.PVCALLS_SOCKET, 2n);
      guest.push();
      await recover(world);
    });
  });
});

describe('responses', () => {
  it('that are never consumed are overwritten: the guest’s own loss', async () => {
    await withHostile(async ({ guest, device }) => {
      guest.domain.events.off(guest.port);
      for (let round = 0; round < 50; round++) {
        for (let i = 0; i < 32; i++) guest.put(wire.PVCALLS_RELEASE, BigInt(i));
        Atomics.store(guest.words(guest.ringFrame), sring.REQ_PROD / 4, guest.reqProd | 0);
        guest.hypercalls.evtchn_send(guest.port);
        await until(() => device().commands.release?.count === (round + 1) * 32, 'answers');
      }
      expect(device().outstanding).toBe(0);
      expect(device().notifications.sent).toBeLessThan(3); // rsp_event never moved
    });
  });

  it('go where the backend’s own index says, whatever rsp_prod and the events say', async () => {
    await withHostile(async ({ guest }) => {
      const words = guest.words(guest.ringFrame);
      for (const lie of [7, 0x80000000, 0xffffffff]) {
        for (const field of [sring.RSP_PROD, sring.RSP_EVENT, sring.REQ_EVENT]) {
          Atomics.store(words, field / 4, lie | 0);
        }
        const reqId = guest.put(wire.PVCALLS_SOCKET, BigInt(lie));
        const slot =
          guest.ringFrame * PAGE_SIZE + sring.SRING_SLOTS + ((guest.reqProd - 1) & 31) * 64;
        Atomics.store(words, sring.REQ_PROD / 4, guest.reqProd | 0);
        guest.hypercalls.evtchn_send(guest.port);
        const rsp = () => Atomics.load(words, sring.RSP_PROD / 4) >>> 0;
        await until(() => rsp() === guest.reqProd, 'rsp_prod');
        const view = new DataView(guest.machine.memory.buffer, slot, 24);
        expect(view.getUint32(wire.RESPONSE_REQ_ID, true)).toBe(reqId);
        expect(view.getInt32(wire.RESPONSE_RET, true)).toBe(-errno.ENOTSUP);
      }
    });
  });
});

describe('a request', () => {
  it('is what it was when it was taken, whatever the guest writes afterwards', async () => {
    await withHostile(async ({ guest, device }) => {
      expect([await guest.socket(1n), await guest.bind(1n, 0), await guest.listen(1n)]).toEqual([
        0, 0, 0,
      ]);
      const poll = guest.call(wire.PVCALLS_POLL, 1n);
      await until(() => device().outstanding === 1, 'waiting');
      const slots = guest.ringFrame * PAGE_SIZE + sring.SRING_SLOTS;
      new Uint8Array(guest.machine.memory.buffer).fill(0xff, slots, slots + 32 * 64);
      const client = await dial(guest.boundPort(1n));
      expect(await poll).toEqual({ cmd: wire.PVCALLS_POLL, ret: 0, id: 1n });
      client.destroy();
    });
  });
});

describe('an event storm', () => {
  it('on the command ring is waited out, and the next request is answered', async () => {
    await withHostile(async ({ guest, device, storm, neighbour }) => {
      const sent = await storm(guest.port, STORM_MS);
      expect(sent).toBeGreaterThan(4 * STORM_EVENTS_MAX);
      expect(device().notifications.received).toBeLessThan(STORM_EVENTS_MAX);
      await neighbour.assertWell();
      const startMs = performance.now();
      expect(await guest.socket(1n)).toBe(0);
      expect(performance.now() - startMs).toBeLessThan(1000);
      for (let i = 0; i < 200; i++) expect(await guest.release(5n)).toBe(0); // and at full speed
      expect(performance.now() - startMs).toBeLessThan(2000);
    });
  });

  it('on a data ring is waited out, and the next bytes are carried', async () => {
    await withHostile(async ({ guest, device, storm, server, neighbour }) => {
      const ring = await guest.open(1n, server.port);
      const sent = await storm(ring.port, STORM_MS);
      expect(sent).toBeGreaterThan(4 * STORM_EVENTS_MAX);
      expect(device().sockets[0]!.ring!.notificationsReceived).toBeLessThan(STORM_EVENTS_MAX);
      await neighbour.assertWell();
      await ring.write(Buffer.from('after'));
      expect(String(await ring.readExactly(5))).toBe('after');
      expect(await guest.release(1n)).toBe(0);
      ring.free();
    });
  });

  it('with indices that go back and forth has no reason either', async () => {
    await withHostile(async ({ guest, device, server }) => {
      const ring = await guest.open(1n, server.port);
      await ring.write(Buffer.alloc(1000, 1));
      await until(() => ring.load(data.IN_PROD) === 1000, 'bytes');
      const endMs = performance.now() + STORM_MS;
      for (let i = 0; performance.now() < endMs; i++) {
        ring.store(data.IN_CONS, i % 2 === 0 ? 0 : 900);
        ring.notify();
        await turn();
      }
      const { notificationsReceived } = device().sockets[0]!.ring!;
      expect(notificationsReceived).toBeLessThan(STORM_EVENTS_MAX + 10);
      expect(await guest.release(1n)).toBe(0);
      ring.free();
    });
  });

  it('on a ring that is kept costs nothing', async () => {
    await withHostile(async ({ guest, machine, server, storm }) => {
      const ring = await guest.open(1n, server.port);
      expect(await guest.release(1n, 1)).toBe(0);
      const upcalls = () => machine.counters().spurious;
      const before = upcalls();
      await storm(ring.port, 50);
      expect(upcalls() - before).toBeLessThan(4);
      expect(await guest.socket(2n)).toBe(0);
      expect(await guest.connectTo(2n, ring, server.port)).toBe(0);
      await ring.write(Buffer.from('again'));
      expect(String(await ring.readExactly(5))).toBe('again');
      expect(await guest.release(2n)).toBe(0);
      ring.free();
    });
  });

  it('on a ring that still connects costs nothing', async () => {
    await withHostile(
      async ({ guest, machine, server, storm }) => {
        const ring = new TestRing(guest, 1);
        expect(await guest.socket(1n)).toBe(0);
        const connect = guest.connectTo(1n, ring, 1);
        const before = machine.counters().spurious;
        await storm(ring.port, 50);
        expect(machine.counters().spurious - before).toBeLessThan(4);
        expect(await guest.release(1n)).toBe(0);
        expect(await connect).toBe(-errno.ECONNABORTED);
        expect(await guest.socket(1n)).toBe(0);
        expect(await guest.connectTo(1n, ring, server.port)).toBe(0);
        expect(await guest.release(1n)).toBe(0);
        ring.free();
      },
      { layer: new SilentLayer() },
    );
  });

  it('leaves no port masked for the next socket', async () => {
    await withHostile(async ({ guest, storm, server }) => {
      for (let round = 0; round < 4; round++) {
        const ring = await guest.open(1n, server.port);
        await storm(ring.port, 30);
        expect(await guest.release(1n)).toBe(0); // while it is masked
        ring.free();
      }
      await pause(100);
      const rings: TestRing[] = [];
      for (let id = 1n; id < 40n; id++) {
        const ring = await guest.open(id, server.port);
        await ring.write(Buffer.from('x'));
        expect(await ring.readExactly(1)).toHaveLength(1);
        rings.push(ring);
      }
      for (let id = 1n; id < 40n; id++) expect(await guest.release(id)).toBe(0);
      for (const ring of rings) ring.free();
    });
  });
});
