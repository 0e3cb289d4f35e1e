/** Lines 11, 14, 20, 24 and 25: pages that are granted, kept, handed out again, and their units. */
import { describe, expect, it } from 'vitest';
import { COUNTER_FRAMES_FREE, COUNTER_PARKED, INIT_REUSE } from '../../assembly/wire/abi.js';
import {
  IN_ERROR,
  IN_PROD,
  OUT_CONS,
  OUT_ERROR,
  V1_REF,
  V1_RING_ORDER,
} from '../../assembly/wire/data-ring.js';
import { EINPROGRESS, EINVAL } from '../../assembly/wire/errno.js';
import { PAGE_SIZE } from '../../assembly/wire/page.js';
import { CONNECT_EVTCHN, CONNECT_REF, RELEASE_REUSE } from '../../assembly/wire/pvcalls.js';
import { PVCALLS_CONNECT, PVCALLS_RELEASE } from '../../assembly/wire/pvcalls.js';
import { REQ_EVENT, RSP_EVENT } from '../../assembly/wire/ring.js';
import type { HostileRing } from './hostile-ring.js';
import { inWorld, pattern, type World } from './world.js';

/** References that the guest has given and not taken back, but for its xenstore page. */
const granted = (world: World): number[] =>
  world.core.domain
    .grants()
    .map(({ ref }) => ref)
    .filter((ref) => ref >= 8)
    .sort((a, b) => a - b);

const framesOf = (ring: HostileRing): number[] => [ring.indexesFrame, ...ring.frames];

describe('line 11: ring_order and ref[] rewritten', () => {
  it.each([0, 2, 3, 9, 31, 0xffffffff])('line 11: order %i changes nothing at the end', (order) =>
    inWorld({}, (world) => {
      const before = granted(world);
      const other = world.open();
      const all = granted(world);
      const free = world.core.counter(COUNTER_FRAMES_FREE);
      const victim = world.open();
      const behind = world.open(); // lies right behind it in the arena
      const kept = granted(world);
      const refs = [victim.ring.ref, ...victim.ring.refs];
      victim.ring.store(V1_RING_ORDER, order);
      const theirs = [other.ring.ref, ...other.ring.refs, ...before, 0, 0xffffffff];
      theirs.forEach((ref, i) => victim.ring.store(V1_REF + 4 * i, ref));
      world.expectEcho(victim);
      world.close(victim);
      expect(granted(world)).toEqual(kept.filter((ref) => !refs.includes(ref)));
      expect(world.core.counter(COUNTER_PARKED)).toBe(0);
      for (const connection of [other, behind]) world.expectEcho(connection);
      world.close(behind);
      expect(granted(world)).toEqual(all);
      expect(world.core.counter(COUNTER_FRAMES_FREE)).toBe(free);
      world.close(other);
    })(),
  );
});

describe('line 14: grants that do not end', () => {
  it(
    'line 14: what the backend keeps mapped is parked, and nothing is offered twice',
    inWorld({}, (world) => {
      const kept = world.open();
      const free = world.core.counter(COUNTER_FRAMES_FREE);
      const refs = [kept.ring.ref, ...kept.ring.refs];
      world.close(kept, true);
      expect(world.core.counter(COUNTER_PARKED)).toBe(3);
      expect(world.core.counter(COUNTER_FRAMES_FREE)).toBe(free);
      expect(granted(world)).toEqual(expect.arrayContaining(refs));
      const fresh = [world.open(), world.open(2), world.open()];
      const scribble = (): void => {
        for (let at = 0; at < PAGE_SIZE; at += 4) kept.ring.store(at, 0xffffffff);
        kept.ring.write(pattern(kept.ring.size, 99));
      };
      for (const connection of fresh) {
        expect(framesOf(connection.ring)).not.toEqual(
          expect.arrayContaining([expect.toBeOneOf(framesOf(kept.ring))]),
        );
        expect(refs).not.toContain(connection.ring.ref);
        scribble();
        world.expectEcho(connection, 1000);
      }
      world.pass(1200); // tried again in vain
      expect(world.core.counter(COUNTER_PARKED)).toBe(3);
      world.backend.unmap(kept.ring);
      world.pass(600);
      expect(world.core.counter(COUNTER_PARKED)).toBe(0);
      expect(granted(world)).not.toEqual(expect.arrayContaining([kept.ring.ref]));
      for (const connection of fresh) world.close(connection);
      expect(world.core.counter(COUNTER_FRAMES_FREE)).toBe(free + 3);
    }),
  );

  it(
    'line 14: so is the page of a command ring, across the lives of the device',
    inWorld({}, (world) => {
      const { hypercalls } = world.backend.domain;
      const [ref] = granted(world);
      const frame = hypercalls.gnttab_map(world.backend.guest, ref!, 1);
      world.core.call((core) => core.xenbus_stop());
      world.settle();
      world.backend.goDown();
      expect(world.core.counter(COUNTER_PARKED)).toBe(1);
      world.core.take();
      world.start();
      expect(granted(world)).toHaveLength(2);
      const words = new Uint8Array(world.machine.memory.buffer, frame * PAGE_SIZE, PAGE_SIZE);
      words.fill(0xff);
      world.expectWorks();
      hypercalls.gnttab_unmap(frame);
      world.pass(600);
      expect(world.core.counter(COUNTER_PARKED)).toBe(0);
      expect(granted(world)).toHaveLength(1);
      world.expectWorks();
    }),
  );
});

/** A command ring nobody has used yet. */
function freshCommandRing(): Buffer {
  const page = Buffer.alloc(PAGE_SIZE);
  page.writeUInt32LE(1, REQ_EVENT);
  page.writeUInt32LE(1, RSP_EVENT);
  return page;
}

/** An indexes page nobody has used yet. */
function freshIndexes({ order, refs }: HostileRing): Buffer {
  const page = Buffer.alloc(PAGE_SIZE);
  page.writeUInt32LE(order, V1_RING_ORDER);
  refs.forEach((ref, i) => page.writeUInt32LE(ref, V1_REF + 4 * i));
  return page;
}

const pageAt = (world: World, frame: number): Buffer =>
  Buffer.from(world.backend.domain.bytes(frame));

describe('line 20: pages full of an earlier life', () => {
  it(
    'line 20: a command ring is initialised, in every life',
    inWorld({}, (world) => {
      for (let life = 0; life < 3; life++) {
        expect(world.backend.page()).toEqual(freshCommandRing());
        world.expectWorks();
        for (let at = 0; at < PAGE_SIZE; at += 4) world.backend.put(at, 0xdeadbeef);
        world.goDown();
        world.start();
      }
      expect(world.backend.page()).toEqual(freshCommandRing());
    }),
  );

  it(
    'line 20: a data ring says nothing of what was there before',
    inWorld({}, (world) => {
      for (let life = 0; life < 3; life++) {
        const connection = world.open();
        const { ring } = connection;
        expect(pageAt(world, ring.indexesFrame)).toEqual(freshIndexes(ring));
        for (const frame of ring.frames)
          expect(pageAt(world, frame)).toEqual(Buffer.alloc(PAGE_SIZE));
        world.expectEcho(connection, 4096);
        for (const offset of [IN_PROD, OUT_CONS, IN_ERROR, OUT_ERROR])
          ring.store(offset, 0xffffff91);
        world.core.call((core) => core.abort(connection.handle));
        world.backend.unmap(ring);
        world.backend.serve(PVCALLS_RELEASE);
        world.core.take();
      }
    }),
  );
});

describe('line 24: rings that are offered again', () => {
  const flags = INIT_REUSE;

  /** Connects again. Result: the offer of the ring. */
  function again(world: World): { handle: number; ref: number; port: number; answer: () => void } {
    const handle = world.socket();
    expect(world.core.connect(handle)).toBe(-EINPROGRESS);
    const request = world.backend.take(PVCALLS_CONNECT);
    const ref = request.bytes.readUInt32LE(CONNECT_REF);
    const port = request.bytes.readUInt32LE(CONNECT_EVTCHN);
    return { handle, ref, port, answer: () => world.backend.answer(request, 0) };
  }

  /** Closes, and says what RELEASE asked for. */
  function release(world: World, handle: number, ret = 0): number {
    world.core.call((core) => core.close(handle));
    const request = world.backend.take(PVCALLS_RELEASE);
    world.backend.answer(request, ret);
    expect(world.core.take('closed')).toEqual([{ kind: 'closed', handle, result: ret }]);
    return request.bytes.readUInt8(RELEASE_REUSE);
  }

  it(
    'line 24: a backend that has kept its mapping finds it as new',
    inWorld({ flags }, (world) => {
      const { handle, ring } = world.open();
      let last = handle;
      for (let life = 0; life < 3; life++) {
        world.expectEcho({ handle: last, ring }, 3000);
        expect(release(world, last)).toBe(1);
        for (let at = 0; at < PAGE_SIZE; at += 4) ring.store(at, 0xfffffff0 + at);
        ring.kick();
        world.settle();
        expect(world.core.take()).toEqual([]);
        const offer = again(world);
        expect(offer.ref).toBe(ring.ref);
        for (const offset of [IN_PROD, OUT_CONS, IN_ERROR, OUT_ERROR]) {
          expect(ring.load(offset)).toBe(0);
        }
        expect(ring.load(V1_RING_ORDER)).toBe(1);
        expect(ring.refs.map((_, i) => ring.load(V1_REF + 4 * i))).toEqual(ring.refs);
        offer.answer();
        world.core.take();
        last = offer.handle;
      }
      world.expectEcho({ handle: last, ring });
    }),
  );

  it(
    'line 24: a backend that has let go maps it again',
    inWorld({ flags }, (world) => {
      const first = world.open();
      expect(release(world, first.handle)).toBe(1);
      world.backend.unmap(first.ring);
      const second = world.open();
      expect(second.ring.ref).toBe(first.ring.ref);
      expect(framesOf(second.ring)).toEqual(framesOf(first.ring));
      world.expectEcho(second);
      world.close(second);
    }),
  );

  it(
    'line 24: a backend that refuses the release is not offered it again',
    inWorld({ flags }, (world) => {
      const first = world.open();
      const before = granted(world);
      world.backend.unmap(first.ring);
      expect(release(world, first.handle, -EINVAL)).toBe(1);
      expect(granted(world)).toHaveLength(before.length - 3);
      world.expectWorks();
    }),
  );
});

describe('line 25: pages of 4 KiB on a guest whose own are larger', () => {
  it.each([1, 2, 4])('line 25: a ring of order %i is that many of them', (order) =>
    inWorld({}, (world) => {
      const { arena, domain } = world.core;
      expect(arena.start % 0x4000).not.toBe(0); // no page of 16 or 64 KiB begins here
      const connection = world.open(order);
      const { handle, ring } = connection;
      expect(ring.order).toBe(order);
      expect(ring.refs).toHaveLength(2 ** order);
      expect(new Set(ring.refs).size).toBe(2 ** order);
      const frames = new Map(domain.grants().map(({ ref, frame }) => [ref, frame]));
      const first = frames.get(ring.ref)!;
      expect(first * PAGE_SIZE).toBeGreaterThanOrEqual(arena.start);
      ring.refs.forEach((ref, i) => expect(frames.get(ref)).toBe(first + 1 + i));
      expect((first + 1 + ring.refs.length) * PAGE_SIZE).toBeLessThanOrEqual(arena.end);
      const size = (2 ** order * PAGE_SIZE) / 2;
      expect(ring.size).toBe(size);
      ring.produce(pattern(size, 1));
      expect(world.core.recv(handle)).toEqual(pattern(size, 1));
      expect(world.core.send(handle, pattern(size + 1, 2))).toBe(size);
      expect(ring.consume()).toEqual(pattern(size, 2));
      world.close(connection);
    })(),
  );
});
