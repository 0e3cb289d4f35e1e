/** One connection with bytes on it, for specs of streams, windows and readiness. */
import { INIT_FIRST_INDEX } from '../../assembly/wire/abi';
import { boot, configure, option } from './guest';
import { attach, openConnected, streamByte } from './scripted-backend';

/** Bytes each way. */
export const SIZE: u32 = 4096;
export let handle: i32 = 0;

/** A connection of order 1, 4 KiB each way, whose indices start shortly before 2^32. */
export function start(): void {
  configure();
  option(INIT_FIRST_INDEX, 0xfffffc00);
  boot();
  attach(4, 0);
  handle = openConnected(1);
}

/** Bytes of stream `seed` in memory. */
export function fill(at: usize, seed: u32, size: u32): void {
  for (let i: u32 = 0; i < size; i++) store<u8>(at + i, streamByte(seed, i));
}

export function expectBytes(at: usize, seed: u32, size: u32): void {
  for (let i: u32 = 0; i < size; i++) {
    if (load<u8>(at + i) != streamByte(seed, i)) expect(i).toBe(size);
  }
}
