import { describe, expect, it } from 'vitest';

import { copyBytes } from '../../../host/machine/copy.js';

/** Both sides of the size below which another way is taken, and both alignments. */
const SIZES = [0, 1, 63, 127, 128, 129, 4096, 65_537];
const OFFSETS = [0, 1, 7, 8];

const shared = new Uint8Array(new SharedArrayBuffer(1 << 17));
const own = Buffer.alloc(1 << 17);

function pattern(bytes: Uint8Array, seed: number): void {
  for (let i = 0; i < bytes.length; i++) bytes[i] = (i * 31 + (i >>> 8) + seed) & 0xff;
}

describe('copyBytes', () => {
  it.each([
    ['into shared memory', shared, own],
    ['out of shared memory', own, shared],
  ])('copies %s, exactly what it is given', (_direction, to, from) => {
    pattern(from, 5);
    for (const size of SIZES) {
      for (const at of OFFSETS) {
        pattern(to, 200);
        const around = [...to.subarray(0, at), ...to.subarray(at + size, at + size + 16)];
        const source = from.subarray(3, 3 + size);
        copyBytes(to, at, source);
        expect(Buffer.compare(to.subarray(at, at + size), source)).toBe(0);
        expect([...to.subarray(0, at), ...to.subarray(at + size, at + size + 16)]).toEqual(around);
      }
    }
  });
});
