/** Workloads by name, each the same in the thread of the machine and in a worker. */
import { MSG_PEEK } from '../../assembly/wire/abi.js';
import { EAGAIN } from '../../assembly/wire/errno.js';
import { PAGE_SHIFT } from '../../assembly/wire/page.js';
import type { GuestSocket } from '../../host/index.js';
import { call, callCut, callReset } from './calls.js';
import { downId, encodeHeader, type Mode, type Talk } from './conversation.js';
import type { Env } from './env.js';
import { outlive } from './outlive.js';
import { check, patternOf } from './pattern.js';
import { ringSize } from './transfer.js';
import { mixed } from './workload.js';

const BULK = 64 * 2 ** 20; // bytes each way
const BULK_CHUNK = 2 ** 18;
const PEEK_AT = 1024; // in the guest's scratch frame, beyond what the host side uses
const PEEK_MAX = 2048;

export const workloads = {
  mixed: (env: Env) => mixed(env),
  outlive,
  edges: (env: Env) => edges(env, ordersOf(env)),
  'edges of order 9': (env: Env) => edges(env, [9]),
  bulk,
  peek,
  'half-close': (env: Env) => several(env, 'half'),
  'send and close': (env: Env) => several(env, 'up'),
  reset: async (env: Env) => {
    for (let time = 0; time < 5; time++) await callReset(env, `reset ${time}`, 50_000);
  },
  cut: async (env: Env) => {
    for (let time = 0; time < 5; time++) await callCut(env, `cut ${time}`, 300_000);
  },
} satisfies Record<string, (env: Env) => Promise<void>>;

export type WorkloadName = keyof typeof workloads;

export function runNamed(name: string, env: Env): Promise<void> {
  return workloads[name as WorkloadName](env);
}

/** Every size around the edges of the ring, sent and echoed whole, at every order. */
async function edges(env: Env, orders: readonly number[]): Promise<void> {
  for (const order of orders) {
    const ring = ringSize(order);
    const around = [-3, -2, -1, 0, 1, 2, 3];
    const sizes = [1, 2, 3, ...[ring / 2, ring, 2 * ring].flatMap((n) => around.map((d) => n + d))];
    const length = sizes.reduce((sum, size) => sum + size, 0);
    const [socket, talk] = await open(env, 'echo', length, order);
    let done = 0;
    for (const size of sizes) {
      const sent = socket.write(patternOf(talk.id, done, size));
      await Promise.all([sent, receive(socket, talk.id, done, size)]);
      done += size;
    }
    await socket.close();
    env.claims.push({ id: talk.id, sent: length, whole: true });
    env.counts.bytes += 2 * length;
  }
}

/** Much in both directions at the same time. */
async function bulk(env: Env): Promise<void> {
  const [socket, talk] = await open(env, 'both', BULK, Math.max(...env.orders));
  const send = async (): Promise<void> => {
    for (let done = 0; done < BULK; done += BULK_CHUNK) {
      await socket.write(patternOf(talk.id, done, BULK_CHUNK));
    }
  };
  await Promise.all([send(), receive(socket, downId(talk), 0, BULK)]);
  await socket.close();
  env.claims.push({ id: talk.id, sent: BULK, whole: true });
  env.counts.bytes += 2 * BULK;
}

/** MSG_PEEK through the core's own exports: shows what recv gives next, and takes nothing. */
async function peek(env: Env): Promise<void> {
  const length = 30_000;
  const [socket, talk] = await open(env, 'down', length, Math.min(...env.orders));
  const { guest } = env;
  const random = env.randomFor('peek');
  const at = (guest.domain.firstFrame << PAGE_SHIFT) + PEEK_AT;
  const recv = (size: number, flags: number): number =>
    guest.driver.call((core) => core.recv(socket.handle, at, size, flags));
  for (let done = 0; done < length;) {
    const wanted = random.between(1, PEEK_MAX);
    const peeked = recv(wanted, MSG_PEEK);
    if (peeked === -EAGAIN) {
      await new Promise<void>((resolve) => (socket.onReady = () => resolve()));
      continue;
    }
    if (peeked <= 0) throw new Error(`recv with MSG_PEEK: ${peeked} after ${done} bytes`);
    check(guest.bytes.subarray(at, at + peeked), downId(talk), done);
    guest.bytes.fill(0, at, at + PEEK_MAX);
    const size = random.between(1, peeked);
    const taken = recv(size, 0);
    if (taken !== size) throw new Error(`recv of ${size} bytes after peeking ${peeked}: ${taken}`);
    check(guest.bytes.subarray(at, at + taken), downId(talk), done);
    done += taken;
  }
  await socket.close();
  env.claims.push({ id: talk.id, sent: 0, whole: true });
}

async function several(env: Env, mode: Mode): Promise<void> {
  for (const length of [1, 4096, 5000, 16_384, 100_003]) {
    await Promise.all(
      [1, 2, 3].map((time) => call(env, `${mode} ${length} ${time}`, { mode, length })),
    );
  }
}

async function open(
  env: Env,
  mode: Mode,
  length: number,
  ringOrder: number,
): Promise<[GuestSocket, Talk]> {
  const talk: Talk = { mode, id: env.newId(), length, after: 0 };
  const socket = await env.guest.connect({ ...env.server, ringOrder });
  env.counts.sockets += 1;
  await socket.write(encodeHeader(talk));
  return [socket, talk];
}

async function receive(
  socket: GuestSocket,
  id: number,
  offset: number,
  count: number,
): Promise<void> {
  const buffer = new Uint8Array(Math.min(count, BULK_CHUNK));
  for (let done = 0; done < count;) {
    const got = await socket.read(buffer.subarray(0, count - done));
    if (got === 0) throw new Error(`stream ${id} ended after ${done} of ${count} bytes`);
    check(buffer.subarray(0, got), id, offset + done);
    done += got;
  }
}

const ordersOf = ({ orders }: Env): readonly number[] => (orders.includes(0) ? [0] : [1, 2, 3, 4]);
