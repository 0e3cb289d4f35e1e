/** `linux` mode: what Linux's pvcalls-back is known to do, defects included. */
import { describe, expect, it } from 'vitest';
import * as errno from '../../../assembly/wire/errno.js';
import * as wire from '../../../assembly/wire/pvcalls.js';
import { dial, echo, serve } from './servers.js';
import { SlowLayer } from './slow-layer.js';
import { withGuest } from './test-guest.js';
import { TestRing } from './test-ring.js';

const mode = 'linux';

describe('linux mode', () => {
  it('offers order 4, refuses more with EFAULT, and takes order 0', async () => {
    await withGuest(
      async ({ guest }) => {
        await using server = await serve(echo);
        expect(guest.store.read(`${guest.backendPath}/max-page-order`)).toBe('4');
        expect(() => guest.store.read(`${guest.backendPath}/feature-reset`)).toThrow();
        const big = new TestRing(guest, 5);
        expect(await guest.connectTo(1n, big, server.port)).toBe(-errno.EFAULT);
        big.free();
        const small = new TestRing(guest, 0);
        expect(await guest.connectTo(1n, small, server.port)).toBe(0);
        await small.write(Buffer.from('tiny'));
        expect(String(await small.readExactly(4))).toBe('tiny');
        expect(await guest.release(1n, 1)).toBe(0); // reuse is ignored
        small.free();
      },
      { mode },
    );
  });

  it('keeps no state of SOCKET and answers other families with EAFNOSUPPORT', async () => {
    await withGuest(
      async ({ guest }) => {
        await using server = await serve(echo);
        expect(await guest.socket(1n, 10)).toBe(-errno.EAFNOSUPPORT);
        expect(await guest.socket(1n)).toBe(0);
        expect(await guest.socket(1n)).toBe(0);
        const rings = [new TestRing(guest, 1), new TestRing(guest, 1)];
        for (const ring of rings) expect(await guest.connectTo(9n, ring, server.port)).toBe(0);
        for (const ring of rings) {
          expect(await guest.release(9n)).toBe(0); // of two with one id, the first goes first
          ring.free();
        }
      },
      { mode },
    );
  });

  it('handles no other command while it connects', async () => {
    const layer = new SlowLayer();
    await withGuest(
      async ({ guest }) => {
        const ring = new TestRing(guest, 1);
        const connect = guest.connectTo(1n, ring, 80);
        let answered = false;
        const release = guest.release(5n).then((ret) => ((answered = true), ret));
        await new Promise((resolve) => setTimeout(resolve, 30));
        expect(answered).toBe(false);
        layer.connects[0]!.done(-errno.ETIMEDOUT);
        expect(await connect).toBe(-errno.ETIMEDOUT);
        expect(await release).toBe(0);
        ring.free();
      },
      { mode, layer },
    );
  });

  it('answers a second ACCEPT or POLL with EINTR, and drops the first at RELEASE', async () => {
    await withGuest(
      async ({ guest, backend }) => {
        expect(await guest.listen(1n)).toBe(-errno.EINVAL);
        expect(await guest.bind(1n, 0)).toBe(0);
        expect(await guest.bind(1n, 0)).toBe(-errno.EEXIST);
        expect(await guest.listen(1n)).toBe(0);
        const ring = new TestRing(guest, 1);
        const accept = guest.accept(1n, 2n, ring);
        expect(await guest.poll(1n)).toBe(-errno.EINTR);
        expect(await guest.accept(1n, 3n, ring)).toBe(-errno.EINTR);
        const client = await dial(guest.boundPort(1n));
        expect(await accept).toBe(0);
        expect(await guest.release(2n)).toBe(0);
        ring.free();
        client.destroy();

        void guest.poll(1n);
        expect(await guest.release(1n)).toBe(0);
        expect(backend.devices()[0]!.outstanding).toBe(1);
      },
      { mode },
    );
  });

  it('never answers POLL on an id that it does not know', async () => {
    await withGuest(
      async ({ guest, backend }) => {
        guest.put(wire.PVCALLS_POLL, 77n);
        guest.push();
        expect(await guest.release(1n)).toBe(0);
        expect(backend.devices()[0]!.outstanding).toBe(1);
      },
      { mode },
    );
  });
});
