/** A guest is suspended: it goes on as if nothing were, or is restored and begins again. */
import { once } from 'node:events';
import net from 'node:net';
import { describe, expect, it } from 'vitest';
import { attachPvcalls, detachPvcalls, type Guest, type Machine } from '../../../host/index.js';
import { freePort, inWorld } from './world.js';

const HOST = '127.0.0.1';

/** Saves and restores the domain of a suspended guest, with a new device. */
async function restore(machine: Machine, guest: Guest): Promise<void> {
  const device = { frontend: guest.domid, backend: 0 };
  await detachPvcalls(machine, device, { forced: true });
  const mapped = (): boolean => guest.domain.grants().some(({ ref, maps }) => ref >= 8 && maps > 0);
  while (mapped()) await new Promise(setImmediate);
  machine.restoreDomain(guest.domain);
  attachPvcalls(machine, device);
}

describe('a guest that is suspended', () => {
  it('and not saved after all loses nothing', () =>
    inWorld(async ({ guest, serve }) => {
      const address = await serve((socket) => socket.pipe(socket));
      const one = await guest();
      const socket = await one.connect(address);
      const into = Buffer.alloc(16);
      const reading = socket.read(into);
      one.suspend();
      await expect(one.connect(address)).rejects.toMatchObject({ code: 'ENETDOWN' });
      await socket.write(Buffer.from('still there'));
      await new Promise((resolve) => setTimeout(resolve, 20));
      await one.resume();
      expect(into.toString('utf8', 0, await reading)).toBe('still there');
      expect(one.lives).toBe(1);
      await socket.close();
    }));

  it('and restored ends its sockets with EIO, listens again, and works', () =>
    inWorld(async ({ machine, guest, serve }) => {
      const address = await serve((socket) => socket.pipe(socket));
      const one = await guest();
      const port = await freePort();
      const listener = await one.listen({ host: HOST, port });
      const accepted = listener.accept();
      const socket = await one.connect(address);
      await socket.write(Buffer.from('lost'));
      const connecting = one.connect(address);
      const waiting = [socket.read(Buffer.alloc(100)).then(() => socket.read(Buffer.alloc(1)))];
      waiting.push(connecting.then(() => 0));
      const told = Promise.allSettled(waiting);
      one.suspend();
      const { handle } = socket;
      await restore(machine, one);
      await one.resume();
      for (const end of await told) {
        expect(end).toMatchObject({ status: 'rejected', reason: { code: 'EIO' } });
      }
      expect(one.lives).toBe(2);
      const next = await one.connect(address);
      // The same handle may mean another socket now: the old one must not reach it.
      expect(() => socket.consume(1)).toThrow(/EIO/);
      expect(() => socket.publish(1)).toThrow(/EIO/);
      await expect(socket.write(Buffer.from('x'))).rejects.toMatchObject({ code: 'EIO' });
      await socket.close();
      expect(handle).toBeGreaterThan(0);
      await next.write(Buffer.from('again'));
      const into = Buffer.alloc(16);
      expect(into.toString('utf8', 0, await next.read(into))).toBe('again');
      const client = net.connect({ host: HOST, port });
      await once(client, 'connect');
      await (await accepted).close();
      client.destroy();
    }));

  it('is closed in order, and leaves nothing', () =>
    inWorld(async ({ guest, serve }) => {
      const address = await serve((socket) => socket.pipe(socket));
      const one = await guest();
      await one.connect(address);
      one.suspend();
      await one.close();
    }));
});

describe('restoring a domain', () => {
  it('is refused while it runs, and while others map its frames', () =>
    inWorld(async ({ machine, guest }) => {
      const one = await guest();
      expect(() => machine.restoreDomain(one.domain)).toThrow(/suspend its guest/);
      one.suspend();
      expect(() => machine.restoreDomain(one.domain)).toThrow(/detach its devices/);
      await one.resume();
    }));

  it('leaves hypercalls of the former life without effect', () =>
    inWorld(async ({ machine, guest }) => {
      const one = await guest();
      one.suspend();
      const before = one.domain;
      await restore(machine, one);
      expect(before.alive).toBe(false);
      expect(before.hypercalls.evtchn_alloc_unbound(0)).toBe(-3);
      await one.resume();
      expect(one.domain).not.toBe(before);
      await one.connected();
    }));
});
