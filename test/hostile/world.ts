/**
 * A machine with one hostile backend domain and two guests that depend on it, each with a core of
 * its own; and the three questions of every line: what does the caller see (the tests ask), what
 * was written, and what goes on.
 */
import { expect } from 'vitest';
import { COUNTER_FRAMES_FREE, COUNTER_SOCKETS, DEVICE_CLOSED } from '../../assembly/wire/abi.js';
import { DEVICE_CONNECTED } from '../../assembly/wire/abi.js';
import { EINPROGRESS } from '../../assembly/wire/errno.js';
import {
  PVCALLS_BIND,
  PVCALLS_CONNECT,
  PVCALLS_LISTEN,
  PVCALLS_RELEASE,
  PVCALLS_SOCKET,
} from '../../assembly/wire/pvcalls.js';
import { PAGE_SIZE } from '../../assembly/wire/page.js';
import { createMachine, type Domain, type Machine } from '../../host/machine/index.js';
import { GuestCore, type CoreSettings } from './guest-core.js';
import { HostileBackend, NODES, type Nodes } from './hostile-backend.js';
import type { HostileRing } from './hostile-ring.js';
import { StepScheduler } from './step-scheduler.js';
import type { Range } from './write-guard.js';

const MEMORY_MIB = 3;
const BACKEND_FRAMES = 4;
const SCRATCH_AND_GUARD = 22;
const ARENA_FRAMES = 96;
const FRAMES_BEHIND = 8; // of the domain that was made last: its grant table
const BYSTANDER = 0x3c;
const BYSTANDER_SIZE = 65536; // the rest stays zero

export interface WorldSettings extends CoreSettings {
  /** Frames of the first guest's arena. Default 96. */
  frames?: number;
  /** Leaves the first guest's device for the test to start. */
  down?: boolean;
  /** What the backend offers the first guest. */
  nodes?: Nodes;
}

/** A connection, from both ends. */
export interface Connection {
  readonly handle: number;
  readonly ring: HostileRing;
}

/** `size` bytes that differ from those of another seed. */
export function pattern(size: number, seed = 1): Buffer {
  return Buffer.from(
    Array.from({ length: size }, (_, i) => (i * 31 + (i >>> 8) + seed * 7) & 0xff),
  );
}

/** One guest and the backend's end of its device. */
export class Pair {
  readonly core: GuestCore;
  readonly backend: HostileBackend;

  constructor(
    readonly machine: Machine,
    readonly scheduler: StepScheduler,
    backendDomid: number,
    name: string,
    settings: WorldSettings,
    guarded = false,
  ) {
    const frames = SCRATCH_AND_GUARD + (settings.frames ?? ARENA_FRAMES);
    const domain = machine.createDomain({ name, frames });
    const backend = machine.domain(backendDomid);
    this.backend = new HostileBackend(machine, scheduler, backend, domain.domid);
    const quiet = guarded ? bystanders(machine, domain) : undefined;
    this.core = new GuestCore(machine, domain, settings, quiet);
  }

  /** Both ends come up; the embedder asks for it. */
  start(nodes: Nodes = NODES): void {
    this.core.call((core) => core.xenbus_start());
    this.scheduler.settle();
    this.backend.comeUp(nodes);
    expect(this.core.take('device').at(-1)).toMatchObject({ state: DEVICE_CONNECTED, fault: 0 });
  }

  /** A socket whose SOCKET is answered. */
  socket(): number {
    const handle = this.core.socket();
    expect(handle).toBeGreaterThan(0);
    this.backend.serve(PVCALLS_SOCKET);
    return handle;
  }

  /** A connected socket. */
  open(order = 1): Connection {
    const handle = this.socket();
    expect(this.core.connect(handle, order)).toBe(-EINPROGRESS);
    const request = this.backend.take(PVCALLS_CONNECT);
    const ring = this.backend.ringOf(request);
    this.backend.answer(request, 0);
    expect(this.core.take('done')).toEqual([
      { kind: 'done', handle, command: PVCALLS_CONNECT, result: 0 },
    ]);
    return { handle, ring };
  }

  /** A socket that listens. */
  listen(): number {
    const handle = this.socket();
    expect(this.core.bind(handle)).toBe(-EINPROGRESS);
    this.backend.serve(PVCALLS_BIND);
    expect(this.core.call((core) => core.listen(handle, 5))).toBe(-EINPROGRESS);
    this.backend.serve(PVCALLS_LISTEN);
    expect(this.core.take('done').map(({ result }) => result)).toEqual([0, 0]);
    return handle;
  }

  /** Closes a connection in order; the backend lets go unless it is told to keep its mapping. */
  close({ handle, ring }: Connection, keep = false): void {
    expect(this.core.call((core) => core.close(handle))).toBe(0);
    const request = this.backend.take(PVCALLS_RELEASE);
    if (!keep) this.backend.unmap(ring);
    this.backend.answer(request, 0);
    expect(this.core.take('closed')).toEqual([{ kind: 'closed', handle, result: 0 }]);
  }

  /** Bytes go both ways, and arrive as they were. */
  expectEcho({ handle, ring }: Connection, size = 100): void {
    const [down, up] = [pattern(size, handle), pattern(size, handle + 1)];
    ring.produce(down);
    expect(this.core.recv(handle)).toEqual(down);
    expect(this.core.send(handle, up)).toBe(size);
    expect(ring.consume()).toEqual(up);
  }

  /** A new connection can be made, used and closed. */
  expectWorks(): void {
    const connection = this.open();
    this.expectEcho(connection);
    this.close(connection);
  }

  /** The device comes back: sockets are closed, the backend lets go, both start anew. */
  expectComesBack(): void {
    this.goDown();
    this.start();
    this.expectWorks();
  }

  /** Ends the device, whatever state it is in; everything comes back to the core. */
  goDown(): void {
    this.core.call((core) => core.xenbus_stop());
    this.scheduler.settle();
    this.backend.goDown();
    this.scheduler.pass(2000); // deadlines, and parked frames that are tried again
    const states = this.core.take('device').map(({ state }) => state);
    if (states.length > 0) expect(states.at(-1)).toBe(DEVICE_CLOSED);
    for (const handle of this.core.handles()) this.core.call((core) => core.abort(handle));
    this.scheduler.pass(10);
    this.core.take();
    expect(this.core.counter(COUNTER_SOCKETS)).toBe(0);
    expect(this.core.counter(COUNTER_FRAMES_FREE)).toBe(this.core.frames);
  }
}

/** Fills memory that nobody writes with what nobody would write: domain 0's, and what is free. */
function bystanders(machine: Machine, last: Domain): Range[] {
  const { firstFrame, frameCount } = machine.domain(0);
  const ranges = [
    { start: firstFrame * PAGE_SIZE, end: (firstFrame + frameCount) * PAGE_SIZE },
    { start: last.storePage + FRAMES_BEHIND * PAGE_SIZE, end: machine.memory.buffer.byteLength },
  ];
  const bytes = Buffer.from(machine.memory.buffer as unknown as ArrayBuffer);
  for (const { start } of ranges) bytes.fill(BYSTANDER, start, start + BYSTANDER_SIZE);
  return ranges;
}

export class World extends Pair {
  /** Another guest of the same backend domain, which must never notice. */
  readonly neighbour: Pair;
  readonly neighbours: Connection;

  private constructor(machine: Machine, scheduler: StepScheduler, settings: WorldSettings) {
    const backend = machine.createDomain({ name: 'backend', frames: BACKEND_FRAMES });
    const neighbour = new Pair(machine, scheduler, backend.domid, 'second', { frames: 24 });
    super(machine, scheduler, backend.domid, 'first', settings, true);
    this.neighbour = neighbour;
    neighbour.start();
    this.neighbours = neighbour.open();
    if (settings.down !== true) this.start(settings.nodes);
  }

  static create(settings: WorldSettings): World {
    const scheduler = new StepScheduler();
    const limits = { memoryMiB: MEMORY_MIB, maxDomains: 5, maxGrantFrames: 1 };
    return new World(createMachine({ ...limits, scheduler, seed: 4 }), scheduler, settings);
  }

  /** Lets everything happen that is due. */
  settle(): void {
    this.scheduler.settle();
  }

  pass(ms: number): void {
    this.scheduler.pass(ms);
  }

  /** The neighbour's connection and device are as before. */
  expectNeighbourUnharmed(): void {
    this.settle();
    expect(this.neighbour.core.take('device')).toEqual([]);
    this.neighbour.expectEcho(this.neighbours);
    this.neighbour.expectWorks();
  }

  /** Nobody noticed, nothing is left, nothing was written that should not be. */
  end(): void {
    this.expectNeighbourUnharmed();
    for (const pair of [this, this.neighbour]) {
      pair.goDown();
      expect(pair.core.trap).toBeUndefined();
      pair.backend.store.close();
    }
    this.core.guard?.end();
    expect(this.core.guard?.violations).toEqual([]);
    const leaks = this.machine.leaks().filter((leak) => !leak.includes('xenstore watch on'));
    expect(leaks).toEqual([]);
    this.machine.close();
  }
}

/** Runs a test in a world, then asks what every line has in common: World.end(). */
export function inWorld(settings: WorldSettings, test: (world: World) => void): () => void {
  return () => {
    const world = World.create(settings);
    test(world);
    world.end();
  };
}
