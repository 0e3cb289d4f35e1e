/** What a listener does when the next backend refuses its address, once or always. */
import { describe, expect, it } from 'vitest';
import { EADDRINUSE, EIO, ENETDOWN } from '../../assembly/wire/errno.js';
import type { ScriptedLayer, SocketLayer } from '../../host/backend/index.js';
import type { GuestListener } from '../../host/index.js';
import { codeOf } from './env.js';
import { inWorld } from './seeded-run.js';
import type { SeededWorld } from './seeded-world.js';

const ADDRESS = { host: '10.0.2.1', port: 80 };

/** Refuses so many binds, and counts them. */
class Refusal {
  left = 0;
  binds = 0;
  error = -EADDRINUSE;

  readonly layer = (scripted: ScriptedLayer): SocketLayer => ({
    connect: (...args) => scripted.connect(...args),
    bind: (address, offered, done) => {
      this.binds += 1;
      if (this.left === 0) return scripted.bind(address, offered, done);
      this.left -= 1;
      queueMicrotask(() => done(this.error));
      return () => undefined;
    },
  });
}

function inRefusingWorld(
  run: (world: SeededWorld, refusal: Refusal, listener: GuestListener) => Promise<void>,
): Promise<void> {
  const refusal = new Refusal();
  return inWorld(
    7,
    async (world) => {
      const { guest, env } = await world.newTenant();
      const listening = guest.listen({ ...ADDRESS, ringOrder: env.orders[0]! });
      await run(world, refusal, await world.during(listening));
      await world.close();
    },
    { layer: refusal.layer, plan: { connectFailures: 0 } },
  );
}

function restart(world: SeededWorld): void {
  world.backend.kill();
  world.backend = world.newBackend();
}

describe('a listener whose next backend refuses the address', () => {
  it('tries again, and says when it is lost and when it listens', () =>
    inRefusingWorld(async (world, refusal, listener) => {
      const news: string[] = [];
      listener.onLost = (error) => news.push(codeOf(error));
      listener.onListening = () => news.push('listening');
      listener.onGone = () => news.push('gone');
      refusal.left = 5;
      refusal.binds = 0;
      restart(world);
      await world.scheduler.run(() => news.length === 2);
      expect(news).toEqual(['EIO', 'listening']);
      expect(refusal.binds).toBe(6);
      expect(listener.listening).toBe(true);
      await world.during(listener.close());
      expect(news).toEqual(['EIO', 'listening', 'gone']);
    }));

  it.each([
    ['EADDRINUSE', EADDRINUSE],
    ['EIO', EIO],
    ['ENETDOWN', ENETDOWN],
  ])('with %s gives up in the end: whoever waits is told the refusal', (code, number) =>
    inRefusingWorld(async (world, refusal, listener) => {
      refusal.error = -number;
      const gone: (string | undefined)[] = [];
      listener.onGone = (error) => gone.push(error && codeOf(error));
      refusal.left = Infinity;
      refusal.binds = 0;
      const accepted = listener.accept().then(() => 'accepted', codeOf);
      restart(world);
      expect(await world.during(accepted)).toBe(code);
      expect(refusal.binds).toBe(8);
      expect(listener.closed).toBe(true);
      await world.scheduler.run(() => gone.length > 0);
      expect(gone).toEqual([code]);
      await expect(listener.accept()).rejects.toMatchObject({ code });
      expect(listener.guest.counters().sockets).toBe(0);
    }),
  );

  it('can be closed while it waits for a backend', () =>
    inRefusingWorld(async (world, _, listener) => {
      const accepted = listener.accept().then(() => 'accepted', codeOf);
      await world.during(world.backend.close());
      await world.scheduler.run(() => !listener.listening);
      await world.during(listener.close());
      expect(await accepted).toBe('EBADF');
      world.backend = world.newBackend();
      await world.during(listener.guest.connected());
      expect(world.backend.devices()[0]!.sockets).toEqual([]);
    }));
});
