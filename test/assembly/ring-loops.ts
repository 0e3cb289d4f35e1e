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

/** What `loop` does: one end, or both in turn. */
const WRITES: u32 = 1;
const READS: u32 = 2;

/**
 * Passes `chunks` times `size` bytes; an end that cannot go on looks again. One loop for both ends,
 * so that each ring function has one caller and is part of it, as in C.
 */
export function loop(ends: u32, from: usize, to: usize, size: u32, chunks: u32): void {
  const writer = changetype<ByteRing>(WRITER);
  const reader = changetype<ByteRing>(READER);
  let written: u32 = ends & WRITES ? 0 : chunks;
  let read: u32 = ends & READS ? 0 : chunks;
  while (written < chunks || read < chunks) {
    if (written < chunks) {
      const room = writable(writer);
      if (room == BAD) unreachable();
      if (room >= size) {
        copyIn(writer, from, size, 0);
        publishOut(writer, size);
        written += 1;
      }
    }
    if (read < chunks) {
      const count = readable(reader);
      if (count == BAD) unreachable();
      if (count >= size) {
        copyOut(reader, to, size, 0);
        consumeIn(reader, size);
        read += 1;
      }
    }
  }
}
