/**
 * Arithmetic of free-running indices and of time, modulo 2^32. Nothing else subtracts indices.
 * An index runs free and is masked to a slot only where memory is touched.
 *
 * `--use INDEX_BITS=n`, for tests only, makes indices n bits wide, few enough that every value of
 * them can be tried with the code as it is: docs/decisions/012.
 */

const INDEX_MASK: u32 = isDefined(INDEX_BITS) ? (1 << INDEX_BITS) - 1 : 0xffffffff;

/** The index `count` after `index`. */
export function advance(index: u32, count: u32): u32 {
  return isDefined(INDEX_BITS) ? (index + count) & INDEX_MASK : index + count;
}

/** How far `consumer` is behind `producer`. Meaningful only if the result is within the ring. */
export function distance(producer: u32, consumer: u32): u32 {
  return isDefined(INDEX_BITS) ? (producer - consumer) & INDEX_MASK : producer - consumer;
}

/**
 * Whether an index that moved from `before` to `after` passed `event`: the other end asked to be
 * woken for it. C reference: ring.h, RING_PUSH_REQUESTS_AND_CHECK_NOTIFY.
 */
export function crossed(before: u32, after: u32, event: u32): bool {
  return distance(after, event) < distance(after, before);
}

/** Whether the moment `now` has reached `deadline`, for spans under 2^31 ms. */
export function reached(now: u32, deadline: u32): bool {
  return <i32>(now - deadline) >= 0;
}
