/**
 * The hypercalls of the fuzzed core: grants, ports, and a strict eye on how they are used. What the
 * core hands out is seen here first, so this also knows which frames are which ring.
 * A hypercall that no kernel should see is a Violation.
 */
import { EBUSY, ENOSPC } from '../../assembly/wire/errno.js';
import { EVTCHN_2L_NR_CHANNELS } from '../../assembly/wire/shared-info.js';
import { PAGE_SHIFT, PAGE_SIZE } from '../../assembly/wire/page.js';
import type { CoreHypercalls } from '../../host/core/exports.js';
import { ARENA_AT, ARENA_FRAMES_MAX, type FuzzMemory } from './memory.js';
import { Ring } from './ring.js';

/** What must not happen, whatever the peer does. */
export class Violation extends Error {}

const REFS = 2048;
const REF_STEP = 769; // references come in an order that means nothing
const POISON = new Uint8Array(PAGE_SIZE).fill(0xdb);
const FIRST = ARENA_AT >>> PAGE_SHIFT;
/** Hypercalls of one entry of the core; freeing every ring there is takes a third of this. */
const CALLS_MAX = 4096;

export class Hypervisor {
  /** Data rings by the guest's port, and the command ring's page and port. */
  readonly rings = new Map<number, Ring>();
  commandPage = 0;
  commandPort = 0;
  /** Rings whose port is closed and which the backend still maps. */
  readonly strays: Ring[] = [];
  /** How many of the next grants and ports are refused. */
  refuseGrants = 0;
  refusePorts = 0;
  refused = false;
  sends = 0;
  grants = 0;
  /** Hypercalls since the core was last entered. */
  calls = 0;
  private readonly frameOfRef = new Int32Array(REFS);
  private readonly refOfFrame = new Int32Array(FIRST + ARENA_FRAMES_MAX);
  private readonly mapped = new Uint8Array(FIRST + ARENA_FRAMES_MAX);
  private readonly open = new Uint8Array(EVTCHN_2L_NR_CHANNELS);
  private readonly masked = new Uint8Array(EVTCHN_2L_NR_CHANNELS);
  private lastRef = 0;
  private nextPort = 0;
  private batch: number[] = [];
  private arenaEnd = FIRST;

  /** `offered` hears of every new command ring, `maskBit` of every port masked or unmasked. */
  constructor(
    private readonly memory: FuzzMemory,
    private readonly offered: () => void,
    private readonly maskBit: (port: number, masked: boolean) => void,
  ) {}

  reset(arenaFrames: number, storePort: number): void {
    this.rings.clear();
    this.strays.length = 0;
    this.commandPage = this.commandPort = 0;
    this.refuseGrants = this.refusePorts = this.sends = this.grants = this.calls = 0;
    this.refused = false;
    this.frameOfRef.fill(-1);
    this.refOfFrame.fill(-1);
    this.mapped.fill(0);
    this.open.fill(0);
    this.masked.fill(0);
    this.batch.length = 0;
    this.lastRef = 8;
    this.nextPort = storePort + 60; // some share a word of the bitmaps, some do not
    this.arenaEnd = FIRST + arenaFrames;
    if (storePort !== 0) this.open[storePort] = 1;
  }

  readonly hypercalls: CoreHypercalls = {
    evtchn_alloc_unbound: () => this.allocPort(),
    evtchn_send: (port) => {
      this.count();
      if (this.open[port] !== 1) throw new Violation(`evtchn_send(${port}): it is not open`);
      this.sends++;
      return 0;
    },
    evtchn_mask: (port) => this.mask(port, true),
    evtchn_unmask: (port) => this.mask(port, false),
    evtchn_close: (port) => this.closePort(port),
    gnttab_grant_access: (_remote, frame) => this.grant(frame),
    gnttab_end_access: (ref) => this.endAccess(ref),
  };

  isOpen(port: number): boolean {
    return this.open[port] === 1;
  }

  /** Whether the core has masked the port. */
  isMasked(port: number): boolean {
    return this.masked[port] === 1;
  }

  /** The frame of a reference that is granted, or -1. */
  frame(ref: number): number {
    return this.frameOfRef[ref] ?? -1;
  }

  ref(frame: number): number {
    return this.refOfFrame[frame] ?? -1;
  }

  /** The backend maps, or lets go of, all frames of a ring. */
  setMapped(ring: Ring, mapped: boolean): void {
    const first = ring.page >>> PAGE_SHIFT;
    this.mapped.fill(mapped ? 1 : 0, first, first + ring.frames);
    ring.mapped = mapped;
    const stray = this.strays.indexOf(ring);
    if (!mapped && stray >= 0) this.strays.splice(stray, 1);
  }

  unmapAll(): void {
    this.mapped.fill(0);
    this.strays.length = 0;
    for (const ring of this.rings.values()) ring.mapped = false;
  }

  /** Whether the backend can still reach the page of the command ring. */
  get commandGranted(): boolean {
    return this.commandPage !== 0 && this.ref(this.commandPage >>> PAGE_SHIFT) >= 0;
  }

  openPorts(): number {
    return this.open.reduce((sum, open) => sum + open, 0);
  }

  private count(): void {
    if (++this.calls > CALLS_MAX) throw new Violation(`${CALLS_MAX} hypercalls in one entry`);
  }

  private grant(frame: number): number {
    this.count();
    if (frame < FIRST || frame >= this.arenaEnd) {
      throw new Violation(`gnttab_grant_access of frame ${frame}, which is not in the arena`);
    }
    if (this.refOfFrame[frame] !== -1) throw new Violation(`frame ${frame} is granted already`);
    if (this.refuseGrants > 0 && --this.refuseGrants === 0) return this.refuse();
    let ref = this.lastRef;
    do ref = (ref + REF_STEP) % REFS;
    while (ref < 8 || this.frameOfRef[ref] !== -1);
    this.lastRef = ref;
    this.frameOfRef[ref] = frame;
    this.refOfFrame[frame] = ref;
    this.grants++;
    this.batch.push(frame);
    return ref;
  }

  private endAccess(ref: number): number {
    this.count();
    const frame = this.frame(ref);
    if (frame < 0) throw new Violation(`gnttab_end_access(${ref}): it is not granted`);
    if (this.mapped[frame] === 1) return -EBUSY;
    this.frameOfRef[ref] = -1;
    this.refOfFrame[frame] = -1;
    this.grants--;
    this.batch.length = 0;
    this.memory.u8.set(POISON, frame << PAGE_SHIFT);
    return 0;
  }

  private allocPort(): number {
    this.count();
    const { batch } = this;
    this.batch = [];
    if (this.refusePorts > 0 && --this.refusePorts === 0) return this.refuse();
    do this.nextPort = (this.nextPort + 37) % EVTCHN_2L_NR_CHANNELS;
    while (this.nextPort === 0 || this.open[this.nextPort] === 1);
    const port = this.nextPort;
    this.open[port] = 1;
    const page = batch[0]! << PAGE_SHIFT;
    if (batch.length === 1) {
      this.commandPage = page;
      this.commandPort = port;
      this.offered();
    } else {
      this.rings.set(port, new Ring(page, port, Math.log2(batch.length - 1)));
    }
    return port;
  }

  private mask(port: number, masked: boolean): number {
    this.count();
    const verb = masked ? 'mask' : 'unmask';
    if (this.open[port] !== 1) throw new Violation(`evtchn_${verb}(${port}): it is not open`);
    this.masked[port] = masked ? 1 : 0;
    this.maskBit(port, masked);
    return 0;
  }

  private closePort(port: number): number {
    this.count();
    if (this.masked[port] === 1) throw new Violation(`evtchn_close(${port}): it is masked`);
    if (this.open[port] !== 1) throw new Violation(`evtchn_close(${port}): it is not open`);
    this.open[port] = 0;
    const ring = this.rings.get(port);
    if (ring?.mapped === true) this.strays.push(ring);
    this.rings.delete(port);
    if (port === this.commandPort) this.commandPort = 0;
    return 0;
  }

  private refuse(): number {
    this.refused = true;
    this.batch.length = 0;
    return -ENOSPC;
  }
}
