/** What the tests of the machine share. */
import { afterEach, expect } from 'vitest';

import { ARM64_EVTCHN_PENDING } from '../../../assembly/wire/shared-info.js';
import {
  createMachine,
  type Domain,
  type Machine,
  type MachineOptions,
} from '../../../host/machine/index.js';

const open: Machine[] = [];

afterEach(() => {
  for (const machine of open.splice(0)) machine.close();
});

/** A small machine that is closed after the test. */
export function machineFor(options: MachineOptions = {}): Machine {
  const machine = createMachine({ memoryMiB: 64, maxDomains: 32, maxGrantFrames: 2, ...options });
  open.push(machine);
  return machine;
}

export function guestOn(machine: Machine, name = 'guest', frames = 16): Domain {
  return machine.createDomain({ name, frames });
}

/** Lets deferred work happen. */
export async function settle(turns = 6): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await new Promise((done) => setImmediate(done));
}

/** Waits until something holds; fails after two seconds. */
export async function until(holds: () => boolean): Promise<void> {
  const deadline = Date.now() + 2_000;
  while (!holds()) {
    expect(Date.now(), 'the time to wait').toBeLessThan(deadline);
    await new Promise((done) => setTimeout(done, 1));
  }
}

/** The domain's pending bit of a port, arm64 layout. */
export function isPending(machine: Machine, domain: Domain, port: number): boolean {
  const bytes = new Uint8Array(machine.memory.buffer);
  const byte = bytes[domain.sharedInfo + ARM64_EVTCHN_PENDING + (port >>> 3)]!;
  return ((byte >> (port & 7)) & 1) === 1;
}

/** A channel between two domains: the port of each. */
export function channelBetween(offering: Domain, binding: Domain): [number, number] {
  const offered = offering.hypercalls.evtchn_alloc_unbound(binding.domid);
  const bound = binding.hypercalls.evtchn_bind_interdomain(offering.domid, offered);
  expect(offered).toBeGreaterThan(0);
  expect(bound).toBeGreaterThan(0);
  return [offered, bound];
}

/** The `code` of what a call throws. */
export function codeOf(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
  return 'nothing thrown';
}
