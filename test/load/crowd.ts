/** A machine, its backends and many guests with many sockets, for tests and benches. */
import {
  allowAll,
  createBackend,
  createGuest,
  createMachine,
  type Backend,
  type Guest,
  type GuestSocket,
  type Machine,
} from '../../host/index.js';
import type { SocketLayer } from '../../host/backend/socket-layer.js';
import type { GuestOptions } from '../../host/net/create-guest.js';
import { EchoLayer } from './echo-layer.js';

const ECHO = { host: '10.0.0.1', port: 7 };
/** Guests started, or sockets connected, at the same time. */
const AT_ONCE = 64;
/**
 * Domain 0 has one end of every event channel, and 4095 ports: one for each guest's xenstore and
 * command ring, and one for each of its sockets. A quarter of the guests have their backend in a
 * driver domain; xenstored allows that one 1000 nodes, and a device takes 10.
 */
const DRIVEN = 4;

export interface CrowdOptions {
  readonly guests: number;
  readonly guest: GuestOptions;
  readonly memoryMiB?: number;
  readonly maxGrantFrames?: number;
  /** Sockets that one guest may have, by the backend's quota. Default 4096. */
  readonly quota?: number;
  readonly layer?: (machine: Machine) => SocketLayer;
}

export class Crowd {
  readonly guests: Guest[] = [];
  readonly sockets: GuestSocket[] = [];
  private readonly backends: Backend[];
  private readonly driver: number | undefined;

  private constructor(
    readonly machine: Machine,
    private readonly options: CrowdOptions,
  ) {
    this.driver =
      options.guests < DRIVEN
        ? undefined
        : machine.createDomain({ name: 'driver', frames: 16 }).domid;
    const layer = options.layer?.(machine) ?? new EchoLayer(machine.scheduler);
    const quotas = { sockets: options.quota ?? 4096 };
    this.backends = [0, this.driver]
      .filter((domid) => domid !== undefined)
      .map((domid) => createBackend(machine, { domid, layer, policy: allowAll, quotas }));
  }

  static async open(options: CrowdOptions): Promise<Crowd> {
    const { memoryMiB = 512, maxGrantFrames = 64, guests } = options;
    const crowd = new Crowd(createMachine({ memoryMiB, maxGrantFrames }), options);
    await inTurns(guests, (i) => crowd.start(i));
    return crowd;
  }

  /** Opens so many sockets of a guest to the echo, or to an address. */
  async connect(guest: Guest, count: number, address = ECHO): Promise<GuestSocket[]> {
    const sockets = await inTurns(count, () => guest.connect(address));
    this.sockets.push(...sockets);
    return sockets;
  }

  /** Closes everything, in order, and checks that nothing is left. */
  async close(): Promise<void> {
    await Promise.all(this.sockets.map((socket) => socket.close()));
    for (const guest of this.guests) {
      const { sockets, parked, lost } = guest.counters();
      if (sockets + parked + lost !== 0) {
        throw new Error(`guest ${guest.domid}: ${sockets} sockets, ${parked} parked, ${lost} lost`);
      }
    }
    await Promise.all(this.guests.map((guest) => guest.close()));
    for (const backend of this.backends) await backend.close();
    if (this.driver !== undefined) this.machine.domain(this.driver).destroy();
    this.machine.assertCleanedUp();
    this.machine.close();
  }

  private async start(i: number): Promise<void> {
    const backend = i % DRIVEN === DRIVEN - 1 ? this.driver : undefined;
    const options = { ...this.options.guest, ...(backend !== undefined && { backend }) };
    this.guests.push(await createGuest(this.machine, options));
  }
}

/** Results of `count` calls, so many of them at the same time. */
async function inTurns<T>(count: number, call: (i: number) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  for (let from = 0; from < count; from += AT_ONCE) {
    const turn = Array.from({ length: Math.min(AT_ONCE, count - from) }, (_, i) => call(from + i));
    results.push(...(await Promise.all(turn)));
  }
  return results;
}
