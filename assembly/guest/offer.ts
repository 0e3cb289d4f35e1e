/** Frames and a port that a backend is to map and bind: a command ring, a data ring. */
import { ENOBUFS } from '../wire/errno';
import { PAGE_SIZE } from '../wire/page';
import { grantFrames, releaseFrames } from './arena';
import { openPort } from './events';

/**
 * Grants frames that have just been taken, zeroed, and opens a port. Result: the port; or -ENOBUFS,
 * also when none could be taken, with nothing left behind.
 */
export function offerFrames(page: usize, count: u32, backend: u32, owner: u32): i32 {
  if (page == 0) return -ENOBUFS;
  memory.fill(page, 0, count * PAGE_SIZE); // the backend reads what an earlier life left here
  let result = grantFrames(backend, page, count);
  if (result >= 0) result = openPort(backend, owner);
  if (result < 0) releaseFrames(page, count);
  return result;
}
