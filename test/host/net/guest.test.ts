import { describe, expect, it } from 'vitest';
import { createGuest, type SocketLayer } from '../../../host/index.js';
import { freePort, inWorld } from './world.js';

const HOST = '127.0.0.1';

/** Never answers. */
const silentLayer: SocketLayer = {
  connect: () => () => undefined,
  bind: () => () => undefined,
};

describe('a guest', () => {
  it('is connected when createGuest resolves, and closes as often as it is asked to', () =>
    inWorld(async ({ guest }) => {
      const one = await guest();
      expect(one.state).toBe('connected');
      await Promise.all([one.close(), one.close()]);
      expect(one.state).toBe('closed');
    }));

  it('gives up waiting for a backend when the signal says so, and leaves nothing', () =>
    inWorld(async ({ machine }) => {
      const signal = AbortSignal.timeout(30);
      const nobody = machine.createDomain({ name: 'no backend', frames: 1 });
      const made = createGuest(machine, { memoryMiB: 8, backend: nobody.domid, signal });
      await expect(made).rejects.toThrow(/timeout/i);
      nobody.destroy();
      expect(machine.domains().map(({ domid }) => domid)).toEqual([0]);
    }));

  it('remembers nobody who has given up waiting for a backend', () =>
    inWorld(async ({ guest }) => {
      const one = await guest();
      one.suspend();
      for (let i = 0; i < 10; i++) {
        await expect(one.connected(AbortSignal.timeout(1))).rejects.toThrow(/timeout/i);
      }
      expect(Reflect.get(one, 'stateWaiters')).toEqual([]);
      await one.resume();
    }));

  it('reports a refused connection as node:net does', () =>
    inWorld(async ({ guest }) => {
      const port = await freePort();
      const error: unknown = await (await guest()).connect({ host: HOST, port }).catch((e) => e);
      expect(error).toMatchObject({
        code: 'ECONNREFUSED',
        errno: -111,
        syscall: 'connect',
        address: HOST,
        port,
      });
    }));

  it('refuses what is no IPv4 address or port before it asks the backend', () =>
    inWorld(async ({ guest }) => {
      const one = await guest();
      const before = one.counters().requests;
      await expect(one.connect({ host: '::1', port: 80 })).rejects.toThrow(/IPv4/);
      await expect(one.connect({ host: 'localhost', port: 80 })).rejects.toThrow(/resolve/);
      await expect(one.connect({ host: HOST, port: 65536 })).rejects.toThrow(/65536/);
      expect(one.counters().requests).toBe(before);
    }));

  it('answers ENOBUFS when grants run out, with everything rolled back', () =>
    inWorld(
      async ({ guest, serve }) => {
        const address = await serve((socket) => socket.pipe(socket));
        const one = await guest();
        const free = one.counters().framesFree;
        const refused = one.connect({ ...address, ringOrder: 9 }); // 513 grants of 512
        await expect(refused).rejects.toMatchObject({ code: 'ENOBUFS' });
        expect(one.counters()).toMatchObject({ framesFree: free, sockets: 0, parked: 0 });
        const smaller = await one.connect({ ...address, ringOrder: 8 });
        await smaller.close();
      },
      { machine: { maxGrantFrames: 1 } },
    ));

  it('answers ENFILE when the socket table is full, and works on after one is closed', () =>
    inWorld(async ({ guest, serve }) => {
      const address = await serve((socket) => socket.pipe(socket));
      const one = await guest({ sockets: 2 });
      const first = await one.connect(address);
      await one.connect(address);
      await expect(one.connect(address)).rejects.toMatchObject({ code: 'ENFILE' });
      await first.close();
      await one.connect(address);
    }));

  it('refuses a ring order beyond what the backend allows', () =>
    inWorld(
      async ({ guest }) => {
        const one = await guest();
        const connected = one.connect({ host: HOST, port: 1, ringOrder: 3 });
        await expect(connected).rejects.toThrow(/ring order 3/);
        expect(one.counters().sockets).toBe(0);
      },
      { backend: { maxPageOrder: 2 } },
    ));

  it('releases a connection that is aborted while it is being made', () =>
    inWorld(async ({ guest, serve }) => {
      const address = await serve(() => undefined);
      const one = await guest();
      const controller = new AbortController();
      const connected = one.connect({ ...address, signal: controller.signal });
      controller.abort(new Error('changed my mind'));
      await expect(connected).rejects.toThrow('changed my mind');
      while (one.counters().sockets > 0) await new Promise(setImmediate);
    }));

  it('keeps nobody waiting for a backend that does not answer', () =>
    inWorld(
      async ({ guest }) => {
        const one = await guest({ closeTimeoutMs: 50 });
        const signal = AbortSignal.timeout(20);
        const connected = one.connect({ host: HOST, port: 1, signal });
        await expect(connected).rejects.toThrow(/timeout/i);
        await one.close();
      },
      { backend: { layer: silentLayer } },
    ));

  it('works in memory above 2 GiB', () =>
    inWorld(
      async ({ machine, guest, serve }) => {
        const below = machine.createDomain({ name: 'below', frames: 2200 * 256 });
        const address = await serve((socket) => socket.pipe(socket));
        const one = await guest();
        expect(one.domain.firstFrame).toBeGreaterThan(0x80000);
        const socket = await one.connect(address);
        await socket.write(Buffer.from('high'));
        const into = Buffer.alloc(8);
        expect(into.toString('utf8', 0, await socket.read(into))).toBe('high');
        await one.close();
        below.destroy();
      },
      { machine: { memoryMiB: 2400 } },
    ));

  it('speaks design v7, with rings of one page', () =>
    inWorld(
      async ({ guest, serve }) => {
        const address = await serve((socket) => socket.pipe(socket));
        const one = await guest({ layout: 'v7', ringOrder: 0 });
        const socket = await one.connect(address);
        const sent = Buffer.alloc(50_000, 'design v7');
        const writing = socket.write(sent);
        const got: Buffer[] = [];
        for (let left = sent.length; left > 0;) {
          const into = Buffer.alloc(4096);
          const count = await socket.read(into);
          got.push(into.subarray(0, count));
          left -= count;
        }
        await writing;
        expect(Buffer.concat(got).equals(sent)).toBe(true);
      },
      { backend: { layout: 'v7' } },
    ));

  it('is refused with a stable code by a backend of the other dialect', () =>
    inWorld(
      async ({ machine }) => {
        const made = createGuest(machine, { memoryMiB: 8, layout: 'v1' });
        await expect(made).rejects.toMatchObject({ code: 'ERR_PVCALLS_VERSION' });
      },
      { backend: { layout: 'v7' } },
    ));
});
