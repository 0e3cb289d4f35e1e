/**
 * Everything a verb needs, made from its options: a machine, a backend that allows what was named
 * and nothing else, guests with their devices. Closing goes in the protocol's order: the guests
 * close sockets and devices, then the backend, then the toolstack takes the domains away.
 */
import {
  allowAddresses,
  attachPvcalls,
  createBackend,
  createMachine,
  DEFAULT_QUOTAS,
  detachPvcalls,
  type AddressRule,
  type Backend,
  type CoreOptions,
  type Domain,
  type Machine,
} from '../index.js';
import { LocalCrew, WorkerCrew, type Crew } from './crew.js';
import { Failure } from './failure.js';
import type { Options } from './options.js';
import { Timeline } from './timeline.js';

const FRAMES_PER_MIB = 256;
const GUESTS_MIB_MAX = 3584; //    of the 4095 that a machine can have
const GUEST_FRAMES_MAX = 65_536;
const GRANT_FRAMES = 128; //       65,536 grants for each domain
const GUEST_TABLES_FRAMES = 1024;
const ORDER_DEFAULT = 4;
const SOCKETS_MAX = 1000;
/** Sockets that are being closed while new ones open. */
const SOCKETS_SPARE = 24;
const CONNECT_TIMEOUT_MS = 10_000;
/** What was written goes out, however slowly it is read. */
const CLOSE_TIMEOUT_MS = 600_000;

/** A command that takes longer is given up; a kernel's own patience with a connect ends before. */
const COMMAND_TIMEOUT_MS = 150_000;

/** What can be done to the backend of a running instance. */
export const BACKEND_ACTIONS = ['stop', 'kill', 'start', 'detach'] as const;
export type BackendAction = (typeof BACKEND_ACTIONS)[number];

/** Connections a guest can carry at once with rings of this order. */
export interface Capacity {
  readonly frames: number;
  readonly sockets: number;
  readonly connections: number;
}

export function capacityOf({ ringOrder = ORDER_DEFAULT }: Options, guests: number): Capacity {
  const share = Math.floor((GUESTS_MIB_MAX * FRAMES_PER_MIB) / guests);
  const framesMax = Math.min(GUEST_FRAMES_MAX, share) - GUEST_TABLES_FRAMES;
  const cost = 2 ** ringOrder + 2;
  const sockets = Math.min(SOCKETS_MAX, Math.floor(framesMax / cost));
  return {
    frames: GUEST_TABLES_FRAMES + sockets * cost,
    sockets,
    connections: sockets - SOCKETS_SPARE,
  };
}

export class World {
  readonly machine: Machine;
  /** Another one after control('start'). */
  backend: Backend;
  readonly domains: Domain[] = [];
  readonly crews: Crew[] = [];
  readonly capacity: Capacity;
  private readonly allowed: AddressRule[] = [];
  private running = true;

  private constructor(
    private readonly options: Options,
    private readonly guests: number,
    readonly timeline: Timeline,
  ) {
    this.capacity = capacityOf(options, guests);
    this.machine = createMachine({
      memoryMiB: 128 + Math.ceil((guests * this.capacity.frames) / FRAMES_PER_MIB) + guests * 4,
      maxGrantFrames: GRANT_FRAMES,
      maxDomains: 32,
      ...(options.seed !== undefined && { seed: options.seed }),
    });
    this.backend = this.newBackend();
  }

  /** Rejects, with nothing left behind, when the devices do not connect. */
  static async open(options: Options, guests: number, timeline = new Timeline()): Promise<World> {
    const world = new World(options, guests, timeline);
    try {
      await world.build();
      return world;
    } catch (error) {
      await world.close();
      throw error;
    }
  }

  /** Lets guests connect to, or bind, this address; everything else stays denied. */
  allow(rule: AddressRule): void {
    this.allowed.push(rule);
  }

  /** The crew that has the n-th guest, and its domid. */
  guest(index: number): { crew: Crew; domid: number } {
    const { domid } = this.domains[index]!;
    return { crew: this.crews.find((crew) => crew.domids.includes(domid))!, domid };
  }

  /** Does something to the backend, while the guests run. Rejects with a Failure. */
  async control(action: BackendAction): Promise<void> {
    if (action === 'detach') return this.detach();
    if ((action === 'start') === this.running) {
      throw new Failure(this.running ? 'a backend runs already' : 'no backend runs');
    }
    if (action === 'start') this.backend = this.newBackend();
    else if (action === 'kill') this.backend.kill();
    else await this.backend.close();
    this.running = action === 'start'; // two at once would write into the same nodes
  }

  /** Sockets and devices are closed with a backend, or only when their deadlines have passed. */
  prepareClose(): void {
    if (!this.running) this.backend = this.newBackend();
    this.running = true;
  }

  /** Result: what was left behind, in words; empty when all is as it should be. */
  async close(): Promise<string[]> {
    this.prepareClose();
    await Promise.all(this.crews.map((crew) => crew.close()));
    await this.backend.close();
    await this.timeline.settle(this.machine.scheduler);
    await this.detach();
    this.timeline.close();
    for (const domain of this.domains) domain.destroy();
    const leaks = this.machine.leaks();
    this.machine.close();
    return leaks;
  }

  private newBackend(): Backend {
    return createBackend(this.machine, {
      layout: this.options.layout,
      policy: allowAddresses(this.allowed),
      splice: this.options.splice,
      quotas: { mappedPages: Math.max(DEFAULT_QUOTAS.mappedPages, this.capacity.frames) },
    });
  }

  private async detach(): Promise<void> {
    for (const { domid } of this.domains) {
      await detachPvcalls(this.machine, { frontend: domid, backend: 0 }, { forced: true });
    }
  }

  private async build(): Promise<void> {
    for (let index = 0; index < this.guests; index++) {
      const domain = this.machine.createDomain({
        name: `guest-${index + 1}`,
        frames: this.capacity.frames,
      });
      this.domains.push(domain);
      const paths = attachPvcalls(this.machine, { frontend: domain.domid, backend: 0 });
      this.timeline.watch(this.machine, domain.domid, paths);
    }
    const { layout, ringOrder, threads } = this.options;
    const core: CoreOptions = {
      layout,
      sockets: this.capacity.sockets,
      closeTimeoutMs: CLOSE_TIMEOUT_MS,
      commandTimeoutMs: COMMAND_TIMEOUT_MS,
      ...(ringOrder !== undefined && { ringOrder }),
    };
    const late = AbortSignal.timeout(CONNECT_TIMEOUT_MS);
    const opening = threads
      ? this.domains.map(({ domid }) =>
          WorkerCrew.open({ handle: this.machine.handle(), domid, options: core }),
        )
      : [LocalCrew.open(this.machine, this.domains, core, late)];
    const opened = await Promise.allSettled(opening);
    for (const result of opened) if (result.status === 'fulfilled') this.crews.push(result.value);
    const failed = opened.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }
}

/** Closes the world; throws a Failure when something was left behind: that is a bug of ours. */
export async function closeCleanly(world: World): Promise<void> {
  const leaks = await world.close();
  if (leaks.length === 0) return;
  throw new Failure(`${leaks.length} left behind in the machine:\n  ${leaks.join('\n  ')}`);
}
