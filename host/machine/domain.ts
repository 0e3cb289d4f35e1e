/**
 * One domain, as seen from the thread that holds this object: its places in memory, its
 * hypercalls, and how it gets its upcalls. Several threads may hold an object for the same domain;
 * the domain runs on one of them.
 */
import { PAGE_SIZE } from '../../assembly/wire/page.js';
import type { EventChannels, PortStatus } from './event-channels.js';
import { EventDispatcher } from './event-dispatcher.js';
import type { GrantStatus, GrantTables } from './grant-tables.js';
import { bindHypercalls } from './hypercalls.js';
import {
  DOMAIN_FIRST_FRAME,
  DOMAIN_FRAME_COUNT,
  DOMAIN_GENERATION,
  DOMAIN_NAME,
  DOMAIN_NAME_LENGTH,
  DOMAIN_STORE_FRAME,
  DOMAIN_STORE_PORT,
  type MachineState,
} from './machine-state.js';
import type { ThreadHost } from './thread-host.js';
import type { Hypercalls } from './types.js';

/** What a domain needs of its machine. */
export interface DomainContext {
  readonly state: MachineState;
  readonly threads: ThreadHost;
  readonly channels: EventChannels;
  readonly grants: GrantTables;
  readonly destroy: (domain: Domain) => void;
}

export class Domain {
  readonly name: string;
  /** RAM for the domain to use as it likes: so many frames from the first. */
  readonly firstFrame: number;
  readonly frameCount: number;
  /** Linear addresses of shared_info and of the xenstore ring page. */
  readonly sharedInfo: number;
  readonly storePage: number;
  /** The domain's end of the event channel to xenstored. */
  readonly storePort: number;
  /** Bound to this domain; own functions, fit for a WebAssembly import object. */
  readonly hypercalls: Hypercalls;
  /** For domains run by TypeScript: handlers by port. */
  readonly events: EventDispatcher;
  /** Tells this domain from later ones with the same domid. */
  readonly generation: number;
  private running = false;

  constructor(
    private readonly context: DomainContext,
    readonly domid: number,
  ) {
    const { state } = context;
    const record = state.domainRecord(domid);
    const word = (at: number): number => state.i32[record + at]!;
    const nameAt = (record + DOMAIN_NAME) * 4;
    const name = state.u8.slice(nameAt, nameAt + word(DOMAIN_NAME_LENGTH));
    this.name = new TextDecoder().decode(name);
    this.firstFrame = word(DOMAIN_FIRST_FRAME);
    this.frameCount = word(DOMAIN_FRAME_COUNT);
    this.sharedInfo = state.sharedInfo(domid);
    this.storePage = word(DOMAIN_STORE_FRAME) * PAGE_SIZE;
    this.storePort = word(DOMAIN_STORE_PORT);
    this.generation = word(DOMAIN_GENERATION);
    this.hypercalls = bindHypercalls(state, context.channels, context.grants, domid);
    this.events = new EventDispatcher(state, context.threads, domid, (scan) => this.start(scan));
  }

  get alive(): boolean {
    const record = this.context.state.domainRecord(this.domid);
    return Atomics.load(this.context.state.i32, record + DOMAIN_GENERATION) === this.generation;
  }

  /**
   * Runs the domain on this thread. `onUpcall` is called when an upcall is due, deferred through
   * the scheduler and never inside a hypercall; it must clear the upcall byte, as a kernel does.
   * Throws when the domain already runs somewhere or is gone.
   */
  start(onUpcall: () => void): void {
    if (!this.alive) throw new Error(`start: domain ${this.domid} "${this.name}" was destroyed`);
    this.context.threads.start(this.domid, onUpcall);
    this.running = true;
  }

  /** Takes the domain off this thread; its events wait for the next start. */
  stop(): void {
    if (this.running) this.context.threads.stop(this.domid);
    this.running = false;
    this.events.reset();
  }

  /**
   * A view of frames that the domain owns or has mapped now. `count` frames must lie side by side.
   * Throws a RangeError for any other frame. The view outlives the mapping: drop it at unmap.
   */
  bytes(frame: number, count = 1): Uint8Array {
    for (let at = frame; at < frame + count; at++) {
      if (this.context.state.locked(() => this.context.grants.mayAccess(this.domid, at))) continue;
      throw new RangeError(
        `bytes: frame ${at} is neither owned nor mapped by domain ${this.domid} "${this.name}"`,
      );
    }
    return new Uint8Array(this.context.state.memory.buffer, frame * PAGE_SIZE, count * PAGE_SIZE);
  }

  /** Open event channel ports, for listings. */
  ports(): PortStatus[] {
    return this.context.state.locked(() => this.context.channels.list(this.domid));
  }

  /** Grants given now, for listings. */
  grants(): GrantStatus[] {
    return this.context.state.locked(() => this.context.grants.list(this.domid));
  }

  /**
   * Destroys the domain, as Xen does: its ports close and peers become unbound, its grants go, its
   * mappings are undone; frames that others still map stay until they are unmapped.
   * Only on the thread that created the machine.
   */
  destroy(): void {
    if (this.alive) this.context.destroy(this);
  }
}
