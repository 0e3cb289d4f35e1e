import { describe, expect, it } from 'vitest';

import { EINVAL, ESRCH } from '../../../assembly/wire/errno.js';
import { createMachine, openMachine } from '../../../host/machine/index.js';
import { channelBetween, guestOn, machineFor, settle } from './support.js';

describe('createMachine', () => {
  it('has one shared memory of the size asked for, and domain 0', () => {
    const machine = machineFor();
    expect(machine.memory.buffer).toBeInstanceOf(SharedArrayBuffer);
    expect(machine.memory.buffer.byteLength).toBe(64 << 20);
    expect(machine.domains().map(({ domid, name }) => [domid, name])).toEqual([[0, 'Domain-0']]);
    expect(machine.architecture).toBe('arm64');
  });

  it('refuses sizes that cannot be, in words', () => {
    expect(() => createMachine({ memoryMiB: 0 })).toThrow('memoryMiB is 0');
    expect(() => createMachine({ memoryMiB: 4 })).toThrow('raise memoryMiB or lower maxDomains');
    expect(() => createMachine({ maxDomains: 1 })).toThrow('maxDomains is 1');
    expect(() => createMachine({ maxGrantFrames: 1.5 })).toThrow('maxGrantFrames is 1.5');
  });
});

describe('createDomain', () => {
  it('gives domids from 1, names, zeroed frames in a row, and pages of its own', () => {
    const machine = machineFor();
    const [a, b] = [guestOn(machine, 'a'), guestOn(machine, 'b')];
    expect([a.domid, b.domid]).toEqual([1, 2]);
    expect(machine.domain(2)).toBe(b);
    expect(b.name).toBe('b');
    expect(a.firstFrame).toBeGreaterThan(0);
    expect(b.firstFrame).toBeGreaterThanOrEqual(a.firstFrame + a.frameCount);
    expect(a.bytes(a.firstFrame, a.frameCount).every((byte) => byte === 0)).toBe(true);
    expect(a.storePage % 4096).toBe(0);
    expect(a.sharedInfo % 4096).toBe(0);
    expect(() => a.bytes(a.firstFrame, a.frameCount + 20)).toThrow(RangeError);
    expect(() => a.bytes(0)).toThrow('frame 0');
  });

  it('takes the domid that is asked for, once', () => {
    const machine = machineFor();
    expect(machine.createDomain({ name: 'x', frames: 1, domid: 9 }).domid).toBe(9);
    expect(() => machine.createDomain({ name: 'x', frames: 1, domid: 9 })).toThrow('9 exists');
    expect(() => machine.createDomain({ name: 'x', frames: 1, domid: 32 })).toThrow('maxDomains');
    expect(() => machine.createDomain({ name: 'x', frames: 1, domid: 0 })).toThrow('outside');
    expect(() => machine.createDomain({ name: 'x', frames: 0 })).toThrow('frames is 0');
    expect(() => machine.createDomain({ name: 'x'.repeat(200), frames: 1 })).toThrow('the name');
    expect(() => machine.domain(31)).toThrow('no domain 31');
  });

  it('says so when the machine is full, and has room again afterwards', () => {
    const machine = machineFor({ maxDomains: 3 });
    const [a] = [guestOn(machine), guestOn(machine)];
    expect(() => guestOn(machine)).toThrow('all 3 domains exist');
    a!.destroy();
    expect(() => guestOn(machine, 'big', 1 << 20)).toThrow('no room');
    expect(guestOn(machine).domid).toBe(1);
  });
});

describe('destroy', () => {
  it('closes ports, undoes mappings, ends grants and frees the frames, scrubbed', () => {
    const machine = machineFor();
    const [a, b] = [guestOn(machine, 'a'), guestOn(machine, 'b')];
    const [toB] = channelBetween(a, b);
    const ref = a.hypercalls.gnttab_grant_access(b.domid, a.firstFrame, 0);
    b.hypercalls.gnttab_map(a.domid, ref, 1);
    b.hypercalls.gnttab_grant_access(a.domid, b.firstFrame, 0);
    b.bytes(b.firstFrame, b.frameCount).fill(7);
    b.destroy();
    expect(b.alive).toBe(false);
    expect(machine.domains().map(({ domid }) => domid)).toEqual([0, 1]);
    expect(a.ports().find(({ port }) => port === toB)?.state).toBe('unbound');
    expect(a.hypercalls.evtchn_send(toB)).toBe(0);
    expect(a.hypercalls.gnttab_end_access(ref)).toBe(0);
    a.hypercalls.evtchn_close(toB);
    machine.assertCleanedUp();
    const next = guestOn(machine, 'next');
    expect(next.firstFrame).toBe(b.firstFrame);
    expect(next.bytes(next.firstFrame, next.frameCount).every((byte) => byte === 0)).toBe(true);
  });

  it('keeps the frames that others map until they unmap them', () => {
    const machine = machineFor();
    const [a, b] = [guestOn(machine, 'a'), guestOn(machine, 'b')];
    const refs = [0, 1].map((at) => {
      return a.hypercalls.gnttab_grant_access(b.domid, a.firstFrame + at, 0);
    });
    for (const ref of refs) b.hypercalls.gnttab_map(a.domid, ref, 1);
    a.bytes(a.firstFrame)[0] = 5;
    a.destroy();
    expect(() => machine.createDomain({ name: 'c', frames: 1, domid: a.domid })).toThrow('map');
    expect(b.bytes(a.firstFrame)[0]).toBe(5);
    expect(machine.leaks()).toHaveLength(2);
    expect(b.hypercalls.gnttab_map(a.domid, refs[0]!, 1)).toBe(-ESRCH);
    expect(b.hypercalls.gnttab_unmap(a.firstFrame)).toBe(0);
    expect(b.hypercalls.gnttab_unmap(a.firstFrame + 1)).toBe(0);
    machine.assertCleanedUp();
    expect(machine.createDomain({ name: 'c', frames: 16, domid: 1 }).firstFrame).toBe(a.firstFrame);
  });

  it('leaves old hypercalls dead even when the domid lives again', async () => {
    const machine = machineFor();
    const old = guestOn(machine, 'old');
    old.destroy();
    old.destroy();
    const next = machine.createDomain({ name: 'next', frames: 4, domid: old.domid });
    expect(old.hypercalls.evtchn_send(next.storePort)).toBe(-ESRCH);
    expect(old.hypercalls.evtchn_alloc_unbound(0)).toBe(-ESRCH);
    expect(old.hypercalls.gnttab_grant_access(0, next.firstFrame, 0)).toBe(-ESRCH);
    expect(() => old.start(() => undefined)).toThrow('destroyed');
    await settle();
    expect(machine.domain(old.domid)).toBe(next);
  });

  it('is not for domain 0', () => {
    const machine = machineFor();
    expect(() => machine.domain(0).destroy()).toThrow('domain 0');
  });
});

describe('assertCleanedUp', () => {
  it('finds nothing on a machine where nothing was done', () => {
    const machine = machineFor();
    guestOn(machine);
    machine.assertCleanedUp();
  });

  it('names every grant, mapping, port, watch and transaction left behind', () => {
    const machine = machineFor();
    const guest = guestOn(machine, 'leaky');
    const { hypercalls } = machine.domain(0);
    const ref = guest.hypercalls.gnttab_grant_access(0, guest.firstFrame, 0);
    hypercalls.gnttab_map(guest.domid, ref, 1);
    const { firstFrame: frame } = guest;
    const [port, port0] = channelBetween(guest, machine.domain(0));
    const virq = guest.hypercalls.evtchn_bind_virq(0);
    const store = machine.store.connect(guest.domid);
    store.watch('device', 'my-token', () => undefined);
    store.begin();
    expect(machine.leaks().sort()).toEqual(
      [
        `domain 0 "Domain-0": mapping of frame ${frame}, grant ${ref} of domain 1, 1 times`,
        `domain 0 "Domain-0": port ${port0}, interdomain with port ${port} of domain 1`,
        `domain 1 "leaky": grant ${ref} of frame ${frame} to domain 0, mapped 1 times`,
        `domain 1 "leaky": port ${port}, interdomain with port ${port0} of domain 0`,
        `domain 1 "leaky": port ${virq}, virq 0`,
        'domain 1: 1 xenstore transactions',
        'domain 1: xenstore watch on device with token "my-token"',
      ].sort(),
    );
    expect(() => machine.assertCleanedUp()).toThrow('7 left behind');
    store.close();
    hypercalls.gnttab_unmap(guest.firstFrame);
    hypercalls.evtchn_close(port0);
    guest.destroy();
    machine.assertCleanedUp();
  });
});

describe('hypercalls', () => {
  it('are own functions of one flat object, fit for a WebAssembly import', () => {
    const { hypercalls } = guestOn(machineFor());
    expect(Object.keys(hypercalls).sort()).toEqual([
      'evtchn_alloc_unbound',
      'evtchn_bind_interdomain',
      'evtchn_bind_virq',
      'evtchn_close',
      'evtchn_mask',
      'evtchn_send',
      'evtchn_unmask',
      'gnttab_end_access',
      'gnttab_grant_access',
      'gnttab_map',
      'gnttab_unmap',
    ]);
    const { evtchn_send } = hypercalls;
    expect(evtchn_send(0)).toBe(-EINVAL);
  });

  it('survive any numbers', () => {
    const { hypercalls } = guestOn(machineFor());
    const values = [0, 1, -1, 7, 4095, 4096, 0x7fff_ffff, -0x8000_0000, 0xffff_ffff, 0x7ff0];
    const calls = Object.values(hypercalls) as ((...args: number[]) => number)[];
    for (const call of calls) {
      for (const a of values) {
        for (const b of values)
          for (const c of [0, 1, -1]) expect(call(a, b, c)).toBeTypeOf('number');
      }
    }
  });
});

describe('openMachine', () => {
  it('sees the same domains through a handle, but not xenstored', () => {
    const machine = machineFor();
    const guest = guestOn(machine);
    const other = openMachine(machine.handle());
    const same = other.domain(guest.domid);
    expect(same).not.toBe(guest);
    expect(same).toMatchObject({
      name: 'guest',
      firstFrame: guest.firstFrame,
      sharedInfo: guest.sharedInfo,
      storePage: guest.storePage,
      storePort: guest.storePort,
    });
    expect(() => other.store).toThrow('the thread that created the machine');
    expect(() => other.createDomain({ name: 'x', frames: 1 })).toThrow('the thread that created');
    const ref = same.hypercalls.gnttab_grant_access(0, same.firstFrame, 0);
    expect(guest.hypercalls.gnttab_end_access(ref)).toBe(0);
    guest.start(() => undefined);
    expect(() => same.start(() => undefined)).toThrow('already runs on thread 0');
    other.close();
    guest.stop();
  });

  it('refuses a memory without a machine', () => {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
    expect(() => openMachine({ memory, seed: 0 })).toThrow('no machine in this memory');
  });
});
