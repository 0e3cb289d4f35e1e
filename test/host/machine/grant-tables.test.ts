import { describe, expect, it } from 'vitest';

import { EBUSY, EINVAL, ENOSPC, EPERM, ESRCH } from '../../../assembly/wire/errno.js';
import { DOMID_SELF } from '../../../assembly/wire/grant-table.js';
import { guestOn, machineFor } from './support.js';

function twoGuests(options = {}) {
  const machine = machineFor(options);
  return { machine, a: guestOn(machine, 'a'), b: guestOn(machine, 'b') };
}

describe('gnttab_grant_access', () => {
  it('hands out references in no order but that of the seed, above the reserved ones', () => {
    const take = (seed: number): number[] => {
      const { a } = twoGuests({ seed });
      return Array.from({ length: 50 }, () => a.hypercalls.gnttab_grant_access(0, a.firstFrame, 0));
    };
    const refs = take(3);
    expect(refs).not.toEqual([...refs].sort((x, y) => x - y));
    expect(Math.min(...refs)).toBeGreaterThanOrEqual(8);
    expect(new Set(refs).size).toBe(50);
    expect(take(3)).toEqual(refs);
  });

  it('answers -ENOSPC when the table is full, and has room again after an end', () => {
    const { a } = twoGuests();
    const refs = Array.from({ length: 1016 }, () =>
      a.hypercalls.gnttab_grant_access(0, a.firstFrame, 0),
    );
    expect(new Set(refs).size).toBe(1016); // 2 pages of 512 without the 8 reserved
    expect(a.hypercalls.gnttab_grant_access(0, a.firstFrame, 0)).toBe(-ENOSPC);
    expect(a.hypercalls.gnttab_end_access(refs[500]!)).toBe(0);
    expect(a.hypercalls.gnttab_grant_access(0, a.firstFrame, 0)).toBe(refs[500]);
    for (const ref of refs) expect(a.hypercalls.gnttab_end_access(ref)).toBe(0);
  });

  it('takes only frames of the caller', () => {
    const { a, b } = twoGuests();
    expect(a.hypercalls.gnttab_grant_access(0, b.firstFrame, 0)).toBe(-EPERM);
    expect(a.hypercalls.gnttab_grant_access(0, a.sharedInfo >>> 12, 0)).toBe(-EINVAL);
    for (const frame of [0, 1, 0xffff_ffff, 64 * 256]) {
      expect(a.hypercalls.gnttab_grant_access(0, frame, 0)).toBe(-EINVAL);
    }
    expect(a.hypercalls.gnttab_grant_access(0x7ff5, a.firstFrame, 0)).toBe(-EINVAL);
  });
});

describe('gnttab_map', () => {
  it('yields the frame that was granted, to the domain it was granted to', () => {
    const { machine, a, b } = twoGuests();
    const ref = a.hypercalls.gnttab_grant_access(b.domid, a.firstFrame + 3, 0);
    expect(b.hypercalls.gnttab_map(a.domid, ref, 1)).toBe(a.firstFrame + 3);
    a.bytes(a.firstFrame + 3)[5] = 42;
    expect(b.bytes(a.firstFrame + 3)[5]).toBe(42);
    const c = guestOn(machine, 'c');
    expect(c.hypercalls.gnttab_map(a.domid, ref, 1)).toBe(-EINVAL);
    expect(() => c.bytes(a.firstFrame + 3)).toThrow('neither owned nor mapped');
    expect(b.hypercalls.gnttab_unmap(a.firstFrame + 3)).toBe(0);
    expect(() => b.bytes(a.firstFrame + 3)).toThrow('neither owned nor mapped');
  });

  it('refuses unknown and stale references, and domains that are not there', () => {
    const { a, b } = twoGuests();
    const ref = a.hypercalls.gnttab_grant_access(b.domid, a.firstFrame, 0);
    expect(b.hypercalls.gnttab_map(a.domid, ref === 9 ? 10 : 9, 0)).toBe(-EINVAL);
    expect(b.hypercalls.gnttab_map(a.domid, 1024, 0)).toBe(-EINVAL);
    expect(b.hypercalls.gnttab_map(a.domid, -1, 0)).toBe(-EINVAL);
    expect(b.hypercalls.gnttab_map(31, ref, 0)).toBe(-ESRCH);
    expect(b.hypercalls.gnttab_map(-5, ref, 0)).toBe(-ESRCH);
    a.hypercalls.gnttab_end_access(ref);
    expect(b.hypercalls.gnttab_map(a.domid, ref, 0)).toBe(-EINVAL);
    expect(a.hypercalls.gnttab_end_access(ref)).toBe(-EINVAL);
  });

  it('maps a grant for reading only when it is for reading only', () => {
    const { a, b } = twoGuests();
    const ref = a.hypercalls.gnttab_grant_access(b.domid, a.firstFrame, 1);
    expect(b.hypercalls.gnttab_map(a.domid, ref, 1)).toBe(-EINVAL);
    expect(b.hypercalls.gnttab_map(a.domid, ref, 0)).toBe(a.firstFrame);
    expect(b.hypercalls.gnttab_unmap(a.firstFrame)).toBe(0);
  });

  it('counts: as many unmaps as maps', () => {
    const { a, b } = twoGuests();
    const ref = a.hypercalls.gnttab_grant_access(b.domid, a.firstFrame, 0);
    b.hypercalls.gnttab_map(a.domid, ref, 1);
    b.hypercalls.gnttab_map(a.domid, ref, 0);
    expect(a.grants().find((grant) => grant.ref === ref)).toMatchObject({
      remote: b.domid,
      frame: a.firstFrame,
      readonly: false,
      maps: 2,
    });
    expect(b.hypercalls.gnttab_unmap(a.firstFrame)).toBe(0);
    expect(a.hypercalls.gnttab_end_access(ref)).toBe(-EBUSY);
    expect(b.hypercalls.gnttab_unmap(a.firstFrame)).toBe(0);
    expect(b.hypercalls.gnttab_unmap(a.firstFrame)).toBe(-EINVAL);
    expect(a.hypercalls.gnttab_end_access(ref)).toBe(0);
  });

  it('serves a domain that grants to itself', () => {
    const { a } = twoGuests();
    const ref = a.hypercalls.gnttab_grant_access(DOMID_SELF, a.firstFrame, 0);
    expect(a.hypercalls.gnttab_map(DOMID_SELF, ref, 1)).toBe(a.firstFrame);
    expect(a.hypercalls.gnttab_end_access(ref)).toBe(-EBUSY);
    expect(a.hypercalls.gnttab_unmap(a.firstFrame)).toBe(0);
    expect(a.hypercalls.gnttab_end_access(ref)).toBe(0);
  });
});

describe('gnttab_unmap', () => {
  it('knows only frames that the caller has mapped', () => {
    const { a, b } = twoGuests();
    const ref = a.hypercalls.gnttab_grant_access(b.domid, a.firstFrame, 0);
    for (const frame of [a.firstFrame, b.firstFrame, 0, 1, -1, a.sharedInfo >>> 12]) {
      expect(b.hypercalls.gnttab_unmap(frame)).toBe(-EINVAL);
    }
    expect(a.hypercalls.gnttab_end_access(ref)).toBe(0);
  });

  it('finds the right one of several grants of a frame', () => {
    const { machine, a, b } = twoGuests();
    const c = guestOn(machine, 'c');
    const toB = a.hypercalls.gnttab_grant_access(b.domid, a.firstFrame, 0);
    const toC = a.hypercalls.gnttab_grant_access(c.domid, a.firstFrame, 0);
    const unused = a.hypercalls.gnttab_grant_access(b.domid, a.firstFrame, 0);
    b.hypercalls.gnttab_map(a.domid, toB, 1);
    c.hypercalls.gnttab_map(a.domid, toC, 1);
    expect(a.hypercalls.gnttab_end_access(unused)).toBe(0);
    expect(b.hypercalls.gnttab_unmap(a.firstFrame)).toBe(0);
    expect(a.hypercalls.gnttab_end_access(toC)).toBe(-EBUSY);
    expect(a.hypercalls.gnttab_end_access(toB)).toBe(0);
    expect(c.hypercalls.gnttab_unmap(a.firstFrame)).toBe(0);
    expect(a.hypercalls.gnttab_end_access(toC)).toBe(0);
  });
});

describe('gnttab_end_access', () => {
  it('changes nothing while mapped, and poisons the frame when its last grant ends', () => {
    const { a, b } = twoGuests();
    const bytes = a.bytes(a.firstFrame);
    bytes.fill(1);
    const first = a.hypercalls.gnttab_grant_access(b.domid, a.firstFrame, 0);
    const second = a.hypercalls.gnttab_grant_access(b.domid, a.firstFrame, 1);
    b.hypercalls.gnttab_map(a.domid, first, 1);
    expect(a.hypercalls.gnttab_end_access(first)).toBe(-EBUSY);
    expect(a.hypercalls.gnttab_end_access(second)).toBe(0);
    expect(bytes.every((byte) => byte === 1)).toBe(true);
    b.hypercalls.gnttab_unmap(a.firstFrame);
    expect(a.hypercalls.gnttab_end_access(first)).toBe(0);
    expect(bytes.every((byte) => byte === 0xdb)).toBe(true);
    expect(a.bytes(a.firstFrame + 1).every((byte) => byte === 0)).toBe(true);
  });

  it('leaves frames alone when poison is off', () => {
    const { a, b } = twoGuests({ poison: false });
    a.bytes(a.firstFrame).fill(1);
    a.hypercalls.gnttab_end_access(a.hypercalls.gnttab_grant_access(b.domid, a.firstFrame, 0));
    expect(a.bytes(a.firstFrame).every((byte) => byte === 1)).toBe(true);
  });

  it('refuses the grant of the xenstore page while xenstored has it', () => {
    const { a } = twoGuests();
    expect(a.hypercalls.gnttab_end_access(1)).toBe(-EBUSY);
    expect(a.hypercalls.gnttab_end_access(0)).toBe(-EINVAL);
  });
});

describe('the policy SILO', () => {
  it('keeps guests from each other, and not from domain 0', () => {
    const { machine, a, b } = twoGuests({ xsm: 'silo' });
    const ref = a.hypercalls.gnttab_grant_access(b.domid, a.firstFrame, 0);
    expect(b.hypercalls.gnttab_map(a.domid, ref, 1)).toBe(-EPERM);
    expect(a.hypercalls.evtchn_alloc_unbound(b.domid)).toBe(-EPERM);
    expect(b.hypercalls.evtchn_bind_interdomain(a.domid, 1)).toBe(-EPERM);
    const zero = machine.domain(0).hypercalls;
    const shared = a.hypercalls.gnttab_grant_access(0, a.firstFrame, 0);
    expect(zero.gnttab_map(a.domid, shared, 1)).toBe(a.firstFrame);
    const port = a.hypercalls.evtchn_alloc_unbound(0);
    expect(zero.evtchn_bind_interdomain(a.domid, port)).toBeGreaterThan(0);
  });
});
