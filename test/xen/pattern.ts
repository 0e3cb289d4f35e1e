/** The bytes of test/xen/apps/pattern.h, and their hash by another implementation. */
import { createHash } from 'node:crypto';

const PERIOD = 65521;

const period = Uint8Array.from({ length: PERIOD }, (_, n) => n * 31 + Math.floor(n / 251));

/** SHA-256 of the first `bytes` of the pattern, in hexadecimal. */
export function hashOfPattern(bytes: number): string {
  const hash = createHash('sha256');
  for (let left = bytes; left > 0; left -= PERIOD) hash.update(period.subarray(0, left));
  return hash.digest('hex');
}

/** The first `bytes` of the pattern. */
export function pattern(bytes: number): Buffer {
  return Buffer.from(Array.from({ length: bytes }, (_, at) => period[at % PERIOD]!));
}

/** SHA-256 of nothing. */
export const HASH_OF_NOTHING = hashOfPattern(0);
