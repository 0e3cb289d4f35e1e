/** A backend takes a device over from one that closed, or that died without a word. */
import { describe, expect, it } from 'vitest';
import { createBackend, type Backend } from '../../../host/backend/index.js';
import { createMachine } from '../../../host/machine/index.js';
import { TestGuest } from './test-guest.js';

type Run = (guest: TestGuest, first: Backend, next: () => Backend) => Promise<void>;

async function withTwoBackends(run: Run): Promise<void> {
  const machine = createMachine({ memoryMiB: 8, maxDomains: 8, maxGrantFrames: 4 });
  const first = createBackend(machine, { policy: () => 'allow' });
  let second: Backend | undefined;
  const guest = new TestGuest(machine, first, 64);
  await run(guest, first, () => (second = createBackend(machine, { policy: () => 'allow' })));
  await second!.close();
  guest.store.close();
  machine.close();
  machine.assertCleanedUp();
}

/** Lets everything happen that is under way. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
}

/** The guest closes its old life and begins a new one, which works. */
async function beginAgain(guest: TestGuest): Promise<void> {
  guest.setState(5);
  await settle();
  expect(guest.backendState()).toBe(2);
  expect(guest.unpublish()).toBe(0);
  guest.setState(6);
  await settle();
  expect(guest.backendState()).toBe(2);
  guest.setState(1);
  await guest.connect();
  expect(await guest.socket(1n)).toBe(0);
  await guest.close();
}

describe('a backend that takes over', () => {
  it('from one that was killed leaves a ring in mid-life alone, and waits', () =>
    withTwoBackends(async (guest, first, next) => {
      await guest.connect();
      expect(await guest.socket(1n)).toBe(0);
      first.kill();
      expect(guest.backendState()).toBe(4); // nothing was said
      next();
      await guest.backendReaches(2);
      await settle();
      expect(guest.backendState()).toBe(2);
      await beginAgain(guest);
    }));

  it('waits for a guest that answers the end of the one before', () =>
    withTwoBackends(async (guest, first, next) => {
      await guest.backendReaches(2);
      await first.close();
      guest.publish(); // it has not seen yet that the backend is Closed
      next();
      await guest.backendReaches(4);
      await beginAgain(guest); // now it has
    }));

  it('closes with a guest that was Connected to it', () =>
    withTwoBackends(async (guest, first, next) => {
      await guest.backendReaches(2);
      await first.close();
      next();
      await guest.connect();
      expect(await guest.socket(1n)).toBe(0);
      await guest.close();
    }));
});
