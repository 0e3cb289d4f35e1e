/**
 * What a long-running task does about its guests' devices: it tells when the backend goes and when
 * another has come, and ends when there will be none.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Guest } from '../index.js';
import type { TaskContext } from './tasks.js';

/** A device that is taken from one backend and given to another has no nodes meanwhile. */
const MOVE_MS = 500;
/** New connections wait so long for a backend. */
const GAP_MS = 10_000;

/** What says that the backend has gone, and that another may be there soon. */
const GONE = ['EIO', 'ENETDOWN'];

/** Events: 'backend-gone', 'backend-back'. Rejects when a device will not come back. */
export function watchDevices(context: TaskContext): Promise<never> {
  return Promise.race(context.guests.map((guest) => watchDevice(guest, context)));
}

function watchDevice(guest: Guest, { emit, signal }: TaskContext): Promise<never> {
  const { domid } = guest;
  return new Promise((_, reject) => {
    let there = true;
    guest.onDevice = (state) => {
      if (signal.aborted) return; // the end is ours
      if (guest.failure !== undefined) {
        const reason = `the device of guest ${domid} cannot be used any more`;
        reject(new Error(`${reason}: ${guest.failure.message}`, { cause: guest.failure }));
      } else if (there && state !== 'connected') {
        const text = `the backend of guest ${domid} has gone; new connections wait for another`;
        emit({ event: 'backend-gone', text, kind: 'backend-gone', domid, level: 'warn' });
      } else if (!there && state === 'connected') {
        emit({ event: 'backend-back', text: `guest ${domid} has a backend again`, domid });
      }
      there = state === 'connected';
      if (state === 'down') void removed(guest).then(reject);
    };
  });
}

/** Resolves, with the reason to give up, when the device is still not there after a while. */
async function removed(guest: Guest): Promise<Error> {
  await delay(MOVE_MS, undefined, { ref: false });
  if (guest.state !== 'down') return new Promise(() => undefined);
  return new Error(`the device of guest ${guest.domid} was removed; start pvcalls again`);
}

/** Makes a call when there is a backend, and again when that was about to go; waits for a while. */
export async function withBackend<T>(
  guest: Guest,
  signal: AbortSignal,
  call: () => Promise<T>,
): Promise<T> {
  let late: AbortSignal | undefined;
  for (;;) {
    try {
      if (guest.state !== 'connected' || late !== undefined) {
        late ??= AbortSignal.timeout(GAP_MS);
        await guest.connected(AbortSignal.any([signal, late]));
      }
      return await call();
    } catch (error) {
      if (signal.aborted) throw error;
      if (late?.aborted === true) throw new Error(`no backend came within ${GAP_MS / 1000} s`);
      if (!GONE.includes((error as { code?: string }).code ?? '')) throw error;
      late ??= AbortSignal.timeout(GAP_MS);
      await delay(1); // the guest is about to learn it
    }
  }
}
