/**
 * The only loads, stores and copies of memory that the peer shares. Nothing else in the core may
 * touch such memory.
 *
 * Every index is a sequentially consistent atomic: a store publishes what was copied before it, and
 * a later load is not moved before it, which is what ring.h's wmb() and mb() buy. There is no
 * fence, because Binaryen deletes atomic.fence. On the component build memory is not shared and the
 * peer runs only between calls, so plain accesses are enough there.
 *
 * What a load returns is the peer's word: read it once into a local, check it, then use it.
 */

export function loadIndex(address: usize): u32 {
  return ASC_FEATURE_THREADS ? atomic.load<u32>(address) : load<u32>(address);
}

export function storeIndex(address: usize, value: u32): void {
  if (ASC_FEATURE_THREADS) atomic.store<u32>(address, value);
  else store<u32>(address, value);
}

export function storeByte(address: usize, value: u32): void {
  if (ASC_FEATURE_THREADS) atomic.store<u8>(address, <u8>value);
  else store<u8>(address, <u8>value);
}

export function loadWord(address: usize): u64 {
  return ASC_FEATURE_THREADS ? atomic.load<u64>(address) : load<u64>(address);
}

/** Takes a word of event bits: the old value, and 0 in its place. */
export function takeWord(address: usize): u64 {
  if (ASC_FEATURE_THREADS) return atomic.xchg<u64>(address, 0);
  const word = load<u64>(address);
  store<u64>(address, 0);
  return word;
}

/** Clears bits of a word that Xen sets at any time. */
export function clearBits(address: usize, bits: u64): void {
  if (ASC_FEATURE_THREADS) atomic.and<u64>(address, ~bits);
  else store<u64>(address, load<u64>(address) & ~bits);
}

export function copyToShared(to: usize, from: usize, size: u32): void {
  memory.copy(to, from, size);
}

/** Copies the peer's bytes to private memory; from here on they can be parsed. */
export function copyFromShared(to: usize, from: usize, size: u32): void {
  memory.copy(to, from, size);
}
