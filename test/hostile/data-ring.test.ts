/** Lines 9, 10 and 12: what a backend can do with the indexes page of a data ring. */
import { describe, expect, it } from 'vitest';
import {
  COUNTER_SPURIOUS,
  DEVICE_FAILED,
  FAULT_IN_ERROR,
  FAULT_IN_PROD,
  FAULT_OUT_CONS,
  FAULT_OUT_ERROR,
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLOUT,
} from '../../assembly/wire/abi.js';
import {
  IN_CONS,
  IN_ERROR,
  IN_PROD,
  OUT_CONS,
  OUT_ERROR,
  OUT_PROD,
} from '../../assembly/wire/data-ring.js';
import { EAGAIN, ECONNRESET, EIO, ENOTCONN, EPIPE } from '../../assembly/wire/errno.js';
import { REQ_PROD, RSP_EVENT } from '../../assembly/wire/ring.js';
import { inWorld, pattern, type Connection, type World } from './world.js';

const ALL = POLLIN | POLLOUT | POLLERR | POLLHUP;
const SIZE = 4096; // bytes per direction at order 1

/** The device has failed over this, told once, by the call that looked or by an event. */
function expectFault(world: World, { handle }: Connection, fault: number, value: number): void {
  world.settle();
  expect(world.core.events[0]).toEqual({
    kind: 'device',
    state: DEVICE_FAILED,
    fault,
    value: value >>> 0,
  });
  const told = world.core.take().filter((event) => event.kind === 'ready');
  expect(told).toContainEqual({ kind: 'ready', handle, mask: ALL });
  expect(world.core.send(handle, Buffer.from('lost'))).toBe(-EIO);
  world.expectComesBack();
}

/** Ten bytes each way are in the rings, five of each are consumed, when a word is changed. */
function spoil(world: World, connection: Connection, offset: number, by: number): number {
  const { handle, ring } = connection;
  ring.produce(pattern(10));
  expect(world.core.recv(handle, 5)).toHaveLength(5);
  expect(world.core.send(handle, pattern(10))).toBe(10);
  ring.store(OUT_CONS, ring.load(OUT_CONS) + 5);
  expect(world.core.call((core) => core.poll(handle))).toBe(POLLIN | POLLOUT);
  const value = ring.load(offset) + by;
  ring.store(offset, value);
  return value;
}

/** At the start of the indices, and where they pass 2^32. */
const STARTS = [0, 0xfffffff8];

describe('line 9: indices that cannot be', () => {
  const beyond = SIZE - 5 + 1; // of in_prod: 5 bytes are there
  it.each([beyond, 0x10000, 0x7fffffff, 0x80000000, -1, -5, -6, -10])(
    'line 9: in_prod moved by %i is IN_PROD, whoever looks',
    (by) => {
      for (const firstIndex of STARTS) {
        inWorld({ firstIndex }, (world) => {
          const called = world.open();
          const value = spoil(world, called, IN_PROD, by);
          expect(world.core.recv(called.handle)).toBe(-EIO);
          expectFault(world, called, FAULT_IN_PROD, value);
          if (firstIndex === 0) return;
          const woken = world.open();
          const again = spoil(world, woken, IN_PROD, by);
          woken.ring.kick();
          expectFault(world, woken, FAULT_IN_PROD, again);
        })();
      }
    },
  );

  it.each([6, SIZE, 0x7fffffff, 0x80000000, -1, -6])(
    'line 9: out_cons moved by %i is OUT_CONS, whoever looks',
    (by) => {
      for (const firstIndex of STARTS) {
        inWorld({ firstIndex }, (world) => {
          const called = world.open();
          const value = spoil(world, called, OUT_CONS, by);
          expect(world.core.send(called.handle, pattern(1))).toBe(-EIO);
          expectFault(world, called, FAULT_OUT_CONS, value);
          if (firstIndex === 0) return;
          const woken = world.open();
          const again = spoil(world, woken, OUT_CONS, by);
          woken.ring.kick();
          expectFault(world, woken, FAULT_OUT_CONS, again);
        })();
      }
    },
  );

  it.each([0xffffff00, 0xfffff000, 0xffffffff, 0x7fffff80])(
    'line 9: a full ring that starts at %i is no lie',
    (firstIndex) =>
      inWorld({ firstIndex }, (world) => {
        const connection = world.open();
        const { handle, ring } = connection;
        for (let round = 0; round < 3; round++) {
          ring.produce(pattern(SIZE, round));
          expect(world.core.send(handle, pattern(SIZE, round + 9))).toBe(SIZE);
          expect(world.core.recv(handle)).toEqual(pattern(SIZE, round));
          expect(ring.consume()).toEqual(pattern(SIZE, round + 9));
        }
        world.close(connection);
      })(),
  );
});

describe('line 10: our own indices overwritten', () => {
  it.each([0, 1, 0x80000000, 0xffffffff])('line 10: %i in all of them changes nothing', (value) =>
    inWorld({}, (world) => {
      const connection = world.open();
      const { handle, ring } = connection;
      for (let round = 1; round < 4; round++) {
        const [down, up] = [pattern(3000, round), pattern(2000, round + 5)];
        ring.produce(down);
        ring.store(IN_CONS, value);
        ring.store(OUT_PROD, value);
        for (const own of [REQ_PROD, RSP_EVENT]) world.backend.put(own, value);
        ring.kick();
        world.settle();
        expect(world.core.recv(handle)).toEqual(down);
        expect(world.core.send(handle, up)).toBe(2000);
        expect(ring.load(IN_CONS)).toBe(3000 * round); // published anew, from the private copy
        expect(ring.load(OUT_PROD)).toBe(2000 * round);
        expect(ring.consume()).toEqual(up);
      }
      expect(world.core.take('device')).toEqual([]);
      world.close(connection);
      world.expectWorks();
    })(),
  );
});

describe('line 12: errors on a data ring', () => {
  it.each([
    [-ENOTCONN, 0],
    [-ECONNRESET, -ECONNRESET],
    [-4095, -4095],
  ])('line 12: with in_error %i the bytes before it are read first', (error, result) =>
    inWorld({}, (world) => {
      const connection = world.open();
      const { handle, ring } = connection;
      ring.produce(pattern(600));
      ring.store(IN_ERROR, error);
      ring.kick();
      world.settle();
      expect(world.core.recv(handle, 500)).toEqual(pattern(600).subarray(0, 500));
      expect(world.core.recv(handle)).toEqual(pattern(600).subarray(500));
      expect(world.core.recv(handle)).toBe(result);
      expect(world.core.send(handle, pattern(3))).toBe(3); // the other direction is open
      expect(ring.consume()).toEqual(pattern(3));
      world.close(connection);
    })(),
  );

  it(
    'line 12: an error that is taken back stays',
    inWorld({}, (world) => {
      const connection = world.open();
      const { handle, ring } = connection;
      ring.store(IN_ERROR, -ENOTCONN);
      ring.store(OUT_ERROR, -ENOTCONN);
      expect(world.core.recv(handle)).toBe(0);
      expect(world.core.send(handle, pattern(1))).toBe(-EPIPE);
      for (const other of [0, -ECONNRESET, 5]) {
        ring.store(IN_ERROR, other);
        ring.store(OUT_ERROR, other);
        ring.kick();
        world.settle();
        expect(world.core.recv(handle)).toBe(0);
        expect(world.core.send(handle, pattern(1))).toBe(-EPIPE);
      }
      world.core.take('ready');
      world.close(connection);
    }),
  );

  it(
    'line 12: a sender that waits is woken by out_error',
    inWorld({}, (world) => {
      const connection = world.open();
      const { handle, ring } = connection;
      expect(world.core.send(handle, pattern(SIZE))).toBe(SIZE);
      expect(world.core.send(handle, pattern(1))).toBe(-EAGAIN);
      ring.store(OUT_ERROR, -ECONNRESET);
      ring.kick();
      world.settle();
      const mask = POLLOUT | POLLERR | POLLHUP;
      expect(world.core.take()).toEqual([{ kind: 'ready', handle, mask }]);
      expect(world.core.send(handle, pattern(1))).toBe(-ECONNRESET);
      world.close(connection);
    }),
  );

  it.each([1, ENOTCONN, 0x7fffffff, -4096, -0x80000000])('line 12: %i is no errno', (error) => {
    for (const [offset, fault] of [
      [IN_ERROR, FAULT_IN_ERROR],
      [OUT_ERROR, FAULT_OUT_ERROR],
    ] as const) {
      inWorld({}, (world) => {
        const connection = world.open();
        connection.ring.store(offset, error);
        connection.ring.kick();
        expectFault(world, connection, fault, error);
      })();
    }
  });

  it(
    'line 12: an error on one socket is nothing to another',
    inWorld({}, (world) => {
      const [first, second] = [world.open(), world.open()];
      first.ring.store(IN_ERROR, -ECONNRESET);
      first.ring.store(OUT_ERROR, -ECONNRESET);
      first.ring.kick();
      world.settle();
      expect(world.core.recv(first.handle)).toBe(-ECONNRESET);
      world.expectEcho(second);
      for (const connection of [first, second]) world.close(connection);
      expect(world.core.counter(COUNTER_SPURIOUS)).toBeLessThan(10);
    }),
  );
});
