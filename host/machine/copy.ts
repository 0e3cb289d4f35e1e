/**
 * Copies between shared memory and the memory of this thread. TypedArray.set works on shared memory
 * one word at a time, and one byte at a time where source and target are not aligned alike, which
 * in a ring is the rule; Buffer.fill with bytes is one memcpy. docs/decisions/016 has figures.
 */

/** Below this many bytes the call costs more than the copy. */
const SMALL = 128;

const { fill } = Buffer.prototype;

/** Copies all of `from` to the offset `at` of `to`. They do not overlap; `to` has the room. */
export function copyBytes(to: Uint8Array, at: number, from: Uint8Array): void {
  if (from.length < SMALL) to.set(from, at);
  else fill.call(to, from, at, at + from.length);
}
