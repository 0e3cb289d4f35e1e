/** Lines 1 to 6: what a backend can do with the command ring. */
import { describe, expect, it } from 'vitest';
import {
  DEVICE_FAILED,
  FAULT_CMD,
  FAULT_ID,
  FAULT_REQ_ID,
  FAULT_RET,
  FAULT_RSP_PROD,
} from '../../assembly/wire/abi.js';
import { EIO, ENETDOWN, EINPROGRESS } from '../../assembly/wire/errno.js';
import { PVCALLS_CONNECT, PVCALLS_RELEASE, PVCALLS_SOCKET } from '../../assembly/wire/pvcalls.js';
import { RSP_PROD, SRING_SLOTS } from '../../assembly/wire/ring.js';
import type { Request } from './hostile-backend.js';
import { inWorld, type Connection, type World } from './world.js';

interface Waiting {
  readonly waiter: number;
  readonly request: Request;
  readonly other: Connection;
}

/** One connection is up, and a connect waits for its answer. */
function connecting(world: World): Waiting {
  const other = world.open();
  const waiter = world.socket();
  expect(world.core.connect(waiter)).toBe(-EINPROGRESS);
  return { waiter, request: world.backend.take(PVCALLS_CONNECT), other };
}

/**
 * The device has failed over this; it is told once, everybody who waited gets EIO, the page is left
 * alone from then on; and the device can be had again.
 */
function expectFault(world: World, { waiter, other }: Waiting, fault: number, value: number): void {
  const { core, backend } = world;
  const page = backend.page();
  const sent = backend.events;
  expect(core.events.filter(({ kind }) => kind === 'device')[0]).toEqual({
    kind: 'device',
    state: DEVICE_FAILED,
    fault,
    value: value >>> 0,
  });
  const failures = core.events.filter((event) => event.kind === 'device' && event.state === 5);
  expect(failures).toHaveLength(1);
  expect(core.take('done')).toEqual([
    { kind: 'done', handle: waiter, command: PVCALLS_CONNECT, result: -EIO },
  ]);
  expect(core.send(other.handle, Buffer.from('lost'))).toBe(-EIO);
  expect(core.recv(other.handle)).toBe(-EIO);
  expect(core.socket()).toBe(-ENETDOWN);
  backend.put(RSP_PROD, 7);
  backend.kick();
  other.ring.kick();
  world.settle();
  page.writeUInt32LE(7, RSP_PROD);
  expect(backend.page()).toEqual(page); // no further touch
  expect(backend.events).toBe(sent);
  world.expectComesBack();
}

describe('line 1: more responses than requests outstanding', () => {
  // Two are answered, SOCKET and CONNECT of one connection and SOCKET of another: 3; 4 is right.
  it.each([5, 36, 3 + 33, 0x80000000, 0xffffffff, 2])(
    'line 1: rsp_prod %i fails the device with RSP_PROD',
    (prod) =>
      inWorld({}, (world) => {
        const waiting = connecting(world);
        world.backend.put(RSP_PROD, prod);
        world.backend.kick();
        world.settle();
        expectFault(world, waiting, FAULT_RSP_PROD, prod);
      })(),
  );

  it(
    'line 1: a whole ring of answers to nothing is not parsed',
    inWorld({}, (world) => {
      const waiting = connecting(world);
      for (let i = 0; i < 32; i++) world.backend.write(waiting.request, 0, 3 + i);
      world.backend.put(RSP_PROD, 3 + 32);
      world.backend.kick();
      world.settle();
      expectFault(world, waiting, FAULT_RSP_PROD, 35);
    }),
  );
});

describe('line 3: a req_id outside the table', () => {
  it.each([0, 32, 33, 0x7fffffff, 0x80000000, 0xffffffff])('line 3: req_id %i is REQ_ID', (reqId) =>
    inWorld({}, (world) => {
      const waiting = connecting(world);
      world.backend.answer({ ...waiting.request, reqId }, 0);
      expectFault(world, waiting, FAULT_REQ_ID, reqId);
    })(),
  );
});

describe('line 4: a req_id that is not in flight', () => {
  it(
    'line 4: never sent, its generation or its entry another',
    inWorld({}, (world) => {
      for (const wrong of [
        (id: number) => id + 32,
        (id: number) => id ^ 1,
        (id: number) => id - 32,
      ]) {
        const waiting = connecting(world);
        const reqId = wrong(waiting.request.reqId);
        world.backend.answer({ ...waiting.request, reqId }, 0);
        expectFault(world, waiting, FAULT_REQ_ID, reqId);
        world.core.take();
      }
    }),
  );

  it(
    'line 4: answered twice while its entry is free',
    inWorld({}, (world) => {
      const waiting = connecting(world);
      const second = world.socket();
      world.core.connect(second);
      const answered = world.backend.serve(PVCALLS_CONNECT, -111);
      world.core.take();
      world.backend.answer(answered, 0);
      expectFault(world, waiting, FAULT_REQ_ID, answered.reqId);
    }),
  );

  it(
    'line 4: answered twice while its entry serves the same socket again',
    inWorld({}, (world) => {
      const waiting = connecting(world);
      world.backend.answer(waiting.request, -111);
      world.core.take();
      expect(world.core.connect(waiting.waiter)).toBe(-EINPROGRESS);
      const again = world.backend.take(PVCALLS_CONNECT);
      expect(again.id).toBe(waiting.request.id); // all but the generation is the same
      world.backend.answer(waiting.request, 0);
      expectFault(world, waiting, FAULT_REQ_ID, waiting.request.reqId);
    }),
  );
});

describe('line 5: an answer that echoes something else', () => {
  it.each([PVCALLS_SOCKET, PVCALLS_RELEASE, 7, 0xffffffff])('line 5: cmd %i is CMD', (cmd) =>
    inWorld({}, (world) => {
      const waiting = connecting(world);
      world.backend.answer({ ...waiting.request, cmd }, 0);
      expectFault(world, waiting, FAULT_CMD, cmd);
    })(),
  );

  it.each([1n, 1n << 12n, 1n << 32n, 1n << 63n])('line 5: an id off by %i is ID', (by) =>
    inWorld({}, (world) => {
      const waiting = connecting(world);
      const id = BigInt.asUintN(64, waiting.request.id + by);
      world.backend.answer({ ...waiting.request, id }, 0);
      expectFault(world, waiting, FAULT_ID, Number(id & 0xffffffffn));
    })(),
  );
});

describe('line 6: a ret that means nothing', () => {
  it.each([1, 4095, 0x7fffffff, -4096, -0x80000000])('line 6: ret %i is RET', (ret) =>
    inWorld({}, (world) => {
      const waiting = connecting(world);
      world.backend.answer(waiting.request, ret);
      expectFault(world, waiting, FAULT_RET, ret);
    })(),
  );

  it(
    'line 6: an errno that nobody knows is the result, and the socket goes on',
    inWorld({}, (world) => {
      for (const ret of [-4095, -3000, -524, -512, -11]) {
        const { waiter, request, other } = connecting(world);
        world.backend.answer(request, ret);
        expect(world.core.take()).toEqual([
          { kind: 'done', handle: waiter, command: PVCALLS_CONNECT, result: ret },
        ]);
        world.core.connect(waiter);
        const again = world.backend.take(PVCALLS_CONNECT);
        const ring = world.backend.ringOf(again);
        world.backend.answer(again, 0);
        world.core.take();
        for (const connection of [{ handle: waiter, ring }, other]) {
          world.expectEcho(connection);
          world.close(connection);
        }
      }
      expect(SRING_SLOTS).toBe(64);
    }),
  );
});
