import { describe, expect, it } from 'vitest';

import { EEXIST, EINVAL, ENOSPC, ESRCH } from '../../../assembly/wire/errno.js';
import { DOMID_SELF } from '../../../assembly/wire/grant-table.js';
import {
  ARM64_EVTCHN_MASK,
  EVTCHN_PENDING_SEL,
  VIRQ_DEBUG,
  VIRQ_TIMER,
  X86_64_EVTCHN_PENDING,
} from '../../../assembly/wire/shared-info.js';
import { channelBetween, guestOn, isPending, machineFor, settle } from './support.js';

describe('evtchn_alloc_unbound', () => {
  it('hands out ports in no order, never 0, the same for the same seed', () => {
    const take = (seed: number): number[] => {
      const guest = guestOn(machineFor({ seed }));
      return Array.from({ length: 50 }, () => guest.hypercalls.evtchn_alloc_unbound(0));
    };
    const first = take(7);
    expect(first).not.toEqual([...first].sort((a, b) => a - b));
    expect(Math.min(...first)).toBeGreaterThan(0);
    expect(new Set(first).size).toBe(50);
    expect(take(7)).toEqual(first);
    expect(take(8)).not.toEqual(first);
  });

  it('answers -ENOSPC when all ports are used, and gives closed ones again', () => {
    const { hypercalls } = guestOn(machineFor());
    const ports = new Set<number>();
    for (let count = 0; count < 4094; count++) ports.add(hypercalls.evtchn_alloc_unbound(0));
    expect(ports.size).toBe(4094); // 4096 without port 0 and the one to xenstored
    expect(hypercalls.evtchn_alloc_unbound(0)).toBe(-ENOSPC);
    const [one] = ports;
    expect(hypercalls.evtchn_close(one!)).toBe(0);
    expect(hypercalls.evtchn_alloc_unbound(0)).toBe(one);
  });

  it('refuses reserved domids but knows DOMID_SELF', () => {
    const guest = guestOn(machineFor());
    expect(guest.hypercalls.evtchn_alloc_unbound(0x7ff1)).toBe(-EINVAL);
    expect(guest.hypercalls.evtchn_alloc_unbound(-1)).toBe(-EINVAL);
    const port = guest.hypercalls.evtchn_alloc_unbound(DOMID_SELF);
    const other = guest.hypercalls.evtchn_bind_interdomain(DOMID_SELF, port);
    expect(other).toBeGreaterThan(0);
    guest.hypercalls.evtchn_send(port);
    expect(guest.ports().find((one) => one.port === port)).toMatchObject({
      state: 'interdomain',
      remote: guest.domid,
      remotePort: other,
      sends: 1,
    });
  });
});

describe('evtchn_bind_interdomain', () => {
  it('binds a port that was offered to the caller, pending once for what was missed', () => {
    const machine = machineFor();
    const [a, b] = [guestOn(machine, 'a'), guestOn(machine, 'b')];
    const [offered, bound] = channelBetween(a, b);
    expect(isPending(machine, b, bound)).toBe(true);
    expect(isPending(machine, a, offered)).toBe(false);
  });

  it('refuses other domains, ports that are not unbound, and domains that are not there', () => {
    const machine = machineFor();
    const [a, b, c] = [guestOn(machine, 'a'), guestOn(machine, 'b'), guestOn(machine, 'c')];
    const offered = a.hypercalls.evtchn_alloc_unbound(b.domid);
    expect(c.hypercalls.evtchn_bind_interdomain(a.domid, offered)).toBe(-EINVAL);
    expect(b.hypercalls.evtchn_bind_interdomain(a.domid, 4096)).toBe(-EINVAL);
    expect(b.hypercalls.evtchn_bind_interdomain(a.domid, 0)).toBe(-EINVAL);
    expect(b.hypercalls.evtchn_bind_interdomain(30, offered)).toBe(-ESRCH);
    expect(b.hypercalls.evtchn_bind_interdomain(0xffff_ffff, offered)).toBe(-ESRCH);
    expect(b.hypercalls.evtchn_bind_interdomain(a.domid, offered)).toBeGreaterThan(0);
    expect(b.hypercalls.evtchn_bind_interdomain(a.domid, offered)).toBe(-EINVAL);
  });
});

describe('evtchn_send', () => {
  it('sets the other end pending and calls its handler later, never at once', async () => {
    const machine = machineFor();
    const [a, b] = [guestOn(machine, 'a'), guestOn(machine, 'b')];
    const [toB, toA] = channelBetween(a, b);
    const seen: string[] = [];
    a.events.on(toB, () => seen.push('a'));
    b.events.on(toA, () => seen.push('b'));
    await settle();
    expect(seen).toEqual(['b']); // the event that binding leaves
    expect(a.hypercalls.evtchn_send(toB)).toBe(0);
    expect(isPending(machine, b, toA)).toBe(true);
    expect(seen).toEqual(['b']);
    await settle();
    expect(seen).toEqual(['b', 'b']);
    expect(isPending(machine, b, toA)).toBe(false);
    expect(b.hypercalls.evtchn_send(toA)).toBe(0);
    await settle();
    expect(seen).toEqual(['b', 'b', 'a']);
  });

  it('coalesces events that nobody has taken yet, and counts them', async () => {
    const machine = machineFor();
    const [a, b] = [guestOn(machine, 'a'), guestOn(machine, 'b')];
    const [toB, toA] = channelBetween(a, b);
    let calls = 0;
    b.events.on(toA, () => calls++);
    await settle();
    const before = machine.counters();
    for (let sends = 0; sends < 10; sends++) a.hypercalls.evtchn_send(toB);
    await settle();
    expect(calls).toBe(2);
    const after = machine.counters();
    expect(after.sends - before.sends).toBe(10);
    expect(after.coalesced - before.coalesced).toBe(9);
    expect(after.upcalls - before.upcalls).toBe(1);
    expect(after.wakes).toBe(0);
    expect(a.ports().find(({ port }) => port === toB)?.sends).toBe(10);
  });

  it('loses events on an unbound port and answers -EINVAL on a closed one', () => {
    const machine = machineFor();
    const guest = guestOn(machine);
    const port = guest.hypercalls.evtchn_alloc_unbound(0);
    expect(guest.hypercalls.evtchn_send(port)).toBe(0);
    expect(machine.counters().lost).toBe(1);
    expect(guest.hypercalls.evtchn_close(port)).toBe(0);
    for (const bad of [port, 0, 4096, -1, 1e9]) {
      expect(guest.hypercalls.evtchn_send(bad)).toBe(-EINVAL);
      expect(guest.hypercalls.evtchn_close(bad)).toBe(-EINVAL);
    }
  });

  it('keeps events for a domain that is not started yet', async () => {
    const machine = machineFor();
    const [a, b] = [guestOn(machine, 'a'), guestOn(machine, 'b')];
    const [toB, toA] = channelBetween(a, b);
    a.hypercalls.evtchn_send(toB);
    await settle();
    let calls = 0;
    b.events.on(toA, () => calls++);
    await settle();
    expect(calls).toBe(1);
  });
});

describe('mask and unmask', () => {
  it('hold an event back and raise the upcall when it is let through', async () => {
    const machine = machineFor();
    const [a, b] = [guestOn(machine, 'a'), guestOn(machine, 'b')];
    const [toB, toA] = channelBetween(a, b);
    let calls = 0;
    b.events.on(toA, () => calls++);
    await settle();
    expect(b.hypercalls.evtchn_mask(toA)).toBe(0);
    a.hypercalls.evtchn_send(toB);
    await settle();
    expect(calls).toBe(1);
    expect(isPending(machine, b, toA)).toBe(true);
    expect(b.hypercalls.evtchn_unmask(toA)).toBe(0);
    await settle();
    expect(calls).toBe(2);
    expect(b.hypercalls.evtchn_unmask(toA)).toBe(0);
    await settle();
    expect(calls).toBe(2);
  });

  it('refuse ports beyond the table', () => {
    const { hypercalls } = guestOn(machineFor());
    expect(hypercalls.evtchn_mask(4096)).toBe(-EINVAL);
    expect(hypercalls.evtchn_unmask(4096)).toBe(-EINVAL);
  });
});

describe('evtchn_close', () => {
  it('leaves the other end unbound, reserved for us, so that we can bind it again', async () => {
    const machine = machineFor();
    const [a, b, c] = [guestOn(machine, 'a'), guestOn(machine, 'b'), guestOn(machine, 'c')];
    const [toB, toA] = channelBetween(a, b);
    expect(b.hypercalls.evtchn_close(toA)).toBe(0);
    expect(a.ports().find(({ port }) => port === toB)).toMatchObject({
      state: 'unbound',
      remote: b.domid,
    });
    expect(a.hypercalls.evtchn_send(toB)).toBe(0);
    expect(c.hypercalls.evtchn_bind_interdomain(a.domid, toB)).toBe(-EINVAL);
    const again = b.hypercalls.evtchn_bind_interdomain(a.domid, toB);
    let calls = 0;
    b.events.on(again, () => calls++);
    a.hypercalls.evtchn_send(toB);
    await settle();
    expect(calls).toBe(1);
  });

  it('clears what was pending, so that the next user of the port does not get it', () => {
    const machine = machineFor();
    const [a, b] = [guestOn(machine, 'a'), guestOn(machine, 'b')];
    const [, toA] = channelBetween(a, b);
    expect(isPending(machine, b, toA)).toBe(true);
    b.hypercalls.evtchn_close(toA);
    expect(isPending(machine, b, toA)).toBe(false);
  });
});

describe('evtchn_bind_virq', () => {
  it('delivers a virtual interrupt, once bound and until closed', async () => {
    const machine = machineFor();
    const guest = guestOn(machine);
    expect(machine.raiseVirq(guest.domid, VIRQ_TIMER)).toBe(false);
    const port = guest.hypercalls.evtchn_bind_virq(VIRQ_TIMER);
    expect(guest.hypercalls.evtchn_bind_virq(VIRQ_TIMER)).toBe(-EEXIST);
    expect(guest.hypercalls.evtchn_bind_virq(24)).toBe(-EINVAL);
    expect(guest.hypercalls.evtchn_bind_virq(VIRQ_DEBUG)).toBeGreaterThan(0);
    expect(guest.hypercalls.evtchn_send(port)).toBe(-EINVAL);
    let calls = 0;
    guest.events.on(port, () => calls++);
    expect(machine.raiseVirq(guest.domid, VIRQ_TIMER)).toBe(true);
    await settle();
    expect(calls).toBe(1);
    guest.hypercalls.evtchn_close(port);
    expect(machine.raiseVirq(guest.domid, VIRQ_TIMER)).toBe(false);
  });
});

describe('upcalls', () => {
  it('come once while the upcall byte stays set, and again after it was cleared', async () => {
    const machine = machineFor();
    const [a, b] = [guestOn(machine, 'a'), guestOn(machine, 'b')];
    const [toB] = channelBetween(a, b);
    const bytes = new Uint8Array(machine.memory.buffer);
    const words = new Int32Array(machine.memory.buffer);
    let upcalls = 0;
    b.start(() => upcalls++);
    await settle();
    expect(upcalls).toBe(1);
    words.fill(0, (b.sharedInfo + 48) / 4, (b.sharedInfo + 560) / 4); // all pending bits
    a.hypercalls.evtchn_send(toB);
    await settle();
    expect(upcalls).toBe(1);
    bytes[b.sharedInfo] = 0;
    words.fill(0, (b.sharedInfo + 48) / 4, (b.sharedInfo + 560) / 4);
    a.hypercalls.evtchn_send(toB);
    await settle();
    expect(upcalls).toBe(2);
  });

  it('stop with the domain, and wait for it to start again', async () => {
    const machine = machineFor();
    const [a, b] = [guestOn(machine, 'a'), guestOn(machine, 'b')];
    const [toB, toA] = channelBetween(a, b);
    let calls = 0;
    b.events.on(toA, () => calls++);
    a.hypercalls.evtchn_send(toB);
    b.stop();
    await settle();
    expect(calls).toBe(0);
    b.events.on(toA, () => calls++);
    await settle();
    expect(calls).toBe(1);
  });

  it('are refused to a second host of the domain', () => {
    const guest = guestOn(machineFor());
    guest.start(() => undefined);
    expect(() => guest.start(() => undefined)).toThrow('already runs on this thread');
  });

  it('reach every handler even when one of them throws', async () => {
    const machine = machineFor({ scheduler: catching() });
    const [a, b] = [guestOn(machine, 'a'), guestOn(machine, 'b')];
    const channels = Array.from({ length: 3 }, () => channelBetween(a, b));
    let calls = 0;
    for (const [, port] of channels) {
      b.events.on(port, () => {
        calls++;
        throw new Error('a handler failed');
      });
    }
    await settle();
    expect(calls).toBe(3);
    expect(caught).toEqual(['a handler failed']);
  });

  it('count as spurious when they find nothing', async () => {
    const machine = machineFor();
    const [a, b] = [guestOn(machine, 'a'), guestOn(machine, 'b')];
    const [, toA] = channelBetween(a, b);
    const before = machine.counters().spurious;
    b.events.on(toA === 1 ? 2 : 1, () => undefined); // not the port that is pending
    await settle();
    expect(machine.counters().spurious).toBe(before + 1);
  });

  it('use the places of x86-64 when the machine is one', () => {
    const machine = machineFor({ architecture: 'x86-64' });
    const [a, b] = [guestOn(machine, 'a'), guestOn(machine, 'b')];
    const [, toA] = channelBetween(a, b);
    const bytes = new Uint8Array(machine.memory.buffer);
    const at = b.sharedInfo + X86_64_EVTCHN_PENDING + (toA >>> 3);
    expect(bytes[at]! & (1 << (toA & 7))).not.toBe(0);
    expect(bytes[b.sharedInfo + EVTCHN_PENDING_SEL + (toA >>> 9)]).toBe(1 << ((toA >>> 6) & 7));
    expect(bytes[b.sharedInfo]).toBe(1);
  });
});

const caught: string[] = [];

/** The event loop, but tasks that throw are noted. */
function catching() {
  return {
    now: () => performance.now(),
    defer: (task: () => void) => {
      setImmediate(() => {
        try {
          task();
        } catch (error) {
          caught.push((error as Error).message);
        }
      });
    },
    after: () => () => undefined,
  };
}

describe('a hostile domain', () => {
  it('can fill its shared_info with anything and only disturbs itself', async () => {
    const machine = machineFor();
    const [a, b] = [guestOn(machine, 'a'), guestOn(machine, 'b')];
    const [toB, toA] = channelBetween(a, b);
    const bytes = new Uint8Array(machine.memory.buffer);
    bytes.fill(0xff, a.sharedInfo, a.sharedInfo + 4096);
    let calls = 0;
    b.events.on(toA, () => calls++);
    a.events.on(toB, () => undefined);
    bytes.fill(0, a.sharedInfo + ARM64_EVTCHN_MASK, a.sharedInfo + ARM64_EVTCHN_MASK + 512);
    a.hypercalls.evtchn_send(toB);
    b.hypercalls.evtchn_send(toA);
    await settle();
    expect(calls).toBe(1);
    expect(a.hypercalls.evtchn_close(toB)).toBe(0);
  });
});
