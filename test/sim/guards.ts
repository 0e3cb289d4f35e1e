/**
 * Nothing but discipline keeps domains apart in one memory, so it is checked: memory that nobody
 * may write is filled with a known value, and looked at when it changes hands and at the end.
 */
import { PAGE_SHIFT, PAGE_SIZE } from '../../assembly/wire/page.js';
import type { Domain, Machine } from '../../host/machine/index.js';

const NEVER_GRANTED = 0xa5;
const POISON = 0xdb; // what the machine writes when the last grant of a frame ends
const CHECKED_AT_GRANT = 64; // a new command ring has its indices before this

const NEVER_GRANTED_PAGE = new Uint8Array(PAGE_SIZE).fill(NEVER_GRANTED);
const POISONED_PAGE = new Uint8Array(PAGE_SIZE).fill(POISON);
const ZERO_PAGE = new Uint8Array(PAGE_SIZE);

/** A domain that takes no part: no byte of it may change. */
export class Bystander {
  private readonly before: Uint8Array;
  private readonly ram: Uint8Array;

  constructor(readonly domain: Domain) {
    this.ram = domain.bytes(domain.firstFrame, domain.frameCount);
    this.ram.forEach((_, at) => (this.ram[at] = at * 7 + (at >>> 8)));
    this.before = this.ram.slice();
  }

  assertUnchanged(): void {
    if (Buffer.compare(this.ram, this.before) === 0) return;
    const at = this.before.findIndex((byte, i) => byte !== this.ram[i]);
    throw new Error(`bystander "${this.domain.name}": byte ${at} has become ${this.ram[at]}`);
  }
}

/**
 * A guest's frames that are not granted: nobody writes them, before they are first granted or
 * after a grant has ended. Make it before the guest's core.
 */
export class FrameGuard {
  private readonly memory: Uint8Array;
  private readonly granted = new Map<number, number>();
  private readonly touched = new Set<number>();
  readonly violations: string[] = [];

  constructor(
    machine: Machine,
    private readonly domain: Domain,
  ) {
    this.memory = new Uint8Array(machine.memory.buffer);
    const start = domain.firstFrame << PAGE_SHIFT;
    this.memory.fill(NEVER_GRANTED, start, start + (domain.frameCount << PAGE_SHIFT));
    const { hypercalls } = domain;
    const { gnttab_grant_access, gnttab_end_access } = hypercalls;
    hypercalls.gnttab_grant_access = (remote, frame, readonly) => {
      this.lookAtGrant(frame);
      const ref = gnttab_grant_access(remote, frame, readonly);
      if (ref >= 0) this.granted.set(ref, frame);
      return ref;
    };
    hypercalls.gnttab_end_access = (ref) => {
      const result = gnttab_end_access(ref);
      if (result === 0) this.granted.delete(ref);
      return result;
    };
  }

  /** Looks at the last `frames` frames of the domain, when the guest has given all of them back. */
  lookAtEnd(frames: number): void {
    for (const [ref, frame] of this.granted) {
      this.violations.push(`frame ${frame} is still granted as ${ref}`);
    }
    const end = this.domain.firstFrame + this.domain.frameCount;
    for (let frame = end - frames; frame < end; frame++) {
      const expected = this.touched.has(frame) ? POISONED_PAGE : NEVER_GRANTED_PAGE;
      const page = this.page(frame);
      if (Buffer.compare(page, expected) !== 0) this.report(frame, page, expected, 'at the end');
    }
  }

  /** A page about to be granted is as it was left, or zeroed by its owner. */
  private lookAtGrant(frame: number): void {
    const page = this.page(frame).subarray(CHECKED_AT_GRANT);
    const expected = this.touched.has(frame) ? POISONED_PAGE : NEVER_GRANTED_PAGE;
    this.touched.add(frame);
    const same = [expected, ZERO_PAGE].some(
      (fine) => Buffer.compare(page, fine.subarray(CHECKED_AT_GRANT)) === 0,
    );
    if (!same) this.report(frame, page, expected.subarray(CHECKED_AT_GRANT), 'before a grant');
  }

  private report(frame: number, page: Uint8Array, expected: Uint8Array, when: string): void {
    const at = page.findIndex((byte, i) => byte !== expected[i]);
    this.violations.push(`frame ${frame}, ${when}: byte ${at} of what nobody may write changed`);
  }

  private page(frame: number): Uint8Array {
    return this.memory.subarray(frame << PAGE_SHIFT, (frame + 1) << PAGE_SHIFT);
  }
}

/** Throws for everything left behind but xenstore watches, which end with their domain. */
export function assertNothingHeld(machine: Machine): void {
  const leaks = machine.leaks().filter((leak) => !leak.includes('xenstore watch on'));
  if (leaks.length > 0) throw new Error(`left behind:\n  ${leaks.join('\n  ')}`);
}
