/** Making a guest: its domain and device nodes if there are none yet, its core, its connection. */
import { loadCore } from '../core/load.js';
import { attachPvcalls, detachPvcalls, type Domain, type Machine } from '../machine/index.js';
import { Guest } from './guest.js';
import type { CoreOptions } from './options.js';

export interface GuestOptions extends CoreOptions {
  /** Name of the new domain. Default 'guest'. */
  name?: string;
  /** Memory of the new domain. Default 64. */
  memoryMiB?: number;
  /** Domid of the backend for the new device. Default 0. */
  backend?: number;
  /** A domain with a device that exists already: nothing is created, and nothing removed later. */
  domain?: Domain;
  /** Gives up waiting for the device to connect. */
  signal?: AbortSignal;
}

const FRAMES_PER_MIB = 256;

/**
 * A guest whose PV Calls device is connected. Rejects, leaving nothing behind, with a
 * PeerFaultError when the backend's offer cannot be used, or with the signal's reason.
 */
export async function createGuest(machine: Machine, options: GuestOptions = {}): Promise<Guest> {
  const core = await loadCore();
  const domain = options.domain ?? makeDomain(machine, options);
  const dispose = async (): Promise<void> => {
    if (options.domain !== undefined) return;
    await detachPvcalls(machine, deviceOf(domain, options), { forced: true });
    machine.domain(domain.domid).destroy();
  };
  let guest: Guest | undefined;
  try {
    guest = new Guest(machine, domain, core, options, dispose);
    return await guest.connected(options.signal);
  } catch (error) {
    await (guest === undefined ? dispose() : guest.close());
    throw error;
  }
}

function makeDomain(machine: Machine, options: GuestOptions): Domain {
  const frames = (options.memoryMiB ?? 64) * FRAMES_PER_MIB;
  const domain = machine.createDomain({ name: options.name ?? 'guest', frames });
  attachPvcalls(machine, deviceOf(domain, options));
  return domain;
}

function deviceOf(domain: Domain, options: GuestOptions) {
  return { frontend: domain.domid, backend: options.backend ?? 0 };
}
