/**
 * One seeded run: a whole world on virtual time in one thread, from the machine to the last frame.
 * Everything in it is the real thing but the sockets, which are scripted.
 */
import {
  createBackend,
  ScriptedLayer,
  type Backend,
  type SocketLayer,
} from '../../host/backend/index.js';
import { createGuest, loadCore, type Guest } from '../../host/index.js';
import {
  attachPvcalls,
  createMachine,
  detachPvcalls,
  Random,
  SeededScheduler,
  type GrantStatus,
  type Machine,
} from '../../host/machine/index.js';
import { GNTTAB_NR_RESERVED_ENTRIES } from '../../assembly/wire/grant-table.js';
import { EACCES } from '../../assembly/wire/errno.js';
import { assertNothingHeld, Bystander, FrameGuard } from './guards.js';
import type { Talk } from './conversation.js';
import { newWorkCounts, type Env } from './env.js';
import { ForeignGuest } from './foreign.js';
import { Ledger, type Claim } from './ledger.js';
import { planOf, type Plan } from './plan.js';
import { Caller, Responder } from './programs.js';
import { Trace } from './trace.js';

const SERVER = { host: '10.0.0.1', port: 7 };
const REFUSED = { host: '10.0.0.2', port: 9 };
const DENIED = { host: '10.0.0.3', port: 13 };
const GUEST_FRAMES = 640;
const MAX_STEPS = 300_000; // a run takes less than a tenth of that
const FOREIGN_FRAMES = 64;
const FIRST_OWN_HOST = 10;

export interface WorldOptions {
  /** Instead of what the seed says. */
  readonly plan?: Partial<Plan>;
  /** What stands between the backend and the scripted layer. */
  readonly layer?: (scripted: ScriptedLayer) => SocketLayer;
  /** Guests begin in memory full of what rings may hold, and frames are not poisoned. */
  readonly garbage?: boolean;
}

/** A guest of a seeded world, with what is checked about its memory. */
export interface Tenant {
  readonly env: Env;
  readonly guest: Guest;
  readonly guard: FrameGuard;
}

export class SeededWorld {
  readonly plan: Plan;
  readonly scheduler: SeededScheduler;
  readonly machine: Machine;
  readonly scripted: ScriptedLayer;
  readonly trace: Trace;
  readonly ledger = new Ledger();
  readonly tenants: Tenant[] = [];
  backend: Backend;
  private readonly bystanders: Bystander[];
  private readonly foreignClaims: Claim[] = [];
  private readonly foreign: ForeignGuest[] = [];
  private nextHost = FIRST_OWN_HOST;
  private nextId = 1;

  /** Use create. */
  private constructor(
    seed: number,
    private readonly options: WorldOptions,
  ) {
    const plan = { ...planOf(seed), ...options.plan };
    this.plan = plan;
    this.scheduler = new SeededScheduler(seed * 8 + 2);
    this.machine = createMachine({
      scheduler: this.scheduler,
      seed: seed * 8 + 3,
      architecture: plan.architecture,
      memoryMiB: 16,
      maxDomains: 8,
      maxGrantFrames: 2,
      poison: options.garbage !== true,
    });
    this.trace = new Trace(this.scheduler);
    this.trace.watch(this.machine.domain(0));
    this.scripted = new ScriptedLayer({ ...plan, scheduler: this.scheduler, seed: seed * 8 + 4 });
    this.scripted.serve(SERVER, () => new Responder(this.ledger));
    this.backend = this.newBackend();
    this.bystanders = [this.newBystander()];
  }

  static async create(seed: number, options: WorldOptions = {}): Promise<SeededWorld> {
    await loadCore(); // from a file, and that is real time: before virtual time begins
    return new SeededWorld(seed, options);
  }

  newBackend(): Backend {
    const { layout, mode, keepReused, splice } = this.plan;
    return createBackend(this.machine, {
      layer: this.options.layer?.(this.scripted) ?? this.scripted,
      layout,
      mode,
      keepReused,
      splice,
      policy: ({ command, address }) =>
        command === 'connect' && address?.port === DENIED.port ? -EACCES : 'allow',
    });
  }

  /** Runs the world until the work is done. Rejects as the work does. */
  async during<T>(work: Promise<T>): Promise<T> {
    let over = false;
    const ended = (): void => void (over = true);
    work.then(ended, ended);
    await this.scheduler.run(() => over, { maxSteps: MAX_STEPS });
    return work;
  }

  /** A guest whose device is connected, between two domains that take no part. */
  newTenant(): Promise<Tenant> {
    return this.during(this.startTenant());
  }

  /** The same, for who runs the world meanwhile. */
  async startTenant(): Promise<Tenant> {
    const { plan, machine } = this;
    const domain = machine.createDomain({ name: 'guest', frames: GUEST_FRAMES });
    this.bystanders.push(this.newBystander());
    const garbage = this.options.garbage === true ? new Random(plan.seed * 8 + 6) : undefined;
    const guard = new FrameGuard(machine, domain, garbage);
    this.trace.watch(domain);
    attachPvcalls(machine, { frontend: domain.domid, backend: 0 });
    const { layout, reuse, firstIndex, commandTimeoutMs } = plan;
    const guest = await createGuest(machine, {
      domain,
      sockets: 64,
      layout,
      reuse,
      firstIndex,
      commandTimeoutMs,
    });
    const tenant = { env: this.envOf(guest), guest, guard };
    this.tenants.push(tenant);
    return tenant;
  }

  /** The guest is saved, and restored with a device of its own: resumed when this resolves. */
  async moveTenant({ guest, guard }: Tenant): Promise<void> {
    const { machine } = this;
    const device = { frontend: guest.domid, backend: 0 };
    guest.suspend();
    await detachPvcalls(machine, device, { forced: true });
    await this.scheduler.run(() => guest.domain.grants().every(isUnmapped));
    const domain = machine.restoreDomain(guest.domain);
    guard.restored(domain);
    this.trace.watch(domain);
    attachPvcalls(machine, device);
    await this.during(guest.resume());
  }

  /** A frontend that is not ours comes, works, and goes. */
  async foreignWork(): Promise<void> {
    const { machine, backend, plan, foreignClaims } = this;
    const guest = new ForeignGuest(machine, backend, FOREIGN_FRAMES);
    const talks = (['echo', 'down', 'up'] as const).map((mode): Talk => ({
      mode,
      id: this.newId(),
      length: 20_000,
      after: 0,
    }));
    await guest.work(plan, { server: SERVER, talks, claims: foreignClaims });
    const device = { frontend: guest.domain.domid, backend: 0 };
    await detachPvcalls(machine, device, { forced: true });
    this.foreign.push(guest);
  }

  /** Closes guests and backend, and checks everything that must hold then. */
  async close(): Promise<void> {
    const claims = [this.foreignClaims, ...this.tenants.map(({ env }) => env.claims)].flat();
    await this.scheduler
      .run(() => this.ledger.settled(claims))
      .catch((cause: Error) => {
        const sentences = [cause.message, ...this.ledger.disputes(claims)];
        throw new Error(sentences.join('\n'), { cause });
      });
    for (const { guest, guard } of this.tenants) {
      await this.during(guest.close());
      const { framesFree, parked } = guest.counters();
      if (parked !== 0) throw new Error(`${parked} frames are still parked`);
      guard.lookAtEnd(framesFree);
      const device = { frontend: guest.domid, backend: 0 };
      await this.during(detachPvcalls(this.machine, device, { forced: true }));
    }
    await this.during(this.backend.close());
    const disputes = [
      ...this.ledger.disputes(claims),
      ...this.tenants.flatMap(({ guard }) => guard.violations),
    ];
    if (disputes.length > 0) throw new Error(disputes.join('\n'));
    for (const bystander of this.bystanders) bystander.assertUnchanged();
    assertNothingHeld(this.machine);
    const guests = [...this.tenants.map(({ guest }) => guest), ...this.foreign];
    for (const { domain } of guests) domain.destroy();
    this.machine.assertCleanedUp();
    this.machine.close();
  }

  private newBystander(): Bystander {
    return new Bystander(this.machine.createDomain({ name: 'bystander', frames: 4 }));
  }

  private newId(): number {
    return (this.nextId += 2);
  }

  private envOf(guest: Guest): Env {
    const { scheduler, plan } = this;
    return {
      guest,
      orders: plan.orders,
      randomFor: (job) => new Random(seedOf(`${plan.seed} ${guest.domid} ${job}`)),
      pause: (ms) => new Promise((resolve) => void scheduler.after(ms, resolve)),
      server: SERVER,
      refused: REFUSED,
      denied: DENIED,
      ownHost: () => `10.0.1.${this.nextHost++}`,
      locate: async (host) => locate(this.backend, host),
      dial: (address, talk) => this.scripted.dial(address, new Caller(this.ledger, talk)),
      newId: () => this.newId(),
      claims: [],
      counts: newWorkCounts(),
      running: new Set(),
    };
  }
}

/** Xenstored maps its page as long as the domain lives. */
const isUnmapped = ({ ref, maps }: GrantStatus): boolean =>
  maps === 0 || ref < GNTTAB_NR_RESERVED_ENTRIES;

/** The address at which a guest of this backend listens on that host. */
export function locate(backend: Backend, host: string): { host: string; port: number } {
  const sockets = backend.devices().flatMap((device) => device.sockets);
  const found = sockets.find(
    ({ state, address }) => state === 'listening' && address?.host === host,
  );
  if (found?.address === undefined) throw new Error(`nobody listens on ${host}`);
  return found.address;
}

/** A seed from words (FNV-1a). */
export function seedOf(words: string): number {
  let hash = 0x811c9dc5;
  for (const letter of words) hash = Math.imul(hash ^ letter.charCodeAt(0), 0x01000193);
  return hash >>> 0;
}
