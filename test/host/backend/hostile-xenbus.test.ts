/** Hostile nodes and states in xenstore. hostile.ts says what is checked each time. */
import { describe, expect, it } from 'vitest';
import { pause, recover, turn, withHostile, type HostileWorld } from './hostile.js';
import { until } from './until.js';

const HUGE = '9'.repeat(2000);

/** Like withHostile, but the guest has only been told InitWait. */
function withStranger(test: (world: HostileWorld) => Promise<void>): Promise<void> {
  return withHostile(
    async (world) => {
      await world.guest.backendReaches(2);
      await test(world);
    },
    {},
    false,
  );
}

describe('a node of the frontend', () => {
  const bad = ['', 'abc', '-1', '1.5', '0x10', ' 7', '7 ', '4294967296', '1e3', '\0', HUGE];
  for (const node of ['ring-ref', 'port']) {
    it(`${node} that is no number of 32 bits fails the device, and it comes back`, async () => {
      await withStranger(async (world) => {
        for (const value of bad) {
          world.guest.publish({ version: '1', [node]: value });
          await recover(world);
          await world.guest.close();
          world.guest.setState(1);
          await world.guest.backendReaches(2);
        }
        expect(world.device().faults).toHaveLength(bad.length);
      });
    });
  }

  it('that is absent, each in turn, fails the device', async () => {
    await withStranger(async (world) => {
      const { guest } = world;
      for (const node of ['ring-ref', 'port', 'version']) {
        guest.publish();
        guest.setState(1);
        guest.store.rm(`${guest.path}/${node}`);
        guest.setState(3);
        await recover(world);
        await guest.close();
        guest.setState(1);
        await guest.backendReaches(2);
      }
    });
  });

  it('version that is another fails the device, however long it is', async () => {
    await withStranger(async (world) => {
      for (const version of ['', '0', '2', '1,2', 'one', HUGE]) {
        world.guest.publish({ version });
        await recover(world);
        await world.guest.close();
        world.guest.setState(1);
        await world.guest.backendReaches(2);
      }
      for (const fault of world.device().faults) expect(fault.length).toBeLessThan(200);
    });
  });

  it('that names what is not its own fails the device', async () => {
    await withStranger(async (world) => {
      const { guest, neighbour } = world;
      const mine = new Set(guest.domain.ports().map(({ port }) => port));
      const theirs = neighbour.guest.domain.ports().map(({ port }) => port);
      const foreign = theirs.find((port) => !mine.has(port))!;
      const granted = new Set(guest.domain.grants().map(({ ref }) => ref));
      const grants = neighbour.guest.domain.grants().map(({ ref }) => ref);
      const ref = grants.find((candidate) => !granted.has(candidate))!;
      for (const nodes of [
        { port: String(foreign) },
        { port: '4095' },
        { port: '4294967295' },
        { 'ring-ref': String(ref) },
        { 'ring-ref': '4294967295' },
      ]) {
        guest.publish({ version: '1', ...nodes });
        await recover(world);
        await guest.close();
        guest.setState(1);
        await guest.backendReaches(2);
      }
    });
  });

  it('that changes while connected means nothing', async () => {
    await withHostile(async ({ guest, device }) => {
      for (const node of ['ring-ref', 'port', 'version']) {
        guest.store.write(`${guest.path}/${node}`, HUGE);
      }
      guest.setState(4);
      await pause(10);
      expect(device().state).toBe(4);
      expect(await guest.socket(1n)).toBe(0);
    });
  });
});

describe('the state of the frontend', () => {
  it('that is garbage ends the connection, and nothing more', async () => {
    await withStranger(async (world) => {
      for (const state of ['', 'connected', '99', '-4', HUGE]) {
        const { guest } = world;
        guest.publish();
        await guest.backendReaches(4);
        guest.store.write(`${guest.path}/state`, state);
        await until(() => guest.backendState() !== 4, 'disconnected');
        expect(world.device().mappedPages).toBe(0);
        expect(guest.unpublish()).toBe(0);
        guest.setState(6);
        await guest.backendReaches(6);
        guest.setState(1);
        await guest.backendReaches(2);
      }
    });
  });

  it('that skips, repeats and goes back leaves the device where the last one leads', async () => {
    await withStranger(async ({ guest, device }) => {
      let x = 12345;
      for (let round = 0; round < 300; round++) {
        x = (Math.imul(x, 1103515245) + 12345) >>> 0;
        guest.setState((x >>> 16) % 10);
        if (round % 3 === 0) await turn();
      }
      guest.setState(6);
      await until(() => [6, 2].includes(guest.backendState()), 'at rest');
      guest.setState(1);
      await guest.backendReaches(2);
      expect(device().mappedPages).toBe(0);
      await guest.connect();
      expect(await guest.socket(1n)).toBe(0);
    });
  });

  it('that flaps 2,000 times maps and binds nothing that stays', async () => {
    await withHostile(async ({ guest, machine, device, neighbour }) => {
      const ports = () => machine.domain(0).ports().length;
      const before = ports();
      for (let round = 0; round < 2000; round++) {
        guest.setState(round % 2 === 0 ? 1 : 3);
        if (round % 50 === 0) await turn();
        if (round % 500 === 0) await neighbour.assertWell();
      }
      guest.setState(6);
      await until(() => device().mappedPages === 0, 'let go');
      await pause(10);
      expect(ports()).toBe(before - 1);
      expect(device().faults.length).toBeLessThanOrEqual(32);
      expect(guest.unpublish()).toBe(0);
      guest.setState(1);
      await guest.backendReaches(2);
      await guest.connect();
      expect(await guest.socket(1n)).toBe(0);
    });
  });

  it('whose node is removed is that of a frontend that has gone', async () => {
    await withHostile(async (world) => {
      const { guest, device } = world;
      guest.store.rm(`${guest.path}/state`);
      await until(() => device().mappedPages === 0, 'let go');
      expect(guest.unpublish()).toBe(0);
      guest.setState(1);
      await guest.backendReaches(2);
      await guest.connect();
    });
  });
});
