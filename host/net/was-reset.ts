/**
 * The difference between an end and a reset that Node does not tell. libuv reports a reset that
 * comes while received bytes wait to be read as an end of stream, after those bytes. A transfer
 * that was cut off would look whole.
 */
import type { Socket } from 'node:net';

interface HandleOwner {
  readonly _handle?: { getpeername?(out: object): number } | null;
}

/**
 * To be asked when a socket has emitted 'end' and has not ended itself: whether it was a reset.
 * After a reset the system knows no peer of the socket any more; after a FIN it still does.
 */
export function wasReset(socket: Socket): boolean {
  const { _handle: handle } = socket as unknown as HandleOwner;
  if (socket.writableEnded || typeof handle?.getpeername !== 'function') return false;
  return handle.getpeername({}) !== 0;
}
