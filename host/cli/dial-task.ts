/** The demo's client inside a guest: sends bytes to an echo server and checks what comes back. */
import { createHash, randomBytes } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import type { Address, GuestSocket } from '../index.js';
import { aborted, onlyGuest, type TaskContext } from './tasks.js';

export interface DialParams {
  readonly address: Address;
  readonly bytes: number;
}

const BUFFER_SIZE = 65_536;

/** Event: 'echoed', with the digests of both directions; then it waits to be asked to end. */
export async function dial({ address, bytes }: DialParams, context: TaskContext): Promise<void> {
  const { signal } = context;
  const started = performance.now();
  const socket = await onlyGuest(context).connect({ ...address, signal });
  const payload = randomBytes(bytes);
  const sent = createHash('sha256').update(payload).digest('hex');
  const [received] = await Promise.all([digest(socket, bytes), socket.write(payload, signal)]);
  const elapsedMs = performance.now() - started;
  context.emit({ event: 'echoed', text: `${bytes} bytes`, sent, received, elapsedMs });
  await aborted(signal);
  await socket.close();
}

/** SHA-256 of exactly so many bytes; of fewer when the stream ends before. */
async function digest(socket: GuestSocket, bytes: number): Promise<string> {
  const hash = createHash('sha256');
  const buffer = Buffer.allocUnsafe(BUFFER_SIZE);
  for (let left = bytes; left > 0;) {
    const count = await socket.read(buffer.subarray(0, Math.min(left, buffer.length)));
    if (count === 0) break;
    hash.update(buffer.subarray(0, count));
    left -= count;
  }
  return hash.digest('hex');
}
