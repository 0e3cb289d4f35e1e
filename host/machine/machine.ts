/**
 * The simulated Xen: one shared WebAssembly memory whose frames belong to domains, with grant
 * tables, event channels and domains kept inside it, and xenstored on the thread that created it.
 * Other threads open the same machine through its handle and make hypercalls directly.
 * Nothing but discipline keeps domains apart in one memory; `Domain.bytes` checks it.
 */
import {
  GNTTAB_NR_RESERVED_ENTRIES,
  GNTTAB_RESERVED_XENSTORE,
} from '../../assembly/wire/grant-table.js';
import { PAGE_SIZE } from '../../assembly/wire/page.js';
import { Domain, type DomainContext } from './domain.js';
import { EventChannels } from './event-channels.js';
import { Frames } from './frames.js';
import { GrantTables, type GrantStatus } from './grant-tables.js';
import { findLeaks } from './leaks.js';
import {
  DOMAIN_FIRST_FRAME,
  DOMAIN_FRAME_COUNT,
  DOMAIN_GENERATION,
  DOMAIN_NAME,
  DOMAIN_NAME_LENGTH,
  DOMAIN_NAME_MAX,
  DOMAIN_STATE,
  DOMAIN_STORE_FRAME,
  DOMAIN_STORE_PORT,
  DOMAIN_STORE_REMOTE_PORT,
  DOMAIN_THREAD,
  HEADER_NEXT_DOMID,
  MachineState,
  STATE_ALIVE,
  STATE_DYING,
  STATE_FREE,
} from './machine-state.js';
import { randomSeed } from './random.js';
import { LoopScheduler, type Scheduler } from './scheduler.js';
import { ThreadHost, type MachineCounters } from './thread-host.js';
import type { Architecture, DomainOptions, MachineHandle, MachineOptions } from './types.js';
import { XenStore } from './xenstored/store.js';

const ENTRIES_PER_GRANT_FRAME = 512;
const DOMAIN_0_FRAMES = 256;

export class Machine {
  readonly memory: WebAssembly.Memory;
  readonly architecture: Architecture;
  private readonly frames: Frames;
  private readonly grants: GrantTables;
  private readonly channels: EventChannels;
  private readonly threads: ThreadHost;
  private readonly context: DomainContext;
  private readonly known = new Map<number, Domain>();
  private xenstored: XenStore | undefined;
  private closed = false;

  /** Use createMachine or openMachine. */
  constructor(
    private readonly state: MachineState,
    readonly scheduler: Scheduler,
    private readonly seed: number,
    creator: boolean,
  ) {
    this.memory = state.memory;
    this.architecture = state.geometry.architecture;
    this.threads = new ThreadHost(state, scheduler, !creator);
    this.frames = new Frames(state);
    this.grants = new GrantTables(state, this.frames);
    this.channels = new EventChannels(state, this.threads);
    this.context = {
      state,
      threads: this.threads,
      channels: this.channels,
      grants: this.grants,
      destroy: (domain) => this.destroyDomain(domain),
    };
    if (!creator) return;
    this.build({ name: 'Domain-0', frames: DOMAIN_0_FRAMES }, 0);
    this.xenstored = new XenStore(this.domain(0), scheduler);
    this.xenstored.describe(0, 'Domain-0');
  }

  /** xenstored; only on the thread that created the machine. */
  get store(): XenStore {
    if (this.xenstored !== undefined) return this.xenstored;
    throw new Error('machine.store: xenstored runs on the thread that created the machine; use it');
  }

  /**
   * Makes a domain: RAM, shared_info, grant table, xenstore page and port, and introduces it to
   * xenstored. Throws a RangeError for options that cannot be, an Error when the machine is full.
   */
  createDomain(options: DomainOptions): Domain {
    const store = this.store;
    const { maxDomains } = this.state.geometry;
    if (!Number.isInteger(options.frames) || options.frames < 1) {
      throw new RangeError(`createDomain: frames is ${options.frames}; give at least 1`);
    }
    const domid = options.domid ?? this.nextDomid();
    if (!Number.isInteger(domid) || domid < 1 || domid >= maxDomains) {
      throw new RangeError(
        `createDomain: domid ${domid} is outside 1..${maxDomains - 1}; raise maxDomains`,
      );
    }
    this.build(options, domid);
    const domain = this.domain(domid);
    const remotePort = store.introduce(domain);
    this.state.i32[this.state.domainRecord(domid) + DOMAIN_STORE_REMOTE_PORT] = remotePort;
    return domain;
  }

  /**
   * What saving and restoring does to a domain: its memory stays, everything that the hypervisor
   * and xenstored knew of it goes. Ports and grants are gone, hypercalls of its former life answer
   * -ESRCH, xenstore has introduced it anew. Result: the domain of the new life; device nodes are
   * the toolstack's to write again. Throws while the domain runs or others map its frames.
   */
  restoreDomain(domain: Domain): Domain {
    const { domid } = domain;
    const record = this.state.domainRecord(domid);
    const { i32, u8 } = this.state;
    if (domid === 0 || !domain.alive || i32[record + DOMAIN_THREAD] !== 0) {
      throw new Error(`restoreDomain: domain ${domid} is gone or runs; suspend its guest first`);
    }
    const store = this.store;
    const shared = ({ ref, maps }: GrantStatus): boolean =>
      ref >= GNTTAB_NR_RESERVED_ENTRIES && maps > 0;
    if (domain.grants().some(shared)) {
      throw new Error(`restoreDomain: others map domain ${domid}'s frames; detach its devices`);
    }
    store.release(domid);
    this.state.locked(() => {
      this.channels.closeAll(domid);
      this.grants.unmapAll(domid);
      this.grants.endAll(domid);
      this.grants.releaseTable(domid);
      i32[record + DOMAIN_GENERATION]!++;
      if (!this.grants.initialise(domid)) throw new Error('restoreDomain: no room for its tables');
      u8.fill(0, domain.storePage, domain.storePage + PAGE_SIZE);
      this.giveBirth(domid);
    });
    this.known.delete(domid);
    const restored = this.domain(domid);
    i32[record + DOMAIN_STORE_REMOTE_PORT] = store.introduce(restored);
    return restored;
  }

  /** Throws an Error when there is no such domain. */
  domain(domid: number): Domain {
    const domain = this.find(domid);
    if (domain === undefined) throw new Error(`machine.domain: there is no domain ${domid}`);
    return domain;
  }

  /** The domains that are alive, by domid. */
  domains(): Domain[] {
    const domids = Array.from({ length: this.state.geometry.maxDomains }, (_, domid) => domid);
    return domids.map((domid) => this.find(domid)).filter((domain) => domain !== undefined);
  }

  /** What openMachine needs in another thread; structured-cloneable. */
  handle(): MachineHandle {
    if (!(this.memory.buffer instanceof SharedArrayBuffer)) {
      throw new Error('machine.handle: the memory is not shared; other threads cannot see it');
    }
    this.threads.becomeShared();
    return { memory: this.memory, seed: this.seed };
  }

  /** Sets a virtual interrupt of a domain pending. False when it is not bound there. */
  raiseVirq(domid: number, virq: number): boolean {
    return this.state.locked(() => this.channels.raiseVirq(domid, virq));
  }

  /**
   * Blocks this thread until an upcall is due for one of its domains, and delivers it. For threads
   * without an event loop of their own. False when the time ran out.
   */
  waitForUpcalls(timeoutMs: number): boolean {
    return this.threads.waitForUpcalls(timeoutMs);
  }

  /** Totals over all threads. */
  counters(): MachineCounters {
    return this.threads.counters();
  }

  /** Names what domains left behind in tables and xenstore; not what they are born with. */
  leaks(): string[] {
    const found = this.state.locked(() => findLeaks(this.state, this.channels, this.grants));
    return [...found, ...(this.xenstored?.leaks() ?? [])];
  }

  /** Throws an Error that names every leak. */
  assertCleanedUp(): void {
    const leaks = this.leaks();
    if (leaks.length === 0) return;
    throw new Error(`machine: ${leaks.length} left behind:\n  ${leaks.join('\n  ')}`);
  }

  /** Stops the domains of this thread and leaves the machine. Other threads keep theirs. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.xenstored?.close();
    for (const domain of this.known.values()) domain.stop();
    this.threads.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }

  private find(domid: number): Domain | undefined {
    if (!this.state.isAlive(domid)) return undefined;
    const known = this.known.get(domid);
    if (known?.alive === true) return known;
    const domain = new Domain(this.context, domid);
    this.known.set(domid, domain);
    return domain;
  }

  private nextDomid(): number {
    const { i32, geometry } = this.state;
    const last = i32[HEADER_NEXT_DOMID]!;
    for (let step = 0; step < geometry.maxDomains; step++) {
      const domid = ((last + step) % (geometry.maxDomains - 1)) + 1;
      if (i32[this.state.domainRecord(domid) + DOMAIN_STATE] !== STATE_FREE) continue;
      i32[HEADER_NEXT_DOMID] = domid;
      return domid;
    }
    throw new Error(
      `createDomain: all ${geometry.maxDomains} domains exist; destroy some or raise maxDomains`,
    );
  }

  private build(options: DomainOptions, domid: number): void {
    const name = new TextEncoder().encode(options.name);
    if (name.length > DOMAIN_NAME_MAX) {
      throw new RangeError(`createDomain: the name has more than ${DOMAIN_NAME_MAX} bytes`);
    }
    this.state.locked(() => {
      const { i32, u8 } = this.state;
      const record = this.state.domainRecord(domid);
      if (i32[record + DOMAIN_STATE] !== STATE_FREE) {
        throw new Error(`createDomain: domain ${domid} exists, or others still map its frames`);
      }
      this.giveMemory(options.frames, domid);
      u8.set(name, (record + DOMAIN_NAME) * 4);
      i32[record + DOMAIN_NAME_LENGTH] = name.length;
      i32[record + DOMAIN_THREAD] = 0;
      this.giveBirth(domid);
    });
  }

  /** Ports, shared_info and the way to xenstored, as every life of a domain begins with them. */
  private giveBirth(domid: number): void {
    const { i32, u8 } = this.state;
    const record = this.state.domainRecord(domid);
    this.channels.initialise(domid);
    const info = this.state.sharedInfo(domid);
    u8.fill(0, info, info + PAGE_SIZE);
    const storeFrame = i32[record + DOMAIN_STORE_FRAME]!;
    this.grants.grantReserved(domid, GNTTAB_RESERVED_XENSTORE, 0, storeFrame);
    Atomics.store(i32, record + DOMAIN_STATE, STATE_ALIVE);
    i32[record + DOMAIN_STORE_PORT] = domid === 0 ? 0 : this.channels.allocUnbound(domid, 0);
  }

  private giveMemory(count: number, domid: number): void {
    const { i32 } = this.state;
    const record = this.state.domainRecord(domid);
    const first = this.frames.allocate(domid, count + 1); // the xenstore page comes last
    if (first === undefined || !this.grants.initialise(domid)) {
      if (first !== undefined) this.freeFrames(first, count + 1);
      throw new Error(
        `createDomain: no room for ${count} frames in a row and ${this.grants.tableFrames} for ` +
          'the grant table; raise memoryMiB, lower maxGrantFrames or destroy domains',
      );
    }
    i32[record + DOMAIN_FIRST_FRAME] = first;
    i32[record + DOMAIN_FRAME_COUNT] = count;
    i32[record + DOMAIN_STORE_FRAME] = first + count;
  }

  private freeFrames(first: number, count: number): void {
    for (let frame = first; frame < first + count; frame++) {
      if (this.frames.firstGrant(frame) === 0) this.frames.free(frame);
    }
  }

  private destroyDomain(domain: Domain): void {
    const { domid } = domain;
    const store = this.store;
    if (domid === 0) throw new Error('destroy: domain 0 runs xenstored; close the machine instead');
    domain.stop();
    store.release(domid);
    this.state.locked(() => {
      const record = this.state.domainRecord(domid);
      this.channels.closeAll(domid);
      this.grants.unmapAll(domid);
      Atomics.store(this.state.i32, record + DOMAIN_STATE, STATE_DYING);
      Atomics.store(this.state.i32, record + DOMAIN_THREAD, 0);
      this.state.i32[record + DOMAIN_GENERATION]!++;
      this.grants.endAll(domid);
      this.freeFrames(domain.firstFrame, domain.frameCount + 1);
      this.grants.releaseTable(domid);
    });
    this.known.delete(domid);
    store.announceRelease(domid);
  }
}

/** Makes a machine with domain 0 on this thread. Throws a RangeError for options that cannot be. */
export function createMachine(options: MachineOptions = {}): Machine {
  const { memory, maxGrantFrames = 64, maxDomains = 320 } = options;
  const memoryMiB = memory ? memory.buffer.byteLength / 2 ** 20 : (options.memoryMiB ?? 512);
  requireInteger('memoryMiB', memoryMiB, 1, 4095);
  requireInteger('maxGrantFrames', maxGrantFrames, 1, 512);
  requireInteger('maxDomains', maxDomains, 2, 4096);
  const seed = options.seed ?? randomSeed();
  const state = MachineState.create(
    {
      frames: memoryMiB * 256,
      architecture: options.architecture ?? 'arm64',
      maxDomains,
      grantEntries: maxGrantFrames * ENTRIES_PER_GRANT_FRAME,
      poison: options.poison ?? true,
      silo: options.xsm === 'silo',
    },
    seed,
    memory,
  );
  return new Machine(state, options.scheduler ?? new LoopScheduler(), seed, true);
}

/** Opens a machine in another thread. Throws an Error when the handle is not a machine's. */
export function openMachine(
  handle: MachineHandle,
  options: { scheduler?: Scheduler } = {},
): Machine {
  const state = MachineState.open(handle.memory);
  return new Machine(state, options.scheduler ?? new LoopScheduler(), handle.seed, false);
}

function requireInteger(name: string, value: number, low: number, high: number): void {
  if (Number.isInteger(value) && value >= low && value <= high) return;
  throw new RangeError(
    `createMachine: ${name} is ${value}; give an integer from ${low} to ${high}`,
  );
}
