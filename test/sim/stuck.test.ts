/**
 * The backend is stuck on one command: its deadline ends it, 15 other sockets go on as if nothing
 * were, the slot shows as lost, and the answer that comes in the end is taken for what it is.
 */
import { describe, expect, it } from 'vitest';
import { ECONNREFUSED } from '../../assembly/wire/errno.js';
import type { BackendMode, ScriptedLayer, SocketLayer } from '../../host/backend/index.js';
import type { GuestSocket } from '../../host/index.js';
import { encodeHeader, type Talk } from './conversation.js';
import { codeOf, type Env } from './env.js';
import { inWorld } from './seeded-run.js';
import type { SeededWorld } from './seeded-world.js';
import { ringSize, Transfer } from './transfer.js';

const STUCK = { host: '10.0.0.9', port: 99 };
const OTHERS = 15;
const LENGTH = 30_000; // bytes each way of each other socket
const DEADLINE_MS = 1000;
const SEEDS = process.env['PVCALLS_LONG'] ? 100 : 2;
/** Runs differ by chance; a stalled transfer would take the deadline at least. */
const SLOWER_MAX = 1.5;

/** Connects that are never answered until somebody says so. */
class Hold {
  answer: (() => void) | undefined;

  readonly layer = (scripted: ScriptedLayer): SocketLayer => ({
    connect: (address, sink, done) => {
      if (address.port !== STUCK.port) return scripted.connect(address, sink, done);
      this.answer = () => done(-ECONNREFUSED);
      return () => (this.answer = undefined);
    },
    bind: (...args) => scripted.bind(...args),
  });
}

interface Line {
  readonly socket: GuestSocket;
  readonly talk: Talk;
}

async function connectOthers(env: Env): Promise<Line[]> {
  const ringOrder = env.orders[0]!;
  const lines = Array.from({ length: OTHERS }, async (): Promise<Line> => {
    const talk: Talk = { mode: 'echo', id: env.newId(), length: LENGTH, after: 0 };
    const socket = await env.guest.connect({ ...env.server, ringOrder });
    await socket.write(encodeHeader(talk));
    return { socket, talk };
  });
  return Promise.all(lines);
}

/** Resolves when all bytes have gone both ways: with the milliseconds it took. */
async function transferAll(world: SeededWorld, env: Env, lines: readonly Line[]): Promise<number> {
  const from = world.scheduler.now();
  const transfers = lines.map(async ({ socket, talk: { id } }) => {
    const random = env.randomFor(`line ${id}`);
    const transfer = new Transfer(env, socket, random, ringSize(env.orders[0]!));
    await Promise.all([transfer.send(id, LENGTH), transfer.receive(id, LENGTH)]);
  });
  await Promise.all(transfers);
  return world.scheduler.now() - from;
}

async function closeAll(env: Env, lines: readonly Line[]): Promise<void> {
  await Promise.all(lines.map(({ socket }) => socket.close()));
  for (const { talk } of lines) env.claims.push({ id: talk.id, sent: LENGTH, whole: true });
}

function inStuckWorld(
  seed: number,
  mode: BackendMode,
  run: (world: SeededWorld, env: Env, hold: Hold) => Promise<void>,
): Promise<void> {
  const hold = new Hold();
  const plan = { mode, connectFailures: 0, delayMaxMs: 5, commandTimeoutMs: DEADLINE_MS };
  return inWorld(
    seed,
    async (world) => {
      const { env } = await world.newTenant();
      await run(world, env, hold);
      await world.close();
    },
    { plan, layer: hold.layer },
  );
}

describe('a backend that is stuck on one connect', () => {
  it('leaves the other sockets at their rate, and answers late to nobody', async () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      let freeMs = 0;
      await inStuckWorld(seed, 'full', async (world, env) => {
        const lines = await world.during(connectOthers(env));
        freeMs = await world.during(transferAll(world, env, lines));
        await world.during(closeAll(env, lines));
      });
      await inStuckWorld(seed, 'full', async (world, env) => {
        const lines = await world.during(connectOthers(env));
        const from = world.scheduler.now();
        const stuck = env.guest.connect({ ...STUCK, ringOrder: env.orders[0]! });
        const told = stuck.then(() => 'connected', codeOf);
        const [busyMs, code] = await world.during(
          Promise.all([transferAll(world, env, lines), told]),
        );
        expect(code).toBe('ETIMEDOUT');
        expect(world.scheduler.now() - from).toBeGreaterThanOrEqual(DEADLINE_MS);
        expect(busyMs, `seed ${seed}, ms; ${freeMs} alone`).toBeLessThan(freeMs * SLOWER_MAX + 50);
        // The RELEASE that follows makes our backend answer both.
        expect(env.guest.counters()).toMatchObject({ lost: 0, late: 1 });
        await world.during(closeAll(env, lines));
      });
    }
  });

  it('with its whole command ring, as Linux is, keeps slots until it answers', async () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      await inStuckWorld(seed, 'linux', async (world, env, hold) => {
        const { guest } = env;
        const lines = await world.during(connectOthers(env));
        const stuck = guest.connect({ ...STUCK, ringOrder: env.orders[0]! });
        expect(await world.during(stuck.then(() => 'connected', codeOf))).toBe('ETIMEDOUT');
        expect(guest.counters().lost).toBe(2); // CONNECT, and the RELEASE behind it
        await world.during(transferAll(world, env, lines));
        expect(guest.counters()).toMatchObject({ lost: 2, late: 0, sockets: OTHERS });
        hold.answer!();
        await world.scheduler.run(() => guest.counters().lost === 0);
        expect(guest.counters()).toMatchObject({ late: 2, sockets: OTHERS });
        await world.during(closeAll(env, lines));
      });
    }
  });
});
