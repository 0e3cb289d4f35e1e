/** The demo's server inside a guest: sends back what it receives, until it is asked to end. */
import type { Address, GuestSocket } from '../index.js';
import { onlyGuest, type TaskContext } from './tasks.js';

const BUFFER_SIZE = 65_536;

/** Event: 'listening'. Result: bytes sent back. */
export async function serve(
  { listen }: { listen: Address },
  context: TaskContext,
): Promise<number> {
  const { signal } = context;
  const listener = await onlyGuest(context).listen({ ...listen, signal });
  const echoes: Promise<number>[] = [];
  context.emit({ event: 'listening', text: `${listen.host}:${listen.port}` });
  signal.addEventListener('abort', () => void listener.close(), { once: true });
  for await (const socket of listener) echoes.push(echo(socket));
  await listener.close();
  const counts = await Promise.all(echoes);
  return counts.reduce((sum, count) => sum + count, 0);
}

async function echo(socket: GuestSocket): Promise<number> {
  const buffer = Buffer.allocUnsafe(BUFFER_SIZE);
  try {
    for (;;) {
      const count = await socket.read(buffer);
      if (count === 0) break;
      await socket.write(buffer.subarray(0, count));
    }
  } finally {
    await socket.close();
  }
  return socket.bytesWritten;
}
