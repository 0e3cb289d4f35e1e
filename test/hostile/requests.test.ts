/** Lines 7, 8, 17, 21 and 22: requests given up, answered late or never, too many, or dirty. */
import { describe, expect, it } from 'vitest';
import {
  COUNTER_LATE,
  COUNTER_LOST,
  DEVICE_FAILED,
  FAULT_ID,
  INIT_REUSE,
} from '../../assembly/wire/abi.js';
import { EAGAIN, EBADF, EINPROGRESS, ETIMEDOUT } from '../../assembly/wire/errno.js';
import * as wire from '../../assembly/wire/pvcalls.js';
import { REQ_PROD, RING_SIZE } from '../../assembly/wire/ring.js';
import type { Request } from './hostile-backend.js';
import { inWorld, type World } from './world.js';

const { PVCALLS_ACCEPT, PVCALLS_BIND, PVCALLS_CONNECT, PVCALLS_LISTEN } = wire;
const { PVCALLS_POLL, PVCALLS_RELEASE, PVCALLS_SOCKET } = wire;
const DEADLINE_MS = 200;

/** A connect that the caller has given up: the deadline has passed, or the socket is closed. */
function abandoned(world: World, how: 'timeout' | 'abort'): Request {
  const handle = world.socket();
  expect(world.core.connect(handle)).toBe(-EINPROGRESS);
  const request = world.backend.take(PVCALLS_CONNECT);
  if (how === 'timeout') {
    world.pass(DEADLINE_MS + 1);
    expect(world.core.take()).toEqual([
      { kind: 'done', handle, command: PVCALLS_CONNECT, result: -ETIMEDOUT },
    ]);
  }
  expect(world.core.call((core) => core.abort(handle))).toBe(0);
  world.backend.serve(PVCALLS_RELEASE);
  expect(world.core.take('closed')).toEqual([{ kind: 'closed', handle, result: 0 }]);
  return request;
}

describe('line 7: an answer to what the caller has given up', () => {
  it.each(['timeout', 'abort'] as const)('line 7: the entry waits for it, after %s', (how) =>
    inWorld({ commandTimeoutMs: DEADLINE_MS }, (world) => {
      const zombie = abandoned(world, how);
      expect(world.core.counter(COUNTER_LOST)).toBe(1);
      for (let i = 0; i < RING_SIZE + 8; i++) {
        const handle = world.core.socket();
        const { reqId } = world.backend.serve(PVCALLS_SOCKET);
        expect(reqId & (RING_SIZE - 1)).not.toBe(zombie.reqId & (RING_SIZE - 1));
        world.core.call((core) => core.close(handle));
        world.backend.serve(PVCALLS_RELEASE);
      }
      const connection = world.open();
      world.core.take();
      world.backend.answer(zombie, 0);
      expect(world.core.take()).toEqual([]);
      expect(world.core.counter(COUNTER_LOST)).toBe(0);
      expect(world.core.counter(COUNTER_LATE)).toBe(1);
      world.expectEcho(connection);
      world.close(connection);
    })(),
  );

  it(
    'line 7: it comes while the handle still is open',
    inWorld({ commandTimeoutMs: DEADLINE_MS }, (world) => {
      const handle = world.socket();
      world.core.connect(handle);
      const request = world.backend.take(PVCALLS_CONNECT);
      world.pass(DEADLINE_MS + 1);
      world.core.take();
      world.backend.answer(request, 0);
      expect(world.core.take()).toEqual([]);
      expect(world.core.recv(handle)).toBe(-107); // it never became connected
      expect(world.core.counter(COUNTER_LATE)).toBe(1);
      world.expectWorks();
    }),
  );
});

describe('line 8: the id in the answer to POLL', () => {
  /** A listener that is gone, with its POLL unanswered, and another in its table entry. */
  function reborn(world: World): { stale: Request; old: number; handle: number; poll: Request } {
    const old = world.listen();
    expect(world.core.call((core) => core.poll(old))).toBe(0);
    const stale = world.backend.take(PVCALLS_POLL);
    world.core.call((core) => core.close(old));
    world.backend.serve(PVCALLS_RELEASE);
    const handle = world.listen();
    expect(handle & 0xfff).toBe(old & 0xfff);
    expect(handle).not.toBe(old);
    world.core.take();
    expect(world.core.call((core) => core.poll(handle))).toBe(0);
    return { stale, old, handle, poll: world.backend.take(PVCALLS_POLL) };
  }

  it(
    'line 8: of a socket that is gone is nothing to the one in its place',
    inWorld({}, (world) => {
      const { stale, old, handle, poll } = reborn(world);
      world.backend.answer(stale, 0);
      expect(world.core.take()).toEqual([]);
      expect(world.core.counter(COUNTER_LATE)).toBe(1);
      for (const entry of ['poll', 'close', 'abort', 'accept'] as const) {
        expect(world.core.call((core) => core[entry](old))).toBe(-EBADF);
      }
      world.backend.answer(poll, 0);
      expect(world.core.take()).toEqual([{ kind: 'ready', handle, mask: 1 }]);
    }),
  );

  it.each(['stale', 'another', 'pointer'] as const)('line 8: a %s one is never followed', (which) =>
    inWorld({}, (world) => {
      const { old, poll } = reborn(world);
      const ids = { stale: BigInt(old), another: 1n, pointer: 0xffff888000001000n };
      world.backend.answer({ ...poll, id: ids[which] }, 0);
      expect(world.core.take('device')[0]).toMatchObject({ state: DEVICE_FAILED, fault: FAULT_ID });
      world.expectComesBack();
    })(),
  );
});

describe('line 17: a backend that never answers', () => {
  it(
    'line 17: each request has its deadline, and other sockets go on',
    inWorld({ commandTimeoutMs: DEADLINE_MS }, (world) => {
      const { core, backend } = world;
      const [busy, leaving] = [world.open(), world.open()];
      const [slow, listener, unbound] = [world.socket(), world.listen(), world.socket()];
      core.connect(slow);
      core.bind(unbound);
      core.call((exports) => exports.poll(listener));
      core.call((exports) => exports.close(leaving.handle));
      const stuck = core.socket();
      expect(
        backend
          .takeAll()
          .map(({ cmd }) => cmd)
          .sort(),
      ).toEqual(
        [PVCALLS_SOCKET, PVCALLS_CONNECT, PVCALLS_RELEASE, PVCALLS_BIND, PVCALLS_POLL].sort(),
      );
      for (let ms = 0; ms < DEADLINE_MS; ms += 20) {
        world.expectEcho(busy);
        world.pass(10);
        expect(core.take()).toEqual([]);
        world.pass(10);
        if (ms < DEADLINE_MS - 20) expect(core.take()).toEqual([]);
      }
      world.pass(1);
      const done = (handle: number, command: number) => {
        return { kind: 'done', handle, command, result: -ETIMEDOUT };
      };
      const told = core.take();
      expect(told).toHaveLength(4); // POLL may wait for ever: that is what it is for
      expect(told).toContainEqual(done(slow, PVCALLS_CONNECT));
      expect(told).toContainEqual(done(unbound, PVCALLS_BIND));
      expect(told).toContainEqual(done(stuck, PVCALLS_SOCKET));
      expect(told).toContainEqual({ kind: 'closed', handle: leaving.handle, result: -ETIMEDOUT });
      world.expectEcho(busy);
      world.expectWorks();
    }),
  );
});

describe('line 21: more commands than slots', () => {
  /** How many answers the backend owes. */
  const owed = (world: World): number =>
    (world.backend.load(REQ_PROD) - world.backend.rspProd) >>> 0;

  it(
    'line 21: accepts, connects and the rest each leave slots to the others',
    inWorld({ sockets: 64, frames: 120 }, (world) => {
      const { core, backend } = world;
      const listeners = Array.from({ length: 30 }, () => world.listen());
      const connecting = Array.from({ length: 8 }, () => world.socket());
      const closing = Array.from({ length: 4 }, () => world.socket());
      expect(owed(world)).toBe(0);
      for (const handle of listeners) core.call((exports) => exports.poll(handle));
      expect(owed(world)).toBe(24);
      for (const handle of connecting) expect(core.connect(handle)).toBe(-EINPROGRESS);
      expect(owed(world)).toBe(28);
      for (let i = 0; i < 4; i++) core.socket();
      expect(owed(world)).toBe(30);
      for (const handle of closing) core.call((exports) => exports.close(handle));
      expect(owed(world)).toBe(RING_SIZE);
      const taken = backend.takeAll();
      expect(taken.filter(({ cmd }) => cmd === PVCALLS_POLL)).toHaveLength(24);
      expect(taken.filter(({ cmd }) => cmd === PVCALLS_CONNECT)).toHaveLength(4);
      expect(taken.filter(({ cmd }) => cmd === PVCALLS_RELEASE)).toHaveLength(2);
      expect(new Set(taken.map(({ reqId }) => reqId)).size).toBe(RING_SIZE);

      const order: bigint[] = []; // everybody's turn comes, first come first served
      for (let next = taken.shift(); next !== undefined; next = taken.shift()) {
        if (next.cmd === PVCALLS_POLL) order.push(next.id);
        backend.answer(next, next.cmd === PVCALLS_CONNECT ? -111 : 0);
        expect(owed(world)).toBeLessThanOrEqual(RING_SIZE);
        taken.push(...backend.takeAll());
      }
      expect(order).toEqual(listeners.map(BigInt));
      const events = core.take();
      const count = (kind: string) => events.filter((event) => event.kind === kind).length;
      expect([count('ready'), count('done'), count('closed')]).toEqual([30, 8, 4]);
      world.expectWorks();
    }),
  );
});

describe('line 22: bytes of a slot that mean nothing', () => {
  const ADDR = Buffer.alloc(28);
  ADDR.writeUInt16LE(2);
  ADDR.set([127, 0, 0, 1], 4);

  /** The request as it must be, every byte that is not named zero. */
  function expectRequest(request: Request, fields: Record<number, number | Buffer>): void {
    const all = Buffer.alloc(wire.REQUEST_SIZE);
    all.writeUInt32LE(request.reqId, wire.REQUEST_REQ_ID);
    all.writeUInt32LE(request.cmd, wire.REQUEST_CMD);
    all.writeBigUInt64LE(request.id, wire.REQUEST_ID);
    for (const [offset, value] of Object.entries(fields)) {
      if (typeof value === 'number') all.writeUInt32LE(value, Number(offset));
      else all.set(value, Number(offset));
    }
    expect(request.bytes).toEqual(all);
  }

  const addr = (port: number): Buffer => {
    const bytes = Buffer.from(ADDR);
    bytes.writeUInt16BE(port, 2);
    return bytes;
  };

  /** The next request, out of a ring whose every slot holds rubbish. */
  function next(world: World, cmd: number, act: () => void): Request {
    for (let at = 64; at < 64 + RING_SIZE * 64; at += 4) world.backend.put(at, 0xffffffff);
    act();
    return world.backend.take(cmd);
  }

  it.each([0, INIT_REUSE])('line 22: are zero in all seven commands, flags %i', (flags) =>
    inWorld({ flags }, (world) => {
      const { core, backend } = world;
      let handle = 0;
      const socket = next(world, PVCALLS_SOCKET, () => (handle = core.socket()));
      expectRequest(socket, { [wire.SOCKET_DOMAIN]: 2, [wire.SOCKET_TYPE]: 1 });
      backend.answer(socket, 0);
      const connect = next(world, PVCALLS_CONNECT, () => core.connect(handle));
      const ring = backend.ringOf(connect);
      expectRequest(connect, {
        [wire.CONNECT_ADDR]: addr(80),
        [wire.CONNECT_LEN]: 16,
        [wire.CONNECT_REF]: ring.ref,
        [wire.CONNECT_EVTCHN]: connect.bytes.readUInt32LE(wire.CONNECT_EVTCHN),
      });
      backend.answer(connect, 0);
      const release = next(world, PVCALLS_RELEASE, () => core.call((it) => it.close(handle)));
      expectRequest(release, { [wire.RELEASE_REUSE]: flags === 0 ? 0 : 1 });
      backend.unmap(ring);
      backend.answer(release, 0);

      const listener = world.socket();
      const bind = next(world, PVCALLS_BIND, () => core.bind(listener));
      expectRequest(bind, { [wire.BIND_ADDR]: addr(8080), [wire.BIND_LEN]: 16 });
      backend.answer(bind, 0);
      const listen = next(world, PVCALLS_LISTEN, () => core.call((it) => it.listen(listener, 9)));
      expectRequest(listen, { [wire.LISTEN_BACKLOG]: 9 });
      backend.answer(listen, 0);
      const poll = next(world, PVCALLS_POLL, () => core.call((it) => it.poll(listener)));
      expectRequest(poll, {});
      backend.answer(poll, 0);
      const accept = next(world, PVCALLS_ACCEPT, () => {
        core.call((it) => it.set_ring_order(listener, 1));
        expect(core.accept(listener)).toBe(-EAGAIN);
      });
      expectRequest(accept, {
        [wire.ACCEPT_ID_NEW]: accept.bytes.readUInt32LE(wire.ACCEPT_ID_NEW),
        [wire.ACCEPT_REF]: accept.bytes.readUInt32LE(wire.ACCEPT_REF),
        [wire.ACCEPT_EVTCHN]: accept.bytes.readUInt32LE(wire.ACCEPT_EVTCHN),
      });
      const accepted = backend.ringOf(accept);
      backend.answer(accept, 0);
      world.expectEcho({ handle: core.accept(listener), ring: accepted });
    })(),
  );
});
