/** Guests that mean it: any number anywhere. Nothing throws, nothing leaks, others go on. */
import { describe, expect, it } from 'vitest';
import * as data from '../../../assembly/wire/data-ring.js';
import * as wire from '../../../assembly/wire/pvcalls.js';
import { echoScript, ScriptedLayer, type BackendMode } from '../../../host/backend/index.js';
import { LoopScheduler, Random } from '../../../host/machine/index.js';
import { echo, serve } from './servers.js';
import { sockaddr, TestGuest, withGuest, type Fields } from './test-guest.js';
import { TestRing } from './test-ring.js';

const HOST = '10.0.0.1';
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Mostly numbers that mean something, so that the nonsense gets far. */
function chanceFields(random: Random, rings: TestRing[], cmd: number): Fields {
  const ring = random.pick(rings);
  const odd = () => random.pick([0, 1, 7, 0x7fffffff, 0x80000000, 0xffffffff, random.u32()]);
  const or = (value: number) => (random.chance(0.8) ? value : odd());
  switch (cmd) {
    case wire.PVCALLS_SOCKET:
      return { [wire.SOCKET_DOMAIN]: or(2), [wire.SOCKET_TYPE]: or(1), [wire.SOCKET_PROTOCOL]: 0 };
    case wire.PVCALLS_CONNECT:
      return {
        [wire.CONNECT_LEN]: or(16),
        [wire.CONNECT_REF]: or(ring.ref),
        [wire.CONNECT_EVTCHN]: or(ring.port),
      };
    case wire.PVCALLS_BIND:
      return { [wire.BIND_LEN]: or(16) };
    case wire.PVCALLS_ACCEPT:
      return {
        [wire.ACCEPT_ID_NEW]: BigInt(random.below(6)),
        [wire.ACCEPT_REF]: or(ring.ref),
        [wire.ACCEPT_EVTCHN]: or(ring.port),
      };
    default:
      return { [wire.LISTEN_BACKLOG]: odd() };
  }
}

describe('a guest that sends anything at all', () => {
  for (const mode of ['full', 'linux'] as BackendMode[]) {
    it(`harms nobody in ${mode} mode, and leaves nothing behind`, async () => {
      const random = new Random(mode.length);
      const layer = new ScriptedLayer({ scheduler: new LoopScheduler(), seed: 5, delayMaxMs: 1 });
      layer.serve({ host: HOST, port: 7 }, echoScript);
      await withGuest(
        async ({ guest, machine, backend }) => {
          const other = new TestGuest(machine, backend, 64);
          await other.connect();
          const rings = Array.from({ length: 6 }, () => new TestRing(guest, 1));
          let sent = 0;
          for (let round = 0; round < 600 && guest.backendState() === 4; round++) {
            for (let i = 0; i < 3 && sent - guest.answered.length < 32; i++, sent++) {
              const cmd = random.below(8);
              const address = sockaddr(HOST, random.pick([7, 80, 81]), random.pick([2, 2, 2, 10]));
              const addressed = cmd === wire.PVCALLS_CONNECT || cmd === wire.PVCALLS_BIND;
              const fields = chanceFields(random, rings, cmd);
              const id = BigInt(random.below(6));
              guest.put(cmd, id, fields, addressed ? address : undefined);
            }
            guest.push();
            const ring = random.pick(rings);
            if (random.chance(0.2)) ring.store(random.pick([0, 4, 8, 64, 68, 72]), random.u32());
            if (random.chance(0.2)) ring.store(data.OUT_PROD, ring.load(data.OUT_CONS) + 100);
            if (random.chance(0.2)) ring.store(data.IN_PROD, ring.load(data.IN_CONS));
            ring.notify();
            await turn();
          }
          expect(guest.answered.length).toBeGreaterThan(30);
          expect(await other.socket(1n)).toBe(0);
          await other.close();
          other.store.close();
          await guest.close();
          for (const ring of rings) ring.free();
        },
        { mode, layer },
      );
    });
  }
});

describe('memory that was let go of', () => {
  it('is not written to by a stream that still receives', async () => {
    await withGuest(async ({ guest }) => {
      await using server = await serve(echo);
      for (let round = 0; round < 20; round++) {
        const ring = await guest.open(1n, server.port, 3);
        await ring.write(Buffer.alloc(8000, 1));
        expect(await guest.release(1n)).toBe(0);
        const frames = [ring.indexesFrame, ...ring.frames];
        ring.free();
        const copies = () => frames.map((frame) => guest.words(frame).join());
        const before = copies();
        await turn();
        await turn();
        expect(copies()).toEqual(before);
      }
    });
  });
});
