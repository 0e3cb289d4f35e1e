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
 *
 * With `--use TRACED=1`, in builds for tests only, an imported function is called before each of
 * these accesses, so that a scheduler can run the peer between any two of them; copies are done in
 * up to eight pieces there. Without it none of that is compiled: docs/decisions/012.
 */

/** Import `order.before` of a traced build: an access of `size` bytes comes next. */
declare function before(kind: u32, address: usize, size: u32): void;

const TRACE: bool = isDefined(TRACED);
const LOAD: u32 = 0;
const STORE: u32 = 1;
const UPDATE: u32 = 2;
const PIECES_SHIFT: u32 = 3;

/** The address, after a call of the hook. */
function at(kind: u32, address: usize, size: u32): usize {
  before(kind, address, size);
  return address;
}

export function loadIndex(address: usize): u32 {
  return ASC_FEATURE_THREADS
    ? atomic.load<u32>(TRACE ? at(LOAD, address, 4) : address)
    : load<u32>(address);
}

export function storeIndex(address: usize, value: u32): void {
  if (ASC_FEATURE_THREADS) atomic.store<u32>(TRACE ? at(STORE, address, 4) : address, value);
  else store<u32>(address, value);
}

export function storeByte(address: usize, value: u32): void {
  if (ASC_FEATURE_THREADS) atomic.store<u8>(TRACE ? at(STORE, address, 1) : address, <u8>value);
  else store<u8>(address, <u8>value);
}

export function loadWord(address: usize): u64 {
  return ASC_FEATURE_THREADS
    ? atomic.load<u64>(TRACE ? at(LOAD, address, 8) : address)
    : load<u64>(address);
}

/** Takes a word of event bits: the old value, and 0 in its place. */
export function takeWord(address: usize): u64 {
  if (ASC_FEATURE_THREADS) return atomic.xchg<u64>(TRACE ? at(UPDATE, address, 8) : address, 0);
  const word = load<u64>(address);
  store<u64>(address, 0);
  return word;
}

/** Clears bits of a word that Xen sets at any time. */
export function clearBits(address: usize, bits: u64): void {
  if (ASC_FEATURE_THREADS) atomic.and<u64>(TRACE ? at(UPDATE, address, 8) : address, ~bits);
  else store<u64>(address, load<u64>(address) & ~bits);
}

export function copyToShared(to: usize, from: usize, size: u32): void {
  TRACE ? copyTraced(to, from, size, STORE) : memory.copy(to, from, size);
}

/** Copies the peer's bytes to private memory; from here on they can be parsed. */
export function copyFromShared(to: usize, from: usize, size: u32): void {
  TRACE ? copyTraced(to, from, size, LOAD) : memory.copy(to, from, size);
}

function copyTraced(to: usize, from: usize, size: u32, kind: u32): void {
  const piece = (size + (1 << PIECES_SHIFT) - 1) >>> PIECES_SHIFT;
  for (let done: u32 = 0; done < size; done += piece) {
    const count = min(piece, size - done);
    before(kind, (kind == STORE ? to : from) + done, count);
    memory.copy(to + done, from + done, count);
  }
}
