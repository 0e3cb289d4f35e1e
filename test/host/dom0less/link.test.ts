/**
 * build/dom0less.wasm at both ends of a link in the simulated machine: how the ends find each
 * other, the stream, its end, and peers that lie. test/xen runs the same module under real Xen.
 */
import { describe, expect, it } from 'vitest';

import { IN_CONS, OUT_CONS, OUT_PROD, V1_RING_ORDER } from '../../../assembly/wire/data-ring.js';
import {
  LINK_CLOSED,
  LINK_CLOSING,
  LINK_CONNECTED,
  LINK_FAILED,
  LINK_WAITING,
  RENDEZVOUS_GO,
  ROLE_RECEIVER,
  ROLE_SENDER,
} from '../../../assembly/wire/dom0less.js';
import { EINVAL, EPIPE, EPROTO, ETIMEDOUT } from '../../../assembly/wire/errno.js';
import { PAGE_SIZE } from '../../../assembly/wire/page.js';
import { SeededScheduler } from '../../../host/machine/index.js';
import { machineFor } from '../machine/support.js';
import { End, type EndOptions } from './end.js';

const FRAMES = 64;

function pattern(size: number, factor: number): number[] {
  return Array.from({ length: size }, (_, i) => (i * factor + (i >>> 8)) & 0xff);
}

/** Two domains on virtual time; the receiver has started, the sender has not. */
function world(seed: number, options: Partial<EndOptions> = {}) {
  const scheduler = new SeededScheduler(seed);
  const machine = machineFor({ scheduler, seed });
  const ends = ['receiver', 'sender'].map((name) => {
    return new End(machine, machine.createDomain({ name, frames: FRAMES }), scheduler);
  });
  const [receiver, sender] = ends as [End, End];
  const result = receiver.start({ role: ROLE_RECEIVER, peer: sender.domain.domid, ...options });
  const [rendezvous = 0, indexes = 0] = receiver.granted;
  const join = (ref = rendezvous): number =>
    sender.start({ role: ROLE_SENDER, peer: receiver.domain.domid, ref });
  /** The address of a page that the receiver granted. */
  const words = new DataView(machine.memory.buffer);
  const pageOf = (ref: number): number =>
    sender.domain.hypercalls.gnttab_map(receiver.domain.domid, ref, 1) * PAGE_SIZE;
  return { scheduler, machine, receiver, sender, result, rendezvous, indexes, join, words, pageOf };
}

async function connected(seed: number, options: Partial<EndOptions> = {}) {
  const all = world(seed, options);
  all.join();
  await all.scheduler.run(() => all.receiver.link.state() === LINK_CONNECTED);
  return all;
}

describe('a link between two guests', () => {
  it.each([1, 2, 3, 4, 5, 6])('carries bytes both ways and ends, seed %i', async (seed) => {
    const first = seed % 2 === 0 ? 0xfffff000 : 0;
    const { scheduler, receiver, sender, join } = world(seed, { order: seed % 5, first });
    const [there, back] = [pattern(20_000, 7), pattern(30_001, 13)];
    sender.toSend = [...there];
    receiver.toSend = [...back];
    join();
    await scheduler.run(
      () => receiver.received.length >= there.length && sender.received.length >= back.length,
    );
    expect(receiver.received).toEqual(there);
    expect(sender.received).toEqual(back);
    sender.close();
    await scheduler.run(() => receiver.ended);
    receiver.close();
    await scheduler.run(() => receiver.link.state() === LINK_CLOSED);
    expect(sender.link.state()).toBe(LINK_CLOSED);
    expect([receiver.granted.size, sender.mapped.size]).toEqual([0, 0]);
  });

  it('shows what was sent before a close, then its end, then EPIPE', async () => {
    const { scheduler, receiver, sender } = await connected(1);
    sender.toSend = pattern(100, 3);
    sender.turn();
    sender.close();
    await scheduler.run(() => receiver.ended);
    expect(receiver.received).toEqual(pattern(100, 3));
    receiver.toSend = [1];
    receiver.turn();
    expect(receiver.error).toBe(-EPIPE);
  });

  it('keeps the pages of a receiver that closed until the sender has let them go', async () => {
    const { scheduler, receiver, sender } = await connected(1);
    receiver.toSend = pattern(50, 5);
    receiver.turn();
    receiver.close();
    expect(receiver.link.state()).toBe(LINK_CLOSING);
    await scheduler.run(() => sender.ended);
    expect(sender.received).toEqual(pattern(50, 5));
    expect(receiver.granted.size).toBeGreaterThan(0);
    sender.close();
    await scheduler.run(() => receiver.link.state() === LINK_CLOSED);
    expect(receiver.granted.size).toBe(0);
  });
});

describe('the sender', () => {
  it('waits for "go", looking from time to time, and gives up at the deadline', async () => {
    const { scheduler, sender, rendezvous, join, words, pageOf } = world(1);
    const page = pageOf(rendezvous);
    const go = words.getUint32(page + RENDEZVOUS_GO, true);
    words.setUint32(page + RENDEZVOUS_GO, 0, true);
    join();
    expect(sender.link.state()).toBe(LINK_WAITING);
    await scheduler.run(() => scheduler.now() > 500);
    expect(sender.link.state()).toBe(LINK_WAITING);
    words.setUint32(page + RENDEZVOUS_GO, go, true);
    await scheduler.run(() => sender.link.state() === LINK_CONNECTED);
  });

  it('holds nothing after a deadline without a page', async () => {
    const { scheduler, sender, join } = world(1);
    join(4000);
    await scheduler.run(() => sender.link.state() === LINK_FAILED);
    expect(sender.link.reason()).toBe(-ETIMEDOUT);
    expect(sender.mapped.size).toBe(0);
    expect(scheduler.now()).toBeLessThan(1100);
  });

  it('refuses a ring order that no indexes page can hold, and lets go', async () => {
    const { scheduler, sender, indexes, join, words, pageOf } = world(1);
    words.setUint32(pageOf(indexes) + V1_RING_ORDER, 10, true);
    join();
    await scheduler.run(() => sender.link.state() === LINK_FAILED);
    expect(sender.link.reason()).toBe(-EPROTO);
    expect(sender.mapped.size).toBe(0);
  });

  it.each([
    ['out_prod beyond the ring', OUT_PROD, 2049],
    ['out_prod moved back', OUT_PROD, -1],
    ['in_cons beyond in_prod', IN_CONS, 1],
  ])('fails the link on %s', async (_, offset, change) => {
    const { sender, indexes, words, pageOf } = await connected(1);
    const at = pageOf(indexes) + offset;
    words.setUint32(at, words.getUint32(at, true) + change, true);
    sender.toSend = [1];
    sender.turn();
    expect([sender.link.state(), sender.link.reason()]).toEqual([LINK_FAILED, -EPROTO]);
    sender.close();
    expect(sender.mapped.size).toBe(0);
    expect(sender.link.state()).toBe(LINK_FAILED);
  });
});

describe('the receiver', () => {
  it('gives up at the deadline when nobody comes, and takes everything back', async () => {
    const { scheduler, receiver } = world(1);
    await scheduler.run(() => receiver.link.state() === LINK_FAILED);
    expect(receiver.link.reason()).toBe(-ETIMEDOUT);
    receiver.close();
    expect(receiver.granted.size).toBe(0);
  });

  it('refuses an order above 9 and takes nothing', () => {
    const { receiver, result } = world(1, { order: 10 });
    expect(result).toBe(-EINVAL);
    expect(receiver.granted.size).toBe(0);
  });

  it('fails the link on out_cons beyond out_prod', async () => {
    const { receiver, indexes, words, pageOf } = await connected(1);
    words.setUint32(pageOf(indexes) + OUT_CONS, 1, true);
    receiver.toSend = [1];
    receiver.turn();
    expect([receiver.link.state(), receiver.link.reason()]).toEqual([LINK_FAILED, -EPROTO]);
  });
});
