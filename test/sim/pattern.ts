/**
 * Bytes whose value follows from the stream they belong to and their place in it, so that a byte
 * which is lost, invented, repeated or moved shows at once, with its position. The period is prime:
 * no power of two, and so no ring and no page, maps the pattern onto itself.
 */
import { Random } from '../../host/machine/index.js';

const PERIOD = 65521;

const table = makeTable();

function makeTable(): Uint8Array {
  const random = new Random(20_240_601);
  const once = Uint8Array.from({ length: PERIOD }, () => random.below(256));
  const twice = new Uint8Array(2 * PERIOD);
  twice.set(once);
  twice.set(once, PERIOD);
  return twice;
}

/** A contiguous piece of the pattern, at most PERIOD bytes, at `offset` of stream `id`. */
function piece(id: number, offset: number, count: number): Uint8Array {
  const start = ((id % PERIOD) * 7919 + offset) % PERIOD;
  return table.subarray(start, start + Math.min(count, PERIOD));
}

/** Writes what stream `id` has at `offset` and after. */
export function fill(into: Uint8Array, id: number, offset: number): void {
  for (let done = 0; done < into.length;) {
    const part = piece(id, offset + done, into.length - done);
    into.set(part, done);
    done += part.length;
  }
}

export function patternOf(id: number, offset: number, count: number): Uint8Array {
  const bytes = new Uint8Array(count);
  fill(bytes, id, offset);
  return bytes;
}

/** Throws, naming the first byte that is not what stream `id` has there. */
export function check(bytes: Uint8Array, id: number, offset: number): void {
  for (let done = 0; done < bytes.length;) {
    const part = piece(id, offset + done, bytes.length - done);
    const got = bytes.subarray(done, done + part.length);
    if (Buffer.compare(got, part) !== 0) {
      const at = part.findIndex((byte, i) => byte !== got[i]);
      throw new Error(
        `stream ${id}: byte ${offset + done + at} is ${got[at]}, not ${part[at]} ` +
          `(${bytes.length} bytes came at ${offset})`,
      );
    }
    done += part.length;
  }
}
