/**
 * Lines 2, 13, 16 and 23: what a backend can do between two accesses of the core. The release
 * binary runs with a call before each of its loads and stores, and the backend acts there.
 */
import { describe, expect, it } from 'vitest';
import {
  DEVICE_FAILED,
  FAULT_IN_PROD,
  FAULT_RSP_PROD,
  POLLIN,
  POLLOUT,
} from '../../assembly/wire/abi.js';
import { IN_CONS, IN_PROD } from '../../assembly/wire/data-ring.js';
import { EAGAIN, EINPROGRESS } from '../../assembly/wire/errno.js';
import { PAGE_SIZE } from '../../assembly/wire/page.js';
import { PVCALLS_CONNECT, PVCALLS_RELEASE, PVCALLS_SOCKET } from '../../assembly/wire/pvcalls.js';
import * as sring from '../../assembly/wire/ring.js';
import { XENSTORE_RING_SIZE } from '../../assembly/wire/xenstore.js';
import type { Watcher } from './core-wasm.js';
import type { Request } from './hostile-backend.js';
import { inWorld, pattern, type World } from './world.js';

/** Runs a test whose `world.at` is called before every access of the first guest's core. */
function inBetween(test: (world: World, watch: { at: Watcher }) => void): () => void {
  const nothing: Watcher = () => undefined;
  const watch = { at: nothing };
  const watcher: Watcher = (access, address) => watch.at(access, address);
  return inWorld({ watcher }, (world) => {
    test(world, watch);
    watch.at = nothing;
  });
}

/** Two connects that wait for their answers. */
function twoWaiting(world: World): { handles: number[]; requests: Request[] } {
  const handles = [world.socket(), world.socket()];
  for (const handle of handles) expect(world.core.connect(handle)).toBe(-EINPROGRESS);
  const requests = handles.map(() => world.backend.take(PVCALLS_CONNECT));
  return { handles, requests };
}

describe('line 2: a slot that changes while it is read', () => {
  it(
    'line 2: nothing of a slot is loaded where the backend can change it',
    inBetween((world, watch) => {
      const [page] = world.core.domain.grants().filter(({ ref }) => ref >= 8);
      const start = page!.frame * PAGE_SIZE + sring.SRING_SLOTS;
      const loads: number[] = [];
      watch.at = (access, address) => {
        if (access === 'load' && address >= start && address < start + 2048) loads.push(address);
      };
      world.expectWorks();
      expect(loads).toEqual([]);
    }),
  );

  it(
    'line 2: one whole answer is taken, wherever another takes its place',
    inBetween((world, watch) => {
      const { backend, core } = world;
      const rspProd = backend.frame * PAGE_SIZE + sring.RSP_PROD;
      const handles = [world.socket(), world.socket()];
      const taken = [0, 0];
      let accesses = Infinity;
      for (let change = 0; change < accesses; change++) {
        for (const handle of handles) expect(core.connect(handle)).toBe(-EINPROGRESS);
        const requests = handles.map(() => backend.take(PVCALLS_CONNECT));
        let seen = -1; // counted from the first look at rsp_prod
        backend.write(requests[0]!, -111);
        watch.at = (_access, address) => {
          if (seen < 0 && address !== rspProd) return;
          if (++seen === change) backend.write(requests[1]!, -113, backend.rspProd - 1);
        };
        backend.rspProd += 1;
        backend.put(sring.RSP_PROD, backend.rspProd);
        backend.kick();
        world.settle();
        watch.at = () => undefined;
        accesses = seen;
        const [done] = core.take();
        const which = done?.kind === 'done' && done.handle === handles[1] ? 1 : 0;
        const result = which === 0 ? -111 : -113;
        const handle = handles[which];
        expect(done).toEqual({ kind: 'done', handle, command: PVCALLS_CONNECT, result });
        taken[which]! += 1;
        backend.answer(requests[1 - which]!, -111);
        core.take();
      }
      expect(taken[0]).toBeGreaterThan(10); // changed after it was copied
      expect(taken[1]).toBeGreaterThan(1); //  and before
    }),
  );
});

describe('line 13: an index or a length that changes while it is used', () => {
  it.each([0x10000, 4097, -1, 0x80000000])('line 13: in_prod moved by %i inside one recv', (by) => {
    let loads = Infinity;
    for (let change = 1; change < loads; change++) {
      inBetween((world, watch) => {
        const { handle, ring } = world.open();
        ring.produce(pattern(10));
        let seen = 0;
        watch.at = (access, address) => {
          if (access !== 'load' || address !== ring.indexesFrame * PAGE_SIZE + IN_PROD) return;
          if (seen++ === change) ring.store(IN_PROD, 10 + by);
        };
        expect(world.core.recv(handle)).toEqual(pattern(10));
        watch.at = () => undefined;
        loads = seen;
        expect(ring.load(IN_CONS)).toBe(10);
        expect(world.core.recv(handle)).toBeLessThan(0);
        const value = (10 + by) >>> 0;
        world.settle();
        expect(world.core.take('device')[0]).toEqual({
          kind: 'device',
          state: DEVICE_FAILED,
          fault: FAULT_IN_PROD,
          value,
        });
        world.expectComesBack();
      })();
    }
    expect(loads).toBe(2); // the check, and whether to notify
  });

  it(
    'line 13: rsp_prod raised after it was checked',
    inBetween((world, watch) => {
      const { requests } = twoWaiting(world);
      const [page] = world.core.domain
        .grants()
        .filter(({ frame }) => frame === world.backend.frame);
      const rspProd = page!.frame * PAGE_SIZE + sring.RSP_PROD;
      let seen = 0;
      watch.at = (access, address) => {
        if (access !== 'load' || address !== rspProd) return;
        if (seen++ === 1) world.backend.put(sring.RSP_PROD, world.backend.rspProd + 40);
      };
      world.backend.answer(requests[0]!, -111);
      watch.at = () => undefined;
      expect(world.core.events[0]).toMatchObject({ kind: 'device', fault: FAULT_RSP_PROD });
      expect(world.core.take('done').map(({ result }) => result)).toEqual([-111, -5]);
      world.expectComesBack();
    }),
  );

  it(
    'line 13: nothing of a xenstore message is loaded where xenstored can change it',
    inBetween((world, watch) => {
      const start = world.core.domain.storePage;
      const loads: number[] = [];
      watch.at = (access, address) => {
        const inRings = address >= start && address < start + 2 * XENSTORE_RING_SIZE;
        if (access === 'load' && inRings) loads.push(address);
      };
      world.expectComesBack();
      expect(loads).toEqual([]);
    }),
  );
});

describe('line 16: an event between the look and the sleep', () => {
  it(
    'line 16: a response published just before rsp_event is set is found',
    inBetween((world, watch) => {
      const { handles, requests } = twoWaiting(world);
      const rspEvent = world.backend.frame * PAGE_SIZE + sring.RSP_EVENT;
      const publish = (): void => {
        const { backend } = world;
        const before = backend.rspProd;
        backend.rspProd += 1;
        backend.put(sring.RSP_PROD, backend.rspProd);
        const event = backend.load(sring.RSP_EVENT);
        if ((backend.rspProd - event) >>> 0 < (backend.rspProd - before) >>> 0) backend.kick();
      };
      watch.at = (access, address) => {
        if (access !== 'store' || address !== rspEvent) return;
        watch.at = () => undefined;
        world.core.guard?.amid('the backend', () => {
          world.backend.write(requests[1]!, -113);
          publish();
        });
      };
      world.backend.write(requests[0]!, -111);
      publish();
      world.settle();
      expect(world.core.take('done').map(({ handle, result }) => [handle, result])).toEqual([
        [handles[0], -111],
        [handles[1], -113],
      ]);
      world.expectWorks();
    }),
  );

  it(
    'line 16: bytes published at any access of a recv that finds none wake the reader',
    inBetween((world, watch) => {
      const connection = world.open();
      const { handle, ring } = connection;
      let accesses = Infinity;
      for (let when = 0; when < accesses; when++) {
        let seen = 0;
        watch.at = () => {
          if (seen++ !== when) return;
          world.core.guard?.amid('the backend', () => {
            ring.produce(pattern(7));
            ring.kick();
          });
        };
        const got = world.core.recv(handle);
        watch.at = () => undefined;
        accesses = seen;
        if (got === -EAGAIN) {
          world.settle();
          expect(world.core.take()).toEqual([{ kind: 'ready', handle, mask: POLLIN | POLLOUT }]);
          expect(world.core.recv(handle)).toEqual(pattern(7));
        } else expect(got).toEqual(pattern(7));
        world.settle();
        world.core.take();
      }
      expect(accesses).toBeGreaterThan(10);
      world.close(connection);
    }),
  );
});

describe('line 23: notifications', () => {
  it(
    'line 23: a backend that asks for one just before req_prod is set gets it',
    inBetween((world, watch) => {
      const { backend, core } = world;
      const reqProd = backend.frame * PAGE_SIZE + sring.REQ_PROD;
      const before = backend.load(sring.REQ_PROD);
      backend.put(sring.REQ_EVENT, before - 5); // it was awake, and is going to sleep now
      world.settle();
      const events = backend.events;
      watch.at = (access, address) => {
        if (access !== 'store' || address !== reqProd) return;
        watch.at = () => undefined;
        backend.put(sring.REQ_EVENT, before + 1);
        expect(backend.load(sring.REQ_PROD)).toBe(before); // nothing yet: it sleeps
      };
      core.socket();
      world.settle();
      expect(backend.events).toBe(events + 1);
      backend.serve(PVCALLS_SOCKET);
    }),
  );

  it(
    'line 23: a lying req_event costs its own wake-ups and nothing else',
    inWorld({}, (world) => {
      const { backend, core } = world;
      for (const off of [-33, -1, 0, 1, 2, 31, 33, 0x7fffffff, 0x80000000, 0xffffffff]) {
        const before = backend.load(sring.REQ_PROD);
        backend.put(sring.REQ_EVENT, before + off);
        const events = backend.events;
        const handle = core.socket();
        world.settle();
        expect(backend.events - events).toBe(off === 1 ? 1 : 0); // this request alone is new
        backend.serve(PVCALLS_SOCKET);
        core.call((it) => it.close(handle));
        backend.serve(PVCALLS_RELEASE);
      }
      core.take();
      world.expectWorks();
    }),
  );

  it(
    'line 23: the backend that waits for room is told, whenever it last looked',
    inBetween((world, watch) => {
      const connection = world.open();
      const { handle, ring } = connection;
      const inCons = ring.indexesFrame * PAGE_SIZE + IN_CONS;
      for (let round = 0; round < 8; round++) {
        ring.produce(pattern(ring.size));
        const events = ring.events;
        let full = 0;
        watch.at = (access, address) => {
          if (access !== 'store' || address !== inCons) return;
          full = (ring.load(IN_PROD) - ring.load(IN_CONS)) >>> 0; // looks once more, and sleeps
        };
        expect(world.core.recv(handle)).toHaveLength(ring.size);
        watch.at = () => undefined;
        world.settle();
        expect([full, ring.events - events]).toEqual([ring.size, 1]);
      }
      world.close(connection);
    }),
  );
});
