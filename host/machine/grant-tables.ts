/**
 * Grant tables, version 1. C reference: public/grant_table.h.
 *
 * A domain's table lies in frames of the machine: the entries in Xen's format, then for each entry
 * how often it is mapped and the next grant of the same frame, then the list of free references.
 * Frames stay where they are: mapping a grant yields the very frame that was granted.
 * The lock must be held for everything here. Results are references, frames or negative errnos.
 */
import { EBUSY, EINVAL, ENOSPC, EPERM, ESRCH } from '../../assembly/wire/errno.js';
import {
  DOMID_FIRST_RESERVED,
  DOMID_SELF,
  GNTTAB_NR_RESERVED_ENTRIES,
  GRANT_DOMID,
  GRANT_ENTRY_SIZE,
  GRANT_FLAGS,
  GRANT_FRAME,
  GTF_INVALID,
  GTF_PERMIT_ACCESS,
  GTF_READING,
  GTF_READONLY,
  GTF_WRITING,
} from '../../assembly/wire/grant-table.js';
import { PAGE_SIZE } from '../../assembly/wire/page.js';
import type { Frames } from './frames.js';
import {
  DOMAIN_FREE_REFS,
  DOMAIN_GRANTS,
  DOMAIN_GRANTS_MAPPED,
  DOMAIN_GRANT_TABLE,
  DOMAIN_MAPPINGS,
  DOMAIN_STATE,
  DOMID_XEN,
  STATE_ALIVE,
  STATE_FREE,
  type MachineState,
} from './machine-state.js';

/** Copied, not filled: filling shared memory byte by byte takes six times as long. */
const POISON = new Uint8Array(PAGE_SIZE).fill(0xdb);
const MAPS_MAX = 0xffff; //     per grant and kind
const SIDE_SIZE = 8; //         next u32, maps for reading u16, maps for writing u16
const FREE_SIZE = 4;

export interface GrantStatus {
  readonly ref: number;
  readonly remote: number;
  readonly frame: number;
  readonly readonly: boolean;
  /** Mappings that exist now, for reading only and for writing. */
  readonly maps: number;
}

/** Where the parts of one entry are: indices of u16 and u32 words. */
interface EntryPlace {
  flags: number; // u16
  domid: number; // u16
  frame: number; // u32
  next: number; //  u32
  readMaps: number; //  u16
  writeMaps: number; // u16
}

export class GrantTables {
  private readonly entries: number;
  private readonly u16: Uint16Array;
  private readonly u32: Uint32Array;

  constructor(
    private readonly state: MachineState,
    private readonly frames: Frames,
  ) {
    this.entries = state.geometry.grantEntries;
    this.u16 = state.u16;
    this.u32 = state.u32;
  }

  /** Frames that one table takes. */
  get tableFrames(): number {
    return Math.ceil((this.entries * (GRANT_ENTRY_SIZE + SIDE_SIZE + FREE_SIZE)) / PAGE_SIZE);
  }

  /** Gives a new domain its table, all free. False when the memory is full. */
  initialise(domid: number): boolean {
    const first = this.frames.allocate(DOMID_XEN, this.tableFrames);
    if (first === undefined) return false;
    const record = this.state.domainRecord(domid);
    this.state.i32[record + DOMAIN_GRANT_TABLE] = first;
    this.state.i32[record + DOMAIN_FREE_REFS] = this.entries - GNTTAB_NR_RESERVED_ENTRIES;
    this.state.i32[record + DOMAIN_GRANTS] = 0;
    this.state.i32[record + DOMAIN_GRANTS_MAPPED] = 0;
    this.state.i32[record + DOMAIN_MAPPINGS] = 0;
    return true;
  }

  grantAccess(domid: number, remote: number, frame: number, readonly: number): number {
    const other = remote === DOMID_SELF ? domid : remote;
    const owner = this.frames.owner(frame);
    if (other >= DOMID_FIRST_RESERVED || owner === undefined) return -EINVAL;
    if (owner !== domid) return -EPERM;
    const ref = this.takeRef(domid);
    if (ref < 0) return ref;
    this.fill(domid, ref, other, frame, readonly !== 0);
    return ref;
  }

  /** The toolstack's grant of the xenstore page. */
  grantReserved(domid: number, ref: number, remote: number, frame: number): void {
    this.fill(domid, ref, remote, frame, false);
  }

  endAccess(domid: number, ref: number): number {
    if (!this.isGranted(domid, ref)) return -EINVAL;
    if (this.maps(domid, ref) > 0) return -EBUSY;
    const frame = this.clear(domid, ref);
    if (ref >= GNTTAB_NR_RESERVED_ENTRIES) this.releaseRef(domid, ref);
    if (this.state.geometry.poison && this.frames.firstGrant(frame) === 0) {
      this.state.u8.set(POISON, frame * PAGE_SIZE);
    }
    return 0;
  }

  map(domid: number, remote: number, ref: number, writable: number): number {
    const granter = remote === DOMID_SELF ? domid : remote;
    if (!this.state.isAlive(granter)) return -ESRCH;
    if (!this.isGranted(granter, ref)) return -EINVAL;
    const at = this.place(granter, ref);
    // Xen says the same of a grant to somebody else as of none: GNTST_general_error.
    if (this.u16[at.domid] !== domid) return -EINVAL;
    if (writable !== 0 && (this.u16[at.flags]! & GTF_READONLY) !== 0) return -EINVAL;
    const maps = writable !== 0 ? at.writeMaps : at.readMaps;
    if (this.u16[maps] === MAPS_MAX) return -ENOSPC;
    this.u16[maps]!++;
    this.u16[at.flags]! |= writable !== 0 ? GTF_READING | GTF_WRITING : GTF_READING;
    this.countMapping(granter, domid, 1);
    return this.u32[at.frame]!;
  }

  /** Undoes one mapping of a frame; those for reading only go first. */
  unmap(domid: number, frame: number): number {
    const granter = this.frames.owner(frame);
    if (granter === undefined || granter === DOMID_XEN) return -EINVAL;
    const ref = this.mappedRef(granter, frame, domid);
    if (ref === undefined) return -EINVAL;
    this.unmapRef(granter, ref);
    return 0;
  }

  /** Whether the domain may touch the frame: its own, or mapped by it now. */
  mayAccess(domid: number, frame: number): boolean {
    const owner = this.frames.owner(frame);
    if (owner === undefined || owner === DOMID_XEN) return false;
    return owner === domid || this.mappedRef(owner, frame, domid) !== undefined;
  }

  /** Undoes all mappings that a domain holds. */
  unmapAll(domid: number): void {
    this.forEachMappingOf(domid, (granter, ref) => {
      while (this.maps(granter, ref) > 0) this.unmapRef(granter, ref);
    });
  }

  /** Ends the grants of a dying domain; those that are mapped end with their last mapping. */
  endAll(domid: number): void {
    for (const { ref, maps } of this.list(domid)) if (maps === 0) this.clear(domid, ref);
  }

  /** Gives the frames of the table back when nobody maps a grant of this dying domain. */
  releaseTable(domid: number): void {
    const record = this.state.domainRecord(domid);
    if (this.state.i32[record + DOMAIN_GRANTS_MAPPED] !== 0) return;
    const first = this.state.i32[record + DOMAIN_GRANT_TABLE]!;
    for (let frame = first; frame < first + this.tableFrames; frame++) this.frames.free(frame);
    Atomics.store(this.state.i32, record + DOMAIN_STATE, STATE_FREE);
  }

  /** All grants that a domain gives now. */
  list(domid: number): GrantStatus[] {
    const record = this.state.domainRecord(domid);
    const grants: GrantStatus[] = [];
    const total = this.state.i32[record + DOMAIN_GRANTS]!;
    for (let ref = 0; ref < this.entries && grants.length < total; ref++) {
      const at = this.place(domid, ref);
      const flags = this.u16[at.flags]!;
      if (flags === GTF_INVALID) continue;
      grants.push({
        ref,
        remote: this.u16[at.domid]!,
        frame: this.u32[at.frame]!,
        readonly: (flags & GTF_READONLY) !== 0,
        maps: this.maps(domid, ref),
      });
    }
    return grants;
  }

  /** All mappings that a domain holds now. */
  listMappings(domid: number): { granter: number; ref: number; frame: number; maps: number }[] {
    const found: { granter: number; ref: number; frame: number; maps: number }[] = [];
    this.forEachMappingOf(domid, (granter, ref, status) => {
      found.push({ granter, ref, frame: status.frame, maps: status.maps });
    });
    return found;
  }

  private forEachMappingOf(
    domid: number,
    visit: (granter: number, ref: number, status: GrantStatus) => void,
  ): void {
    if (this.state.i32[this.state.domainRecord(domid) + DOMAIN_MAPPINGS] === 0) return;
    for (let granter = 0; granter < this.state.geometry.maxDomains; granter++) {
      const record = this.state.domainRecord(granter);
      if (this.state.i32[record + DOMAIN_STATE] === STATE_FREE) continue;
      if (this.state.i32[record + DOMAIN_GRANTS_MAPPED] === 0) continue;
      for (const status of this.list(granter)) {
        if (status.remote === domid && status.maps > 0) visit(granter, status.ref, status);
      }
    }
  }

  private mappedRef(granter: number, frame: number, domid: number): number | undefined {
    for (let link = this.frames.firstGrant(frame); link !== 0;) {
      const at = this.place(granter, link - 1);
      if (this.u16[at.domid] === domid && this.maps(granter, link - 1) > 0) return link - 1;
      link = this.u32[at.next]!;
    }
    return undefined;
  }

  private unmapRef(granter: number, ref: number): void {
    const at = this.place(granter, ref);
    const mapper = this.u16[at.domid]!;
    this.u16[this.u16[at.readMaps]! > 0 ? at.readMaps : at.writeMaps]!--;
    if (this.u16[at.writeMaps] === 0) this.u16[at.flags]! &= ~GTF_WRITING;
    if (this.maps(granter, ref) === 0) this.u16[at.flags]! &= ~GTF_READING;
    this.countMapping(granter, mapper, -1);
    const dying = this.state.i32[this.state.domainRecord(granter) + DOMAIN_STATE] !== STATE_ALIVE;
    if (!dying || this.maps(granter, ref) > 0) return;
    const frame = this.clear(granter, ref);
    if (this.frames.firstGrant(frame) === 0) this.frames.free(frame);
    this.releaseTable(granter);
  }

  private fill(domid: number, ref: number, remote: number, frame: number, ro: boolean): void {
    const at = this.place(domid, ref);
    this.u16[at.domid] = remote;
    this.u32[at.frame] = frame;
    this.u32[at.next] = this.frames.firstGrant(frame);
    this.u16[at.readMaps] = 0;
    this.u16[at.writeMaps] = 0;
    this.u16[at.flags] = ro ? GTF_PERMIT_ACCESS | GTF_READONLY : GTF_PERMIT_ACCESS;
    this.frames.setFirstGrant(frame, ref + 1);
    this.state.i32[this.state.domainRecord(domid) + DOMAIN_GRANTS]!++;
  }

  /** Invalidates an entry and takes it out of its frame's list. Result: the frame. */
  private clear(domid: number, ref: number): number {
    const at = this.place(domid, ref);
    const frame = this.u32[at.frame]!;
    this.u16[at.flags] = GTF_INVALID;
    this.state.i32[this.state.domainRecord(domid) + DOMAIN_GRANTS]!--;
    if (this.frames.firstGrant(frame) === ref + 1) {
      this.frames.setFirstGrant(frame, this.u32[at.next]!);
      return frame;
    }
    let before = this.place(domid, this.frames.firstGrant(frame) - 1);
    while (this.u32[before.next] !== ref + 1)
      before = this.place(domid, this.u32[before.next]! - 1);
    this.u32[before.next] = this.u32[at.next]!;
    return frame;
  }

  private isGranted(domid: number, ref: number): boolean {
    return ref < this.entries && this.u16[this.place(domid, ref).flags] !== GTF_INVALID;
  }

  private maps(domid: number, ref: number): number {
    const at = this.place(domid, ref);
    return this.u16[at.readMaps]! + this.u16[at.writeMaps]!;
  }

  private countMapping(granter: number, mapper: number, change: number): void {
    this.state.i32[this.state.domainRecord(granter) + DOMAIN_GRANTS_MAPPED]! += change;
    this.state.i32[this.state.domainRecord(mapper) + DOMAIN_MAPPINGS]! += change;
  }

  /** Takes a random free reference. A zero slot of the list stands for index + 8. */
  private takeRef(domid: number): number {
    const countAt = this.state.domainRecord(domid) + DOMAIN_FREE_REFS;
    const count = this.state.i32[countAt]!;
    if (count === 0) return -ENOSPC;
    const free = this.freeList(domid);
    const slot = this.state.random(count);
    const ref = this.u32[free + slot]! || slot + GNTTAB_NR_RESERVED_ENTRIES;
    this.u32[free + slot] = this.u32[free + count - 1]! || count - 1 + GNTTAB_NR_RESERVED_ENTRIES;
    this.state.i32[countAt] = count - 1;
    return ref;
  }

  private releaseRef(domid: number, ref: number): void {
    const countAt = this.state.domainRecord(domid) + DOMAIN_FREE_REFS;
    const count = this.state.i32[countAt]!;
    this.u32[this.freeList(domid) + count] = ref;
    this.state.i32[countAt] = count + 1;
  }

  private table(domid: number): number {
    return this.state.i32[this.state.domainRecord(domid) + DOMAIN_GRANT_TABLE]! * PAGE_SIZE;
  }

  private freeList(domid: number): number {
    return (this.table(domid) + this.entries * (GRANT_ENTRY_SIZE + SIDE_SIZE)) / 4;
  }

  private place(domid: number, ref: number): EntryPlace {
    const entry = this.table(domid) + ref * GRANT_ENTRY_SIZE;
    const side = this.table(domid) + this.entries * GRANT_ENTRY_SIZE + ref * SIDE_SIZE;
    return {
      flags: (entry + GRANT_FLAGS) / 2,
      domid: (entry + GRANT_DOMID) / 2,
      frame: (entry + GRANT_FRAME) / 4,
      next: side / 4,
      readMaps: side / 2 + 2,
      writeMaps: side / 2 + 3,
    };
  }
}
