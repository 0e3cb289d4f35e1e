/**
 * The difference between an end and a reset that Node does not tell: libuv reports a reset that
 * comes while received bytes wait to be read as an orderly end, after those bytes (it takes the
 * hang-up for one and never reads the error). A transfer that was cut off would look whole.
 */
import type { Socket } from 'node:net';
import { ECONNRESET } from '../../assembly/wire/errno.js';
import { errnoOf } from './errors.js';

const NOTHING = new Uint8Array(0);

/**
 * To be asked when a socket has emitted 'end'. `done` is called once, later, with whether it was a
 * reset. The kernel still knows: an empty write fails then. A write that is under way fails by
 * itself, before the next turn, and the socket emits 'error'; one that has ended cannot be asked.
 */
export function endOrReset(socket: Socket, done: (reset: boolean) => void): void {
  if (socket.writableLength > 0 || socket.writableEnded) {
    setImmediate(() => done(false));
    return;
  }
  socket.write(NOTHING, (error) => done(error ? errnoOf(error) === -ECONNRESET : false));
}
