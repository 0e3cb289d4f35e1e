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
import { inWorld, pattern } from './world.js';

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
