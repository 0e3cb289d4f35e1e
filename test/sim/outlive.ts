/** A guest whose backend goes away in the middle of everything, and comes back. */
import type { Backend } from '../../host/backend/index.js';
import type { DeviceState, GuestSocket } from '../../host/index.js';
import { call } from './calls.js';
import { codeOf, type Env } from './env.js';
import { answer } from './services.js';
import { ringSize } from './transfer.js';
import { mixed } from './workload.js';

/** Bytes through the data rings until the backend goes; the calls are much longer. */
export const BYTES_BEFORE = 100_000;
const LENGTH = 2_000_000;

/** What a call says when its backend has gone: the device is dead, or not there. */
const GONE = ['EIO', 'ENETDOWN', 'EBADF'];

/** Whether enough has gone through for the backend to go. */
export function busy(backend: Backend): boolean {
  return backend.devices().some(({ rings }) => rings.bytesIn + rings.bytesOut > BYTES_BEFORE);
}

/** Calls that are cut off: each learns it, none takes it for an end. Then all of it once more. */
export async function outlive(env: Env): Promise<void> {
  const { guest } = env;
  const states: DeviceState[] = [];
  const back = new Promise<void>((resolve) => {
    guest.onDevice = (state) => {
      states.push(state);
      if (state === 'connected') resolve();
    };
  });
  const host = env.ownHost();
  const [ringOrder] = env.orders as [number];
  const listener = await guest.listen({ host, port: 0, ringOrder });
  const accepted = listener.accept(); // waits for a connection, at whichever backend it comes
  accepted.catch(() => undefined); // awaited below
  const bound = new Promise<void>((resolve) => (listener.onListening = resolve));
  const modes = ['echo', 'down', 'up', 'both'] as const;
  const ends = await Promise.allSettled(
    modes.map((mode) => call(env, `cut off ${mode}`, { mode, length: LENGTH })),
  );
  const codes = ends.map((end) => (end.status === 'rejected' ? codeOf(end.reason) : 'done'));
  const wrong = ends.find((end, i) => end.status === 'rejected' && !GONE.includes(codes[i]!));
  if (wrong?.status === 'rejected') throw wrong.reason;
  if (codes.includes('done')) throw new Error(`calls that cannot be over: ${codes.join(', ')}`);
  if (!codes.includes('EIO')) throw new Error(`nobody was told EIO: ${codes.join(', ')}`);
  await Promise.all([back, bound]);
  guest.onDevice = undefined;
  await serveOne(env, host, accepted);
  await listener.close();
  if (states.indexOf('closed') < 0) throw new Error(`the device went ${states.join(', ')}`);
  await mixed(env);
}

/** A program outside connects to the listener, which has another backend now. */
async function serveOne(env: Env, host: string, accepted: Promise<GuestSocket>): Promise<void> {
  const talk = { mode: 'echo', id: env.newId(), length: 5000, after: 0 } as const;
  env.dial(await env.locate(host), talk);
  const ring = ringSize(env.orders[0]!);
  await answer(env, 'answer after all', await accepted, ring);
  env.claims.push({ id: talk.id, sent: talk.length, whole: true });
}
