/**
 * Loops over the core's byte ring for the bench (test/bench/ring.bench.ts): both ends are the
 * core's own code, on one indexes page. What one end calls `out` the other calls `in`: the fields
 * of `out` stand 64 bytes after those of `in`, and its bytes after those of `in`, so the reader is
 * a ring whose page and data begin there. test/bench/ring.c does the same with Xen's macros.
 */
import {
  BAD,
  ByteRing,
  byteRingInit,
  consumeIn,
  copyIn,
  copyOut,
  flexRingSize,
  publishOut,
  readable,
  writable,
} from '../../assembly/ring/byte-ring';
import { IN_CONS, OUT_CONS } from '../../assembly/wire/data-ring';

const WRITER: usize = 1024;
const READER: usize = 2048;
const PAGE: usize = 4096;
const DATA: usize = 65536;

/** An empty ring of this order; the two ends keep their private state below the page. */
export function loop_init(order: u32): void {
  start(WRITER, PAGE, DATA, order);
  start(READER, PAGE + OUT_CONS - IN_CONS, DATA + flexRingSize(order), order);
}

function start(at: usize, page: usize, data: usize, order: u32): void {
  const ring = changetype<ByteRing>(at);
  ring.page = page;
  ring.data = data;
  ring.order = order;
  byteRingInit(ring, 0);
}

/** Writes and reads `chunks` times `size` bytes on one thread. */
export function loop_both(from: usize, to: usize, size: u32, chunks: u32): void {
  for (let i: u32 = 0; i < chunks; i++) {
    if (!put(from, size) || !take(to, size)) unreachable();
  }
}

/** The writing end of two threads: waits for room by looking. */
export function loop_write(from: usize, size: u32, chunks: u32): void {
  for (let i: u32 = 0; i < chunks; i++) {
    while (!put(from, size));
  }
}

/** The reading end. */
export function loop_read(to: usize, size: u32, chunks: u32): void {
  for (let i: u32 = 0; i < chunks; i++) {
    while (!take(to, size));
  }
}

function put(from: usize, size: u32): bool {
  const ring = changetype<ByteRing>(WRITER);
  const room = writable(ring);
  if (room == BAD) unreachable();
  if (room < size) return false;
  copyIn(ring, from, size, 0);
  publishOut(ring, size);
  return true;
}

function take(to: usize, size: u32): bool {
  const ring = changetype<ByteRing>(READER);
  const count = readable(ring);
  if (count == BAD) unreachable();
  if (count < size) return false;
  copyOut(ring, to, size, 0);
  consumeIn(ring, size);
  return true;
}
