/**
 * Nothing but discipline keeps domains apart in one memory, so it is checked: memory that nobody
 * may write is filled with a known value, and looked at when it changes hands and at the end.
 */
import { PAGE_SHIFT, PAGE_SIZE } from '../../assembly/wire/page.js';
import type { Domain, Machine, Random } from '../../host/machine/index.js';

const NEVER_GRANTED = 0xa5;
const POISON = 0xdb; // what the machine writes when the last grant of a frame ends
const CHECKED_AT_GRANT = 64; // a new command ring has its indices before this

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
  /** Frames whose grant ended without anybody knowing what they held then. */
  private readonly unknown = new Set<number>();
  private readonly before: Uint8Array;
  readonly violations: string[] = [];

  /** With `garbage`, memory begins with what rings may hold, and is not poisoned. */
  constructor(
    machine: Machine,
    private readonly domain: Domain,
    private readonly garbage?: Random,
  ) {
    this.memory = new Uint8Array(machine.memory.buffer);
    const start = domain.firstFrame << PAGE_SHIFT;
    const ram = this.memory.subarray(start, start + (domain.frameCount << PAGE_SHIFT));
    if (garbage === undefined) ram.fill(NEVER_GRANTED);
    else fillWithGarbage(ram, garbage);
    this.before = ram.slice();
    this.watch(domain);
  }

  /** The domain was saved and restored: all its grants are gone, and so is what we knew of them. */
  restored(domain: Domain): void {
    for (const frame of this.granted.values()) this.unknown.add(frame);
    this.granted.clear();
    this.watch(domain);
  }

  private watch({ hypercalls }: Domain): void {
    const { gnttab_grant_access, gnttab_end_access } = hypercalls;
    hypercalls.gnttab_grant_access = (remote, frame, readonly) => {
      this.lookAtGrant(frame);
      const ref = gnttab_grant_access(remote, frame, readonly);
      if (ref >= 0) this.granted.set(ref, frame);
      return ref;
    };
    hypercalls.gnttab_end_access = (ref) => {
      const result = gnttab_end_access(ref);
      if (result === 0) this.released(ref);
      return result;
    };
  }

  private released(ref: number): void {
    const frame = this.granted.get(ref);
    this.granted.delete(ref);
    if (frame !== undefined && this.garbage !== undefined) this.unknown.add(frame);
  }

  /** Looks at the last `frames` frames of the domain, when the guest has given all of them back. */
  lookAtEnd(frames: number): void {
    for (const [ref, frame] of this.granted) {
      this.violations.push(`frame ${frame} is still granted as ${ref}`);
    }
    const end = this.domain.firstFrame + this.domain.frameCount;
    for (let frame = end - frames; frame < end; frame++) {
      const page = this.page(frame);
      const expected = this.expected(frame) ?? page;
      if (Buffer.compare(page, expected) !== 0) this.report(frame, page, expected, 'at the end');
    }
  }

  /** A page about to be granted is as it was left, or zeroed by its owner. */
  private lookAtGrant(frame: number): void {
    const page = this.page(frame).subarray(CHECKED_AT_GRANT);
    const expected = this.expected(frame) ?? ZERO_PAGE;
    this.touched.add(frame);
    this.unknown.delete(frame);
    const same = [expected, ZERO_PAGE].some(
      (fine) => Buffer.compare(page, fine.subarray(CHECKED_AT_GRANT)) === 0,
    );
    if (!same) this.report(frame, page, expected.subarray(CHECKED_AT_GRANT), 'before a grant');
  }

  /** What the frame must hold while it is not granted; undefined when nobody knows. */
  private expected(frame: number): Uint8Array | undefined {
    if (this.unknown.has(frame)) return undefined;
    if (this.touched.has(frame)) return POISONED_PAGE;
    const at = (frame - this.domain.firstFrame) << PAGE_SHIFT;
    return this.before.subarray(at, at + PAGE_SIZE);
  }

  private report(frame: number, page: Uint8Array, expected: Uint8Array, when: string): void {
    const at = page.findIndex((byte, i) => byte !== expected[i]);
    this.violations.push(`frame ${frame}, ${when}: byte ${at} of what nobody may write changed`);
  }

  private page(frame: number): Uint8Array {
    return this.memory.subarray(frame << PAGE_SHIFT, (frame + 1) << PAGE_SHIFT);
  }
}

/** Words as an earlier life may have left them: indices, errors, orders, references, bytes. */
function fillWithGarbage(ram: Uint8Array, random: Random): void {
  const page = new Uint32Array(PAGE_SIZE / 4);
  const kinds = [
    () => random.between(0, 40),
    () => -random.between(1, 40),
    () => random.u32(),
    () => 0xffffffff - random.between(0, 5000),
  ];
  for (let at = 0; at < ram.length; at += PAGE_SIZE) {
    const kind = random.pick(kinds);
    page.forEach((_, word) => (page[word] = random.chance(0.2) ? random.u32() : kind()));
    ram.set(new Uint8Array(page.buffer), at);
  }
}

/** Throws for everything left behind but xenstore watches, which end with their domain. */
export function assertNothingHeld(machine: Machine): void {
  const leaks = machine.leaks().filter((leak) => !leak.includes('xenstore watch on'));
  if (leaks.length > 0) throw new Error(`left behind:\n  ${leaks.join('\n  ')}`);
}
