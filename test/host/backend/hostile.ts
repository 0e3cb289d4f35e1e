/**
 * A guest without a core, that writes whatever it likes into its own frames, beside a neighbour on
 * the same backend that does nothing wrong. At the end of each test: the neighbour's connection
 * still carries bytes and its commands are answered, memory that was not granted is as it was, and
 * neither the hypervisor's tables nor the host's sockets hold anything that was left behind.
 */
import { PAGE_SHIFT, PAGE_SIZE } from '../../../assembly/wire/page.js';
import * as info from '../../../assembly/wire/shared-info.js';
import {
  createBackend,
  type Backend,
  type BackendOptions,
  type DeviceInfo,
} from '../../../host/backend/index.js';
import { createMachine, type Domain, type Machine } from '../../../host/machine/index.js';
import { echo, serve, type TestServer } from './servers.js';
import { TestGuest } from './test-guest.js';
import type { TestRing } from './test-ring.js';
import { until } from './until.js';

const UNTOUCHED = new Uint8Array(PAGE_SIZE).fill(0xa5);
/** What the machine writes when the last grant of a frame ends. */
const POISON = new Uint8Array(PAGE_SIZE).fill(0xdb);
const MASK_SIZE = info.EVTCHN_2L_NR_CHANNELS / 8; // bytes
const ANSWER_MS = 2000; // the neighbour is answered by then, whatever happens

export const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
export const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Frames of a domain by what may have happened to them. */
class Grants {
  private readonly memory: Uint8Array;
  private readonly ever = new Set<number>();
  private readonly now = new Map<number, number>();

  constructor(
    machine: Machine,
    private readonly domain: Domain,
  ) {
    this.memory = new Uint8Array(machine.memory.buffer);
    for (const frame of this.frames()) this.page(frame).set(UNTOUCHED);
    const { hypercalls } = domain;
    const { gnttab_grant_access, gnttab_end_access } = hypercalls;
    hypercalls.gnttab_grant_access = (remote, frame, readonly) => {
      const ref = gnttab_grant_access(remote, frame, readonly);
      this.ever.add(frame);
      this.now.set(ref, frame);
      return ref;
    };
    hypercalls.gnttab_end_access = (ref) => {
      const result = gnttab_end_access(ref);
      if (result === 0) this.now.delete(ref);
      return result;
    };
  }

  /** Throws for a byte that nobody had a right to write. */
  assertKept(): void {
    const granted = new Set(this.now.values());
    for (const frame of this.frames()) {
      if (granted.has(frame)) continue;
      const expected = this.ever.has(frame) ? POISON : UNTOUCHED;
      const page = this.page(frame);
      if (Buffer.compare(page, expected) === 0) continue;
      const at = page.findIndex((byte, i) => byte !== expected[i]);
      throw new Error(`"${this.domain.name}": byte ${at} of frame ${frame} changed`);
    }
  }

  private page(frame: number): Uint8Array {
    return this.memory.subarray(frame << PAGE_SHIFT, (frame << PAGE_SHIFT) + PAGE_SIZE);
  }

  private frames(): number[] {
    const { firstFrame, frameCount } = this.domain;
    return Array.from({ length: frameCount }, (_, i) => firstFrame + i);
  }
}

/** A guest that minds its own business: socket 1 talks to an echo server. */
export class Neighbour {
  private constructor(
    readonly guest: TestGuest,
    private readonly ring: TestRing,
  ) {}

  static async open(machine: Machine, backend: Backend, port: number): Promise<Neighbour> {
    const guest = new TestGuest(machine, backend, 64);
    await guest.connect();
    return new Neighbour(guest, await guest.open(1n, port, 2));
  }

  /** Its bytes come back and its commands are answered, in time. */
  async assertWell(): Promise<void> {
    const startMs = performance.now();
    const bytes = Buffer.from(`well at ${startMs}`);
    await this.ring.write(bytes);
    const back = await this.ring.readExactly(bytes.length);
    if (!back.equals(bytes)) throw new Error('the neighbour got other bytes back');
    const rets = [await this.guest.socket(9n), await this.guest.release(9n)];
    if (rets.some((ret) => ret !== 0)) throw new Error(`the neighbour was told ${rets.join()}`);
    const elapsedMs = performance.now() - startMs;
    if (elapsedMs > ANSWER_MS) throw new Error(`the neighbour waited for ${elapsedMs} ms`);
  }

  async close(): Promise<void> {
    await this.guest.release(1n);
    this.ring.free();
    await this.guest.close();
    this.guest.store.close();
  }
}

export interface HostileWorld {
  readonly machine: Machine;
  readonly backend: Backend;
  /** Connected. */
  readonly guest: TestGuest;
  readonly neighbour: Neighbour;
  /** Echoes. */
  readonly server: TestServer;
  /** The guest's device as the backend sees it. */
  device(): DeviceInfo;
  /** Sends events on a port for so long, one each turn of the loop. Result: how many. */
  storm(port: number, durationMs: number): Promise<number>;
}

const openSockets = (): number =>
  process.getActiveResourcesInfo().filter((name) => name.startsWith('TCP')).length;

/** Whoever binds a port next in domain 0 finds it as it was. */
function assertUnmasked({ memory }: Machine, { sharedInfo }: Domain): void {
  const mask = new Uint8Array(memory.buffer, sharedInfo + info.ARM64_EVTCHN_MASK, MASK_SIZE);
  if (mask.some((byte) => byte !== 0)) throw new Error('a port of domain 0 is still masked');
}

export async function withHostile(
  test: (world: HostileWorld) => Promise<void>,
  options: BackendOptions = {},
  connected = true,
): Promise<void> {
  const before = openSockets();
  const machine = createMachine({
    architecture: 'arm64',
    memoryMiB: 24,
    maxDomains: 8,
    maxGrantFrames: 8,
  });
  const backend = createBackend(machine, { policy: () => 'allow', ...options });
  const server = await serve(echo);
  try {
    const guest = new TestGuest(machine, backend);
    const guard = new Grants(machine, guest.domain);
    const bystander = new Grants(machine, machine.createDomain({ name: 'bystander', frames: 16 }));
    const neighbour = await Neighbour.open(machine, backend, server.port);
    if (connected) await guest.connect();
    const domid = guest.domain.domid;
    const device = () => backend.devices().find((info) => info.domid === domid)!;
    const storm = async (port: number, durationMs: number): Promise<number> => {
      const endMs = performance.now() + durationMs;
      let sent = 0;
      for (; performance.now() < endMs; sent++) {
        guest.hypercalls.evtchn_send(port);
        await turn();
      }
      return sent;
    };
    await test({ machine, backend, guest, neighbour, server, device, storm });
    await neighbour.assertWell();
    if (guest.domain.alive) {
      if (guest.backendState() === 4) await guest.close();
      guest.store.close();
      guard.assertKept();
    }
    bystander.assertKept();
    await neighbour.close();
  } finally {
    await backend.close();
    assertUnmasked(machine, machine.domain(0));
    await server[Symbol.asyncDispose]();
    machine.close();
  }
  machine.assertCleanedUp();
  await until(() => openSockets() === before, 'the host’s sockets as they were');
}

/** The device has failed: ends what the guest made and offers it anew, as it should be. */
export async function recover({ guest, device }: HostileWorld): Promise<void> {
  await guest.backendReaches(5);
  if (device().mappedPages !== 0) throw new Error('a failed device holds mappings');
  if (guest.unpublish() !== 0) throw new Error('the command ring is still mapped');
  guest.setState(6);
  await guest.backendReaches(6);
  guest.setState(1);
  await guest.connect();
  const ret = (await guest.socket(77n)) || (await guest.release(77n));
  if (ret !== 0) throw new Error(`the device does not work again: ${ret}`);
}
