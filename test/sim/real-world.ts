/**
 * A world on real time and real sockets of 127.0.0.1, with its guests in this thread or in workers.
 * Nothing here is a function of a seed but what the workload draws; it is held to the same rules.
 */
import { once } from 'node:events';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { createBackend, type Backend } from '../../host/backend/index.js';
import { createGuest, type Address, type Guest } from '../../host/index.js';
import {
  attachPvcalls,
  createMachine,
  detachPvcalls,
  Random,
  type Domain,
  type Machine,
} from '../../host/machine/index.js';
import { EACCES } from '../../assembly/wire/errno.js';
import type { Talk } from './conversation.js';
import { newWorkCounts, type Env } from './env.js';
import { assertNothingHeld, Bystander } from './guards.js';
import { Ledger, type Claim } from './ledger.js';
import { attach, Caller, Responder } from './programs.js';
import { locate, seedOf } from './seeded-world.js';

export const DENIED = { host: '127.0.0.1', port: 13 };
export const REFUSED = { host: '127.0.0.1', port: 9 };
const SETTLE_MS = 5_000;
const FRAMES_PER_MIB = 256;

export interface RealOptions {
  readonly seed: number;
  readonly layout?: 'v1' | 'v7';
  /** As BackendOptions has it. */
  readonly splice?: boolean;
  /** Memory of each guest, in MiB. Default 4. */
  readonly memoryMiB?: number;
}

/** What a guest's surroundings are made of, in whatever thread it runs; structured-cloneable. */
export interface GuestPlace {
  readonly seed: number;
  readonly domid: number;
  readonly layout: 'v1' | 'v7';
  readonly server: Address;
}

export class RealWorld {
  readonly machine: Machine;
  readonly ledger = new Ledger();
  readonly claims: Claim[] = [];
  backend: Backend;
  private readonly bystander: Bystander;
  private readonly domains: Domain[] = [];
  private readonly sockets = new Set<net.Socket>();

  private constructor(
    private readonly options: RealOptions,
    private readonly server: net.Server,
  ) {
    const { seed } = options;
    this.machine = createMachine({ seed, memoryMiB: 64, maxDomains: 8, maxGrantFrames: 8 });
    this.backend = this.newBackend();
    this.bystander = new Bystander(this.machine.createDomain({ name: 'bystander', frames: 4 }));
    server.on('connection', (socket) => this.run(socket, new Responder(this.ledger)));
  }

  static async open(options: RealOptions): Promise<RealWorld> {
    const server = net.createServer({ allowHalfOpen: true, noDelay: true });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new RealWorld(options, server);
  }

  newBackend(): Backend {
    return createBackend(this.machine, {
      layout: this.options.layout ?? 'v1',
      splice: this.options.splice ?? true,
      policy: ({ command, address }) =>
        command === 'connect' && address?.port === DENIED.port ? -EACCES : 'allow',
    });
  }

  /** A domain with a device, for a guest in any thread. */
  newPlace(): GuestPlace {
    const { seed, layout = 'v1', memoryMiB = 4 } = this.options;
    const frames = memoryMiB * FRAMES_PER_MIB;
    const domain = this.machine.createDomain({ name: 'guest', frames });
    this.domains.push(domain);
    attachPvcalls(this.machine, { frontend: domain.domid, backend: 0 });
    const { port } = this.server.address() as net.AddressInfo;
    return { seed, domid: domain.domid, layout, server: { host: '127.0.0.1', port } };
  }

  locate(host: string): Address {
    return locate(this.backend, host);
  }

  dial(address: Address, talk: Talk): void {
    const socket = net.connect({ ...address, allowHalfOpen: true, noDelay: true });
    this.run(socket, new Caller(this.ledger, talk));
  }

  /** The guests are closed: closes the rest, and checks everything that must hold then. */
  async close(): Promise<void> {
    const deadline = performance.now() + SETTLE_MS;
    while (!this.ledger.settled(this.claims) && performance.now() < deadline) await sleep(2);
    for (const { domid } of this.domains) {
      await detachPvcalls(this.machine, { frontend: domid, backend: 0 }, { forced: true });
    }
    await this.backend.close();
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
    const disputes = this.ledger.disputes(this.claims);
    if (disputes.length > 0) throw new Error(disputes.join('\n'));
    this.bystander.assertUnchanged();
    assertNothingHeld(this.machine);
    for (const domain of this.domains) domain.destroy();
    this.machine.assertCleanedUp();
    this.machine.close();
  }

  private run(socket: net.Socket, program: Responder | Caller): void {
    this.sockets.add(socket);
    socket.on('close', () => this.sockets.delete(socket));
    attach(socket, program);
  }
}

/** Makes the guest of a place; `machine` is this thread's. */
export function guestAt(machine: Machine, { domid, layout }: GuestPlace): Promise<Guest> {
  const domain = machine.domain(domid);
  const signal = AbortSignal.timeout(SETTLE_MS);
  return createGuest(machine, { domain, sockets: 64, layout, signal });
}

/** What of an Env reaches out of the guest's thread. */
export type Outside = Pick<Env, 'locate' | 'dial'>;

let nextHost = 2;

export function envAt(place: GuestPlace, guest: Guest, outside: Outside): Env {
  const { scheduler } = guest.machine;
  const { seed, layout, server } = place;
  let nextId = place.domid << 20;
  return {
    guest,
    orders: layout === 'v7' ? [0, 1, 2] : [1, 2, 4],
    randomFor: (job) => new Random(seedOf(`${seed} ${job}`)),
    pause: (ms) => new Promise((resolve) => void scheduler.after(ms, resolve)),
    server,
    refused: REFUSED,
    denied: DENIED,
    ownHost: () => `127.${place.domid}.0.${nextHost++}`,
    newId: () => (nextId += 2),
    claims: [],
    counts: newWorkCounts(),
    running: new Set(),
    ...outside,
  };
}
