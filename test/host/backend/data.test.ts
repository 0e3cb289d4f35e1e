/** Bytes through data rings, against real servers. Spec: pvcalls, "Data ring". */
import { describe, expect, it } from 'vitest';
import { dial, echo, pattern, serve, sha256 } from './servers.js';
import { withGuest } from './test-guest.js';
import { TestRing } from './test-ring.js';

describe('a connected socket', () => {
  for (const order of [1, 2, 3, 4, 9]) {
    it(`carries bytes both ways through a ring of order ${order}, pages in any order`, async () => {
      await withGuest(async ({ guest }) => {
        await using server = await serve(echo);
        const ring = await guest.open(7n, server.port, order);
        const bytes = pattern(300_000);
        const [back] = await Promise.all([ring.readExactly(bytes.length), ring.write(bytes)]);
        expect(sha256(back)).toBe(sha256(bytes));
        expect(await guest.release(7n)).toBe(0);
        ring.free();
      });
    });
  }

  it('carries 8 MiB each way at once, byte for byte', async () => {
    await withGuest(async ({ guest }) => {
      await using server = await serve(echo);
      const ring = await guest.open(1n, server.port, 4);
      const bytes = pattern(8 << 20);
      const [back] = await Promise.all([ring.readExactly(bytes.length), ring.write(bytes)]);
      expect(sha256(back)).toBe(sha256(bytes));
      expect(await guest.release(1n)).toBe(0);
      ring.free();
    });
  });
});

describe('an accepted socket', () => {
  it('carries 8 MiB each way at once, byte for byte', async () => {
    await withGuest(async ({ guest }) => {
      expect(await guest.socket(1n)).toBe(0);
      expect(await guest.bind(1n, 0)).toBe(0);
      expect(await guest.listen(1n)).toBe(0);
      const ring = new TestRing(guest, 3);
      const [client, accepted] = await Promise.all([
        dial(guest.boundPort(1n)),
        guest.accept(1n, 2n, ring),
      ]);
      expect(accepted).toBe(0);
      echo(client);
      const bytes = pattern(8 << 20);
      const [back] = await Promise.all([ring.readExactly(bytes.length), ring.write(bytes)]);
      expect(sha256(back)).toBe(sha256(bytes));
      expect(await guest.release(2n)).toBe(0);
      expect(await guest.release(1n)).toBe(0);
      ring.free();
      client.destroy();
    });
  });
});
