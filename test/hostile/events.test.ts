/** Lines 15 and 16: events that mean nothing, come too early, or never stop. */
import { describe, expect, it } from 'vitest';
import {
  COUNTER_EVENTS,
  COUNTER_SPURIOUS,
  COUNTER_UNKNOWN,
  DEVICE_CONNECTED,
  DEVICE_CONNECTING,
  EVENT_NONE,
} from '../../assembly/wire/abi.js';
import { EAGAIN, EINPROGRESS, ENOTCONN } from '../../assembly/wire/errno.js';
import { IN_PROD, OUT_CONS } from '../../assembly/wire/data-ring.js';
import { PVCALLS_CONNECT } from '../../assembly/wire/pvcalls.js';
import { RSP_PROD } from '../../assembly/wire/ring.js';
import { XENBUS_STATE_CONNECTED, XENBUS_STATE_INIT_WAIT } from '../../assembly/wire/xenbus.js';
import { ARM64_EVTCHN_MASK } from '../../assembly/wire/shared-info.js';
import { inWorld, pattern, type World } from './world.js';

describe('line 15: events for nothing', () => {
  it(
    'line 15: a port the core has not opened, or has closed, is counted and no more',
    inWorld({}, (world) => {
      const { core, backend } = world;
      const closed = world.open();
      const { remotePort } = backend.domain.ports().find(({ port }) => port === closed.ring.port)!;
      core.call((exports) => exports.abort(closed.handle));
      backend.unmap(closed.ring);
      backend.serve(2);
      core.take();
      const other = world.open(); // has the table entry, and maybe the frames, of the closed one
      const foreign = core.domain.hypercalls.evtchn_alloc_unbound(backend.domain.domid);
      const port = backend.domain.hypercalls.evtchn_bind_interdomain(core.domain.domid, foreign);
      backend.domain.hypercalls.evtchn_send(port); // through shared_info, as Xen delivers it
      world.settle();
      expect(core.counter(COUNTER_UNKNOWN)).toBe(1);
      const handled = core.counter(COUNTER_EVENTS);
      const ports = [remotePort, foreign, 0, 4095, 4096, 0x7fffffff, 0x80000000, 0xffffffff];
      for (const each of ports) core.call((exports) => exports.handle_event(each));
      world.settle();
      expect(core.counter(COUNTER_UNKNOWN)).toBe(1 + ports.length);
      expect(core.counter(COUNTER_EVENTS)).toBe(handled + ports.length);
      expect(core.take()).toEqual([]);
      world.expectEcho(other);
      core.domain.hypercalls.evtchn_close(foreign);
      backend.domain.hypercalls.evtchn_close(port);
    }),
  );

  it(
    'line 15: spurious events say nothing to the caller, and cost no notification',
    inWorld({}, (world) => {
      const { core, backend } = world;
      const { handle, ring } = world.open();
      expect(core.recv(handle)).toBe(-EAGAIN); // armed
      world.settle();
      const spurious = core.counter(COUNTER_SPURIOUS);
      const sent = [backend.events, ring.events];
      for (let i = 0; i < 10; i++) {
        ring.kick();
        backend.kick();
        world.settle();
      }
      expect(core.take()).toEqual([]);
      expect(core.call((exports) => exports.poll_event(core.eventAt))).toBe(EVENT_NONE);
      expect(core.counter(COUNTER_SPURIOUS)).toBeGreaterThan(spurious);
      expect([backend.events, ring.events]).toEqual(sent);
      ring.produce(pattern(5));
      ring.kick();
      world.settle();
      expect(core.take('ready')).toHaveLength(1);
      expect(core.recv(handle)).toEqual(pattern(5));
    }),
  );
});

describe('line 15: an event storm', () => {
  const STORM = 1000; //    events for nothing, each delivered before the next
  const LOOKS_MAX = 64; //  of them that the core may look at
  const LATE_MS = 300; //   how late news on a port that was stormed may come

  /** The guest's port at the other end of one of the backend's. */
  function remotePort(world: World, port: number): number {
    return world.backend.domain.ports().find((each) => each.port === port)!.remotePort;
  }

  function masked(world: World, port: number): boolean {
    const at = world.core.domain.sharedInfo + ARM64_EVTCHN_MASK + (port >>> 3);
    return (new Uint8Array(world.machine.memory.buffer)[at]! & (1 << (port & 7))) !== 0;
  }

  /** Kicks without end. Result: how many of the events the core has looked at. */
  function storm(world: World, kick: () => void): number {
    const before = world.core.counter(COUNTER_EVENTS);
    for (let i = 0; i < STORM; i++) {
      kick();
      world.settle();
    }
    return world.core.counter(COUNTER_EVENTS) - before;
  }

  it(
    'line 15: a stormed data ring is masked; its news is late, other news is not, none is lost',
    inWorld({}, (world) => {
      const { core } = world;
      const [stormed, quiet] = [world.open(), world.open()];
      const port = remotePort(world, stormed.ring.port);
      for (const { handle } of [stormed, quiet]) expect(core.recv(handle)).toBe(-EAGAIN);
      for (let window = 0; window < 3; window++) {
        expect(storm(world, () => stormed.ring.kick())).toBeLessThan(LOOKS_MAX);
        expect(masked(world, port)).toBe(true);
        expect(core.take()).toEqual([]);
        quiet.ring.produce(pattern(4));
        quiet.ring.kick();
        stormed.ring.produce(pattern(9));
        stormed.ring.kick();
        world.settle();
        expect(core.take('ready').map(({ handle }) => handle)).toEqual([quiet.handle]);
        world.pass(LATE_MS);
        expect(core.take('ready').map(({ handle }) => handle)).toEqual([stormed.handle]);
        expect(masked(world, port)).toBe(false);
        expect(core.recv(stormed.handle)).toEqual(pattern(9));
        expect(core.recv(quiet.handle)).toEqual(pattern(4));
        for (const { handle } of [stormed, quiet]) expect(core.recv(handle)).toBe(-EAGAIN);
      }
      stormed.ring.produce(pattern(3)); // and the storm is forgotten
      stormed.ring.kick();
      world.settle();
      expect(core.take('ready')).toHaveLength(1);
      expect(core.recv(stormed.handle)).toEqual(pattern(3));
      for (const connection of [stormed, quiet]) world.close(connection);
    }),
  );

  it(
    'line 15: a stormed command ring is masked, and its answers are late and not lost',
    inWorld({}, (world) => {
      const { core, backend } = world;
      const connection = world.open();
      const handle = world.socket();
      expect(core.connect(handle)).toBe(-EINPROGRESS);
      const request = backend.take(PVCALLS_CONNECT);
      expect(storm(world, () => backend.kick())).toBeLessThan(LOOKS_MAX);
      backend.answer(request, -111);
      world.expectEcho(connection);
      world.pass(LATE_MS);
      expect(core.take()).toEqual([
        { kind: 'done', handle, command: PVCALLS_CONNECT, result: -111 },
      ]);
      world.expectWorks();
    }),
  );

  it(
    'line 15: work behind every event is no storm, however many there are',
    inWorld({}, (world) => {
      const { core } = world;
      const connection = world.open();
      const { handle, ring } = connection;
      expect(core.recv(handle)).toBe(-EAGAIN);
      for (let i = 0; i < STORM; i++) {
        ring.produce(pattern(1, i));
        ring.kick();
        world.settle();
        expect(core.take('ready')).toHaveLength(1);
        expect(core.recv(handle)).toEqual(pattern(1, i));
        expect(core.recv(handle)).toBe(-EAGAIN);
      }
      world.close(connection);
    }),
  );

  it(
    'line 15: a port that is closed in a storm leaves no mask behind',
    inWorld({}, (world) => {
      const connection = world.open();
      const port = remotePort(world, connection.ring.port);
      storm(world, () => connection.ring.kick());
      expect(masked(world, port)).toBe(true);
      world.close(connection);
      expect(masked(world, port)).toBe(false);
    }),
  );
});

describe('line 16: events before there is a connection', () => {
  it(
    'line 16: bytes and an event that come before CONNECT is answered are not lost',
    inWorld({}, (world) => {
      const { core, backend } = world;
      const handle = world.socket();
      expect(core.connect(handle)).toBe(-EINPROGRESS);
      const request = backend.take(PVCALLS_CONNECT);
      const ring = backend.ringOf(request);
      ring.produce(pattern(50));
      ring.kick();
      world.settle();
      expect(core.take()).toEqual([]);
      expect(core.recv(handle)).toBe(-ENOTCONN);
      backend.answer(request, 0);
      expect(core.take('done')).toHaveLength(1);
      expect(core.recv(handle)).toEqual(pattern(50));
      world.close({ handle, ring });
    }),
  );

  it(
    'line 16: a command ring is not looked at before the device is connected',
    inWorld({ down: true }, (world) => {
      const { core, backend } = world;
      core.call((exports) => exports.xenbus_start());
      backend.publish();
      backend.setState(XENBUS_STATE_INIT_WAIT);
      world.settle();
      backend.attach();
      for (const prod of [7, 0x80000000, 0]) {
        backend.put(RSP_PROD, prod);
        backend.kick();
        world.settle();
      }
      backend.setState(XENBUS_STATE_CONNECTED);
      world.settle();
      const states = core.take('device').map(({ state }) => state);
      expect(states).toEqual([DEVICE_CONNECTING, DEVICE_CONNECTED]);
      world.expectWorks();
    }),
  );

  it(
    'line 16: a ring is not looked at before its connection is there',
    inWorld({}, (world) => {
      const { core, backend } = world;
      const handle = world.socket();
      expect(core.connect(handle)).toBe(-EINPROGRESS);
      const request = backend.take(PVCALLS_CONNECT);
      const ring = backend.ringOf(request);
      ring.store(IN_PROD, 0x80000000);
      ring.store(OUT_CONS, 0x80000000);
      ring.kick();
      world.settle();
      expect(core.take()).toEqual([]);
      ring.store(IN_PROD, 0);
      ring.store(OUT_CONS, 0);
      backend.answer(request, 0);
      expect(core.take('done')).toHaveLength(1);
      world.expectEcho({ handle, ring });
      world.close({ handle, ring });
    }),
  );
});
