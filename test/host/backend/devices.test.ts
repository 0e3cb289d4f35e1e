/** Devices in xenbus, policy, quotas, shutdown. Spec: pvcalls, "XenStore". */
import diagnostics from 'node:diagnostics_channel';
import net from 'node:net';
import { describe, expect, it } from 'vitest';
import * as errno from '../../../assembly/wire/errno.js';
import {
  allowAddresses,
  createBackend,
  type BackendOptions,
  type PolicyCall,
} from '../../../host/backend/index.js';
import { createMachine, detachPvcalls } from '../../../host/machine/index.js';
import { dial, echo, fateOf, serve } from './servers.js';
import { TestGuest, withGuest } from './test-guest.js';
import { TestRing } from './test-ring.js';
import { until } from './until.js';

/** Like withGuest, but the guest has not begun. */
async function withFreshGuest(
  test: (guest: TestGuest) => Promise<void>,
  options: BackendOptions = {},
): Promise<void> {
  const machine = createMachine({ memoryMiB: 8, maxDomains: 8, maxGrantFrames: 4 });
  const backend = createBackend(machine, { policy: () => 'allow', ...options });
  try {
    const guest = new TestGuest(machine, backend, 64);
    await test(guest);
    guest.store.close();
  } finally {
    await backend.close();
    machine.close();
  }
  machine.assertCleanedUp();
}

describe('a device', () => {
  it('publishes its features, then InitWait, in both dialects', async () => {
    await withFreshGuest(async (guest) => {
      await guest.backendReaches(2);
      const read = (node: string) => guest.store.read(`${guest.backendPath}/${node}`);
      expect(read('versions')).toBe('1');
      expect(read('max-page-order')).toBe('9');
      expect(read('function-calls')).toBe('1');
      expect(read('feature-reset')).toBe('1');
      expect(() => read('version')).toThrow();
    });
    await withFreshGuest(
      async (guest) => {
        await guest.backendReaches(2);
        expect(guest.store.read(`${guest.backendPath}/version`)).toBe('1');
        expect(guest.store.read(`${guest.backendPath}/max-page-order`)).toBe('0');
      },
      { layout: 'v7', maxPageOrder: 0 },
    );
  });

  const refused: [string, Record<string, string>][] = [
    ['no version', {}],
    ['another version', { version: '2' }],
    ['a ring-ref that is no number', { version: '1', 'ring-ref': 'abc' }],
    ['a ring-ref beyond 32 bits', { version: '1', 'ring-ref': '4294967296' }],
    ['a ring-ref that is not granted', { version: '1', 'ring-ref': '4000' }],
    ['a port that is not offered', { version: '1', port: '4095' }],
  ];
  for (const [what, nodes] of refused) {
    it(`refuses a frontend with ${what}, and serves it once it is right`, async () => {
      await withFreshGuest(async (guest) => {
        await guest.backendReaches(2);
        guest.publish(nodes);
        await guest.backendReaches(5);
        expect(guest.backend.devices()[0]!.faults).toHaveLength(1);
        expect(guest.unpublish()).toBe(0);
        guest.setState(6);
        await guest.backendReaches(6);
        guest.setState(1);
        await guest.connect();
        await guest.close();
      });
    });
  }

  it('that closed comes back when the frontend begins again', async () => {
    await withGuest(async ({ guest }) => {
      for (let life = 0; life < 3; life++) {
        expect(await guest.socket(1n)).toBe(0);
        await guest.close();
        guest.setState(1);
        await guest.connect();
      }
    });
  });

  it('takes a frontend that was Initialised before anyone looked', async () => {
    const machine = createMachine({ memoryMiB: 8, maxDomains: 8, maxGrantFrames: 4 });
    const seen = createBackend(machine);
    await seen.close();
    const guest = new TestGuest(machine, seen, 64);
    guest.publish();
    guest.setState(4);
    const backend = createBackend(machine);
    await guest.backendReaches(4);
    expect(await guest.socket(1n)).toBe(0);
    await guest.close();
    await backend.close();
    guest.store.close();
    machine.close();
    machine.assertCleanedUp();
  });

  it('lets go of everything when the frontend begins anew without closing', async () => {
    await withGuest(async ({ guest }) => {
      await using server = await serve(echo);
      const ring = await guest.open(1n, server.port);
      guest.setState(1);
      await guest.backendReaches(2);
      ring.free();
      expect(guest.unpublish()).toBe(0);
      await guest.connect();
      expect(await guest.socket(1n)).toBe(0);
    });
  });

  it('lets go of everything when the guest is destroyed', async () => {
    const machine = createMachine({ memoryMiB: 16, maxDomains: 8, maxGrantFrames: 8 });
    const backend = createBackend(machine, { policy: () => 'allow' });
    await using server = await serve(echo);
    const guest = new TestGuest(machine, backend, 64);
    await guest.connect();
    await guest.open(1n, server.port);
    expect(await guest.socket(2n)).toBe(0);
    expect(await guest.bind(2n, 0)).toBe(0);
    const end = fateOf(server.sockets[0]!);
    guest.domain.destroy();
    expect(await end).toBe('end');
    await until(() => backend.devices()[0]!.mappedPages === 0, 'unmapped');
    await backend.close();
    machine.close();
    machine.assertCleanedUp();
  });

  it('is closed and removed by the toolstack', async () => {
    await withFreshGuest(async (guest) => {
      await guest.connect();
      const device = { frontend: guest.domain.domid, backend: 0 };
      const detached = detachPvcalls(guest.machine, device);
      await until(() => guest.backendState() === 5, 'backend Closing');
      guest.setState(5);
      await until(() => guest.backend.devices()[0]!.mappedPages === 0, 'unmapped');
      expect(guest.unpublish()).toBe(0);
      guest.setState(6);
      await detached;
      await until(() => guest.backend.devices().length === 0, 'forgotten');
    });
  });
});

describe('closing the backend', () => {
  it('closes sockets, goes Closing, and Closed when the frontend is', async () => {
    await withGuest(async ({ guest, backend }) => {
      await using server = await serve(echo);
      const ring = await guest.open(1n, server.port);
      const end = fateOf(server.sockets[0]!);
      const closed = backend.close();
      expect(await end).toBe('end');
      await guest.backendReaches(5);
      ring.free();
      expect(guest.unpublish()).toBe(0);
      guest.setState(6);
      await closed;
      expect(guest.backendState()).toBe(6);
    });
  });

  it('does not wait for ever for a frontend that does not answer', async () => {
    await withGuest(
      async ({ guest, backend }) => {
        await backend.close();
        expect(guest.backendState()).toBe(6);
        expect(guest.unpublish()).toBe(0);
      },
      { closeTimeoutMs: 20 },
    );
  });
});

describe('policy', () => {
  it('by default lets nothing out and nothing in', async () => {
    const machine = createMachine({ memoryMiB: 8, maxDomains: 8, maxGrantFrames: 4 });
    const backend = createBackend(machine);
    const guest = new TestGuest(machine, backend, 64);
    await guest.connect();
    const ring = new TestRing(guest, 1);
    expect(await guest.socket(1n)).toBe(0);
    expect(await guest.connectTo(1n, ring, 80)).toBe(-errno.EACCES);
    expect(await guest.bind(1n, 0)).toBe(-errno.EACCES);
    ring.free();
    await guest.close();
    guest.store.close();
    await backend.close();
    machine.close();
    machine.assertCleanedUp();
  });

  it('sees every call, and denies with the errno it likes', async () => {
    const calls: PolicyCall[] = [];
    const policy = (call: PolicyCall) => {
      calls.push(call);
      return call.command === 'listen' ? -errno.EPERM : ('allow' as const);
    };
    await withGuest(
      async ({ guest }) => {
        expect(await guest.socket(1n)).toBe(0);
        expect(await guest.bind(1n, 0)).toBe(0);
        expect(await guest.listen(1n)).toBe(-errno.EPERM);
        expect(await guest.release(1n)).toBe(0);
        expect(await guest.poll(1n)).toBe(-errno.ENOTSOCK);
        expect((await guest.call(99, 1n)).ret).toBe(-errno.ENOTSUP);
        const { domid } = guest.domain;
        const address = { host: '127.0.0.1', port: 0 };
        expect(calls).toEqual([
          { domid, command: 'socket', id: 1n },
          { domid, command: 'bind', id: 1n, address },
          { domid, command: 'listen', id: 1n },
          { domid, command: 'release', id: 1n },
          { domid, command: 'poll', id: 1n },
          { domid, command: 'unknown', id: 1n },
        ]);
      },
      { policy },
    );
  });

  it('of listed addresses lets through what is listed', async () => {
    await using server = await serve(echo);
    await using hidden = await serve(echo);
    const policy = allowAddresses([
      { command: 'connect', host: '127.0.0.1', port: server.port },
      { command: 'bind', host: '127.0.0.1' },
    ]);
    await withGuest(
      async ({ guest }) => {
        const ring = new TestRing(guest, 1);
        expect(await guest.socket(1n)).toBe(0);
        expect(await guest.connectTo(1n, ring, hidden.port)).toBe(-errno.EACCES);
        expect(await guest.connectTo(1n, ring, server.port, '127.0.0.2')).toBe(-errno.EACCES);
        expect(await guest.connectTo(1n, ring, server.port)).toBe(0);
        expect(await guest.release(1n)).toBe(0);
        ring.free();
        expect(await guest.socket(2n)).toBe(0);
        expect(await guest.bind(2n, 0, '127.0.0.2')).toBe(-errno.EACCES);
        expect(await guest.bind(2n, 0)).toBe(0);
      },
      { policy },
    );
  });

  it('that throws denies, and is reported', async () => {
    const messages: unknown[] = [];
    const hear = (message: unknown): void => void messages.push(message);
    diagnostics.subscribe('pvcalls:backend', hear);
    const policy = () => {
      throw new Error('oops');
    };
    await withGuest(
      async ({ guest }) => {
        expect(await guest.socket(1n)).toBe(-errno.EACCES);
      },
      { policy },
    );
    diagnostics.unsubscribe('pvcalls:backend', hear);
    const answer = { event: 'answer', command: 'socket', ret: -errno.EACCES };
    expect(messages).toMatchObject([{ event: 'fault' }, { event: 'policy' }, answer]);
  });
});

describe('quotas', () => {
  it('bound sockets, passive sockets, mapped pages and waiting requests of one guest', async () => {
    await using server = await serve(echo);
    const quotas = { sockets: 3, passiveSockets: 1, mappedPages: 6, waiting: 1, backlog: 1 };
    await withGuest(
      async ({ guest }) => {
        for (const id of [1n, 2n, 3n]) expect(await guest.socket(id)).toBe(0);
        expect(await guest.socket(4n)).toBe(-errno.EMFILE);
        const big = new TestRing(guest, 3);
        expect(await guest.connectTo(1n, big, server.port)).toBe(-errno.ENOBUFS);
        big.free();
        expect(await guest.bind(1n, 0)).toBe(0);
        expect(await guest.bind(2n, 0)).toBe(-errno.EMFILE);
        expect(await guest.listen(1n, 1000)).toBe(0);
        const port = guest.boundPort(1n);
        const waiting = guest.poll(1n);
        expect(await guest.poll(1n)).toBe(-errno.ENOBUFS);
        const client = await dial(port);
        expect(await waiting).toBe(0);
        expect(await fateOf(net.connect(port, '127.0.0.1'))).toBe('ECONNRESET');
        const ring = new TestRing(guest, 1);
        expect(await guest.accept(1n, 4n, ring)).toBe(-errno.EMFILE);
        expect(await guest.release(2n)).toBe(0);
        expect(await guest.accept(1n, 4n, ring)).toBe(0);
        expect(await guest.release(4n)).toBe(0);
        ring.free();
        client.destroy();
      },
      { quotas },
    );
  });
});
