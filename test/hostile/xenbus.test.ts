/** Lines 18 and 19: a backend that moves, or offers, what it should not; and xenstore that lies. */
import { describe, expect, it } from 'vitest';
import {
  DEVICE_CLOSED,
  DEVICE_CONNECTED,
  DEVICE_FAILED,
  FAULT_FUNCTION_CALLS,
  FAULT_MAX_PAGE_ORDER,
  FAULT_STORE,
  FAULT_VERSION,
} from '../../assembly/wire/abi.js';
import { EINVAL, ENETDOWN, ENODEV } from '../../assembly/wire/errno.js';
import { PAGE_SHIFT } from '../../assembly/wire/page.js';
import * as xenbus from '../../assembly/wire/xenbus.js';
import * as xs from '../../assembly/wire/xenstore.js';
import { NODES, type Nodes } from './hostile-backend.js';
import { inWorld, type World } from './world.js';

const { XENBUS_STATE_CLOSED, XENBUS_STATE_CLOSING, XENBUS_STATE_CONNECTED } = xenbus;
const { XENBUS_STATE_INIT_WAIT, XENBUS_STATE_INITIALISED, XENBUS_STATE_INITIALISING } = xenbus;
const { XENBUS_STATE_RECONFIGURING } = xenbus;

/** What the device has become, last. */
function deviceState(world: World): number | undefined {
  const last = world.core.events.filter((event) => event.kind === 'device').at(-1);
  return last?.kind === 'device' ? last.state : undefined;
}

/** A backend in order, one step at a time: connects as soon as there is something to connect to. */
function honestly(world: World): void {
  const { backend } = world;
  if (backend.attached || backend.frontendState() !== XENBUS_STATE_INITIALISED) return;
  backend.attach();
  backend.setState(XENBUS_STATE_CONNECTED);
}

function settleHonestly(world: World): void {
  do honestly(world);
  while (world.scheduler.step());
}

/** The backend starts over, and the device with it, by itself. */
function expectReturns(world: World): void {
  world.core.take();
  world.backend.publish();
  world.backend.setState(XENBUS_STATE_INITIALISING);
  settleHonestly(world);
  world.backend.setState(XENBUS_STATE_INIT_WAIT);
  settleHonestly(world);
  expect(deviceState(world)).toBe(DEVICE_CONNECTED);
  world.expectWorks();
}

const GONE = {
  Closing: (world: World) => world.backend.setState(XENBUS_STATE_CLOSING),
  Closed: (world: World) => world.backend.setState(XENBUS_STATE_CLOSED),
  Unknown: (world: World) => world.backend.setState(xenbus.XENBUS_STATE_UNKNOWN),
  nonsense: (world: World) => world.backend.setState('a long way off'),
  'no node': (world: World) => world.backend.store.rm(`${world.backend.path}/state`),
};

describe('line 18: a backend that goes away on the way up', () => {
  const ways = Object.entries(GONE);

  it.each(ways.map(([name], at) => [name, at] as const))(
    'line 18: %s at every step of init',
    (name, at) =>
      inWorld({ down: true }, (world) => {
        const { core, backend } = world;
        core.call((exports) => exports.xenbus_start());
        backend.publish();
        let up = false;
        let steps = at; // the ways share the steps between them
        for (; !up; steps += ways.length) {
          backend.setState(XENBUS_STATE_INIT_WAIT);
          for (let step = 0; step < steps && !up; step++) {
            honestly(world);
            up = !world.scheduler.step() && deviceState(world) === DEVICE_CONNECTED;
          }
          GONE[name as keyof typeof GONE](world);
          backend.letGo();
          world.settle();
          expect(deviceState(world)).not.toBe(DEVICE_CONNECTED);
          expect([XENBUS_STATE_INITIALISING, XENBUS_STATE_CLOSED]).toContain(
            backend.frontendState(),
          );
          expect(core.socket()).toBe(-ENETDOWN);
          expectReturns(world);
          core.call((exports) => exports.xenbus_stop());
          world.settle();
          backend.goDown();
          core.take();
          core.call((exports) => exports.xenbus_start());
          world.settle();
        }
        expect(steps).toBeGreaterThan(20);
      })(),
  );

  it.each([XENBUS_STATE_INITIALISED, XENBUS_STATE_CONNECTED])(
    'line 18: one that skips InitWait and says %i at once is followed',
    (state) =>
      inWorld({ down: true }, (world) => {
        world.core.call((core) => core.xenbus_start());
        world.settle();
        world.backend.publish();
        world.backend.setState(state);
        settleHonestly(world);
        expect(deviceState(world)).toBe(DEVICE_CONNECTED);
        world.expectWorks();
      })(),
  );

  it.each([XENBUS_STATE_RECONFIGURING, XENBUS_STATE_RECONFIGURING + 1, 9, 4_000_000])(
    'line 18: state %i before InitWait is waited out, and later means nothing',
    (state) =>
      inWorld({ down: true }, (world) => {
        world.core.call((core) => core.xenbus_start());
        world.backend.publish();
        world.backend.setState(state);
        world.settle();
        expect(world.backend.frontendState()).toBe(XENBUS_STATE_INITIALISING);
        world.backend.setState(XENBUS_STATE_INIT_WAIT);
        world.settle();
        expect(world.backend.frontendState()).toBe(XENBUS_STATE_INITIALISED);
        world.backend.setState(state);
        world.settle();
        world.backend.attach();
        world.backend.setState(XENBUS_STATE_CONNECTED);
        world.settle();
        const connection = world.open();
        world.backend.setState(state);
        world.settle();
        world.expectEcho(connection);
        expect(deviceState(world)).not.toBe(DEVICE_CLOSED);
        world.backend.setState(XENBUS_STATE_CONNECTED);
        world.settle();
        world.expectEcho(connection);
      })(),
  );

  it.each([XENBUS_STATE_INITIALISING, XENBUS_STATE_INIT_WAIT])(
    'line 18: one that is back at %i without a goodbye has forgotten us',
    (state) =>
      inWorld({}, (world) => {
        const connection = world.open();
        world.backend.letGo();
        world.backend.setState(state);
        world.settle();
        expect(world.core.recv(connection.handle)).toBe(-5);
        expect(deviceState(world)).not.toBe(DEVICE_CONNECTED);
        world.backend.setState(XENBUS_STATE_INIT_WAIT);
        settleHonestly(world);
        expect(deviceState(world)).toBe(DEVICE_CONNECTED);
        world.expectWorks();
      })(),
  );
});

describe('line 19: what the backend offers', () => {
  /** The offer is refused over this; a better one is taken later. */
  function expectRefused(nodes: Nodes, fault: number): void {
    inWorld({ down: true }, (world) => {
      world.core.call((core) => core.xenbus_start());
      world.backend.publish(nodes);
      world.backend.setState(XENBUS_STATE_INIT_WAIT);
      world.settle();
      const value = -ENODEV >>> 0;
      expect(world.core.take('device').at(-1)).toEqual({
        kind: 'device',
        state: DEVICE_CLOSED,
        fault,
        value,
      });
      expect(world.backend.frontendState()).toBe(XENBUS_STATE_CLOSED);
      expect(world.core.socket()).toBe(-ENETDOWN);
      world.backend.goDown();
      world.start();
      world.expectWorks();
    })();
  }

  const bytes = (text: string): Uint8Array => Buffer.from(text, 'latin1');

  it.each([undefined, '', '2', ' 1', '1 ', '2,,3', '1;2', '10', '-1', '4294967297', 'one'])(
    'line 19: versions %j is refused',
    (versions) => expectRefused({ ...NODES, versions }, FAULT_VERSION),
  );

  it('line 19: versions with a NUL in it, or without an end, is refused', () => {
    expectRefused({ ...NODES, versions: bytes('1\0') }, FAULT_VERSION);
    expectRefused({ ...NODES, versions: '2,'.repeat(1000) }, FAULT_VERSION);
  });

  it('line 19: versions is a list with 1 in it', () => {
    for (const versions of ['1', '1,2', '2,1', '0,1,999999999999', `${'2,'.repeat(1000)}1`]) {
      inWorld({ nodes: { ...NODES, versions } }, (world) => world.expectWorks())();
    }
  });

  it.each([undefined, '', '0', 'abc', '-1', ' 4', '4\n', '0x4', '4294967296', '4294967300'])(
    'line 19: max-page-order %j is refused',
    (order) => expectRefused({ ...NODES, 'max-page-order': order }, FAULT_MAX_PAGE_ORDER),
  );

  it.each([
    ['1', 1],
    ['9', 9],
    ['10', 9],
    ['31', 9],
    ['999999999', 9],
  ])('line 19: max-page-order %s allows %i and no more', (offered, allowed) =>
    inWorld({ nodes: { ...NODES, 'max-page-order': offered } }, (world) => {
      const handle = world.socket();
      const set = (order: number) => world.core.call((core) => core.set_ring_order(handle, order));
      expect(set(allowed)).toBe(0);
      for (const order of [allowed + 1, 32, 0x80000001]) expect(set(order)).toBe(-EINVAL);
      world.expectWorks();
    })(),
  );

  it.each([undefined, '', '0', '2', 'abc', '1,2'])(
    'line 19: function-calls %j is refused',
    (calls) => expectRefused({ ...NODES, 'function-calls': calls }, FAULT_FUNCTION_CALLS),
  );
});

describe('line 19: xenstore that says what it cannot', () => {
  /** A message as xenstored sends it, or nearly. */
  function message(type: number, reqId: number, payload: string, size = payload.length): Buffer {
    const bytes = Buffer.alloc(xs.MSG_SIZE + payload.length);
    bytes.writeUInt32LE(type, xs.MSG_TYPE);
    bytes.writeUInt32LE(reqId, xs.MSG_REQ_ID);
    bytes.writeUInt32LE(size, xs.MSG_LEN);
    bytes.write(payload, xs.MSG_SIZE, 'latin1');
    return bytes;
  }

  /** Writes into the ring of the guest's store page, as the domain of xenstored can. */
  function inject(world: World, bytes: Buffer, more = 0): void {
    const { storePage } = world.core.domain;
    const page = Buffer.from(
      world.machine.memory.buffer as unknown as ArrayBuffer,
      storePage,
      4096,
    );
    expect(world.machine.domain(0).bytes(storePage >>> PAGE_SHIFT)).toHaveLength(4096);
    const prod = page.readUInt32LE(xs.XS_RSP_PROD);
    bytes.forEach((byte, i) => (page[xs.XS_RSP + ((prod + i) % xs.XENSTORE_RING_SIZE)] = byte));
    page.writeUInt32LE((prod + bytes.length + more) >>> 0, xs.XS_RSP_PROD);
    world.core.call((core) => core.handle_event(world.core.domain.storePort));
    world.settle();
  }

  /** Watch events of 32 bytes each, which fill the ring. */
  function fullRing(): Buffer {
    const one = message(xs.XS_WATCH_EVENT, 0, 'nobody-cares\0d\0\0');
    return Buffer.concat(Array.from({ length: xs.XENSTORE_RING_SIZE / one.length }, () => one));
  }

  const event = 'device/pvcalls/0/backend';
  it.each([
    ['a watch event that does not end', message(xs.XS_WATCH_EVENT, 0, `${event}\0d`), 0],
    ['a watch event of one string', message(xs.XS_WATCH_EVENT, 0, `${event}\0`), 0],
    ['an empty watch event', message(xs.XS_WATCH_EVENT, 0, ''), 0],
    ['a reply that nobody asked for', message(xs.XS_READ, 0x3fffff, '4'), 0],
    ['a reply to nobody', message(xs.XS_READ, 0, '4'), 0],
    ['a length over 4096', message(xs.XS_WATCH_EVENT, 0, 'x', 4097), 0],
    ['a length of 2^32 - 1', message(xs.XS_WATCH_EVENT, 0, 'x', 0xffffffff), 0],
    ['rsp_prod beyond the ring', Buffer.alloc(0), 1025],
    ['rsp_prod beyond a ring of good messages', fullRing(), 32],
    ['rsp_prod moved back', Buffer.alloc(0), -1],
  ])('line 19: %s', (_name, bytes, more) =>
    inWorld({}, (world) => {
      const connection = world.open();
      inject(world, bytes, more);
      expect(world.core.events[0]).toEqual({
        kind: 'device',
        state: DEVICE_FAILED,
        fault: FAULT_STORE,
        value: 0,
      });
      world.core.take();
      expect(world.core.send(connection.handle, Buffer.from('lost'))).toBe(-5);
      expect(world.core.socket()).toBe(-ENETDOWN);
    })(),
  );

  it(
    'line 19: watch events that look like ours cost a look and no more',
    inWorld({}, (world) => {
      const connection = world.open();
      for (const token of ['d', 'b', 'x', 'bb', 'dd']) {
        expect(world.core.storeRequest(xs.XS_WATCH, `data\0${token}\0`)).toBeGreaterThan(0);
        world.settle();
        const mail = world.core.take('store').map(({ type }) => type);
        const ours = token === 'd' || token === 'b'; // the event is; the reply is the embedder's
        expect(mail).toEqual(ours ? [xs.XS_WATCH] : [xs.XS_WATCH, xs.XS_WATCH_EVENT]);
        world.expectEcho(connection);
      }
      expect(deviceState(world)).toBeUndefined();
    }),
  );
});
