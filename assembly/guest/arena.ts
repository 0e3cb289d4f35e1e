/**
 * The arena: all memory of this instance, handed over once by the embedder.
 *
 *   base                                first
 *   | tables, carved once by init() ... | frame 0 | frame 1 | ... | frame count-1 |
 *
 * Frames are what the peer may map. A bitmap says which are taken; a word per frame holds its grant
 * reference, so that nothing is ever read back from shared pages. A frame whose grant cannot be
 * ended because the peer still maps it is parked: it stays taken, and the grant is tried again.
 */
import { gnttab_end_access, gnttab_grant_access } from '../hypercalls';
import { ENOBUFS } from '../wire/errno';
import { PAGE_SHIFT, PAGE_SIZE } from '../wire/page';

const NO_REF: u32 = 0xffffffff;

@unmanaged
class Arena {
  cursor: usize; //     next byte to carve
  end: usize;
  first: usize; //      address of frame 0
  count: u32; //        frames
  free: u32;
  parked: u32;
  taken: usize; //      bitmap, a bit per frame
  waiting: usize; //    bitmap of the parked ones
  refs: usize; //       grant reference per frame
}

let arena: Arena = changetype<Arena>(0);

/** Whether a hypercall's result is an error: -4095 to -1. */
export function isError(result: u32): bool {
  return result > 0xfffff000;
}

/** Bytes that the arena's own tables take of `frames` frames, and what alignment may cost. */
export function arenaOverhead(frames: u32): u32 {
  return offsetof<Arena>() + frames * 4 + (frames >> 2) + 24 + PAGE_SIZE;
}

export function arenaInit(base: usize, frames: u32): void {
  arena = changetype<Arena>(base);
  arena.cursor = base + ((offsetof<Arena>() + 7) & ~7);
  arena.end = base + ((<usize>frames) << PAGE_SHIFT);
}

/** Takes zeroed memory for a table, 8-byte aligned. Init only; the arena is known to hold it. */
export function carve(size: u32): usize {
  const start = arena.cursor;
  memory.fill(start, 0, size);
  arena.cursor = (start + size + 7) & ~7;
  return start;
}

/** Turns the rest of the arena into frames. Result: how many. Init only. */
export function arenaSeal(): i32 {
  const rest = <u32>((arena.end - arena.cursor) >> PAGE_SHIFT);
  const bitmap = ((rest + 31) >> 5) << 2;
  arena.taken = carve(bitmap);
  arena.waiting = carve(bitmap);
  arena.refs = carve(rest << 2);
  memory.fill(arena.refs, 0xff, rest << 2);
  arena.first = (arena.cursor + PAGE_SIZE - 1) & ~(<usize>PAGE_SIZE - 1);
  const count = <u32>((arena.end - arena.first) >> PAGE_SHIFT);
  arena.count = count;
  arena.free = count;
  arena.parked = 0;
  return <i32>count;
}

export function framesFree(): u32 {
  return arena.free;
}

/** Whether at least half of the frames are free. */
export function framesPlenty(): bool {
  return arena.free >= arena.count >> 1;
}

export function framesParked(): u32 {
  return arena.parked;
}

/** Whether the range lies within the arena: only such memory may be granted or written. */
export function inArena(address: usize, size: u32): bool {
  return address >= changetype<usize>(arena) && address < arena.end && arena.end - address >= size;
}

/** Takes `count` consecutive frames. Result: the address of the first, or 0. */
export function takeFrames(count: u32): usize {
  let run: u32 = 0;
  let index: u32 = 0;
  while (index < arena.count) {
    const word = load<u32>(arena.taken + ((index >> 5) << 2));
    if (word == 0xffffffff) {
      run = 0;
      index = (index | 31) + 1;
      continue;
    }
    run = word & (1 << (index & 31)) ? 0 : run + 1;
    index += 1;
    if (run == count) {
      const from = index - count;
      for (let frame = from; frame < index; frame++) setBit(arena.taken, frame);
      arena.free -= count;
      return arena.first + ((<usize>from) << PAGE_SHIFT);
    }
  }
  return 0;
}

/** Grants frames to `remote`, all or none. Result: 0 or -ENOBUFS. */
export function grantFrames(remote: u32, address: usize, count: u32): i32 {
  const from = frameIndex(address);
  for (let frame = from; frame < from + count; frame++) {
    const number = <u32>((arena.first >> PAGE_SHIFT) + frame);
    const ref = gnttab_grant_access(remote, number, 0);
    if (isError(ref)) {
      endGrants(from, frame);
      return -ENOBUFS;
    }
    store<u32>(arena.refs + (frame << 2), ref);
  }
  return 0;
}

/** The grant reference of a frame that was granted. */
export function refOf(address: usize): u32 {
  return load<u32>(arena.refs + (frameIndex(address) << 2));
}

/** Ends the grant of one frame. False while the peer maps it. */
export function endAccess(address: usize): bool {
  const frame = frameIndex(address);
  endGrants(frame, frame + 1);
  return load<u32>(arena.refs + (frame << 2)) == NO_REF;
}

/** Ends the grants of frames and gives them back; what the peer still maps is parked instead. */
export function releaseFrames(address: usize, count: u32): void {
  const from = frameIndex(address);
  endGrants(from, from + count);
  for (let frame = from; frame < from + count; frame++) {
    if (load<u32>(arena.refs + (frame << 2)) == NO_REF) giveBack(frame);
    else {
      setBit(arena.waiting, frame);
      arena.parked += 1;
    }
  }
}

/** Tries the parked frames again. */
export function retryParked(): void {
  for (let frame: u32 = 0; frame < arena.count && arena.parked != 0; frame++) {
    const word = load<u32>(arena.waiting + ((frame >> 5) << 2));
    if (word == 0) frame |= 31;
    else if (word & (1 << (frame & 31))) {
      if (!endAccess(arena.first + ((<usize>frame) << PAGE_SHIFT))) continue;
      clearBit(arena.waiting, frame);
      arena.parked -= 1;
      giveBack(frame);
    }
  }
}

function endGrants(from: u32, to: u32): void {
  for (let frame = from; frame < to; frame++) {
    const slot = arena.refs + (frame << 2);
    const ref = load<u32>(slot);
    if (ref != NO_REF && gnttab_end_access(ref) >= 0) store<u32>(slot, NO_REF);
  }
}

function giveBack(frame: u32): void {
  clearBit(arena.taken, frame);
  arena.free += 1;
}

function frameIndex(address: usize): u32 {
  return <u32>((address - arena.first) >> PAGE_SHIFT);
}

function setBit(map: usize, bit: u32): void {
  const word = map + ((bit >> 5) << 2);
  store<u32>(word, load<u32>(word) | (1 << (bit & 31)));
}

function clearBit(map: usize, bit: u32): void {
  const word = map + ((bit >> 5) << 2);
  store<u32>(word, load<u32>(word) & ~(1 << (bit & 31)));
}
