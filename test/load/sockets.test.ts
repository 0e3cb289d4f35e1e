/**
 * As many sockets as one guest can have. Each takes an event channel, and the 2-level ABI has 4096
 * ports for a domain; the table stops a little before that, with ENFILE.
 */
import { once } from 'node:events';
import net from 'node:net';
import { describe, expect, it } from 'vitest';
import { NodeSocketLayer } from '../../host/backend/node-net.js';
import type { SocketLayer } from '../../host/backend/socket-layer.js';
import type { Machine } from '../../host/index.js';
import { createGuest, createMachine, createBackend } from '../../host/index.js';
import { SOCKETS_MAX } from '../../assembly/wire/abi.js';
import { PAGE_SIZE } from '../../assembly/wire/page.js';
import { Crowd } from './crowd.js';
import { EchoLayer } from './echo-layer.js';
import { EchoTalk } from './echoes.js';

const LONG = process.env['PVCALLS_LONG'] !== undefined;
const BUSY = 100;
const TRIPS = LONG ? 500 : 20;
const MESSAGE = 3000; // wraps a ring of 4096 bytes each way
const ARENA_PER_SOCKET_MAX = 256;

/** Real sockets for 127.0.0.1, and an echo in this thread for everything else. */
class MixedLayer extends NodeSocketLayer {
  private readonly echo: EchoLayer;

  constructor(machine: Machine) {
    super();
    this.echo = new EchoLayer(machine.scheduler);
  }

  override connect(...call: Parameters<SocketLayer['connect']>): () => void {
    return call[0].host === '127.0.0.1' ? super.connect(...call) : this.echo.connect(...call);
  }
}

/** Whether this process may open so many files. */
function mayOpen(files: number): boolean {
  const { userLimits } = process.report.getReport() as unknown as {
    userLimits: { open_files: { soft: number | 'unlimited' } };
  };
  const { soft } = userLimits.open_files;
  return soft === 'unlimited' || soft >= files;
}

async function echoServer(): Promise<net.Server> {
  const server = net.createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => undefined);
    socket.pipe(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

describe('one guest', () => {
  it(`has ${SOCKETS_MAX} sockets, ${BUSY} of them busy, and the next is ENFILE`, async () => {
    const server = await echoServer();
    const address = { host: '127.0.0.1', port: (server.address() as net.AddressInfo).port };
    const crowd = await Crowd.open({
      guests: 1,
      guest: { sockets: SOCKETS_MAX, ringOrder: 1, memoryMiB: 64 },
      memoryMiB: 160,
      layer: (machine) => new MixedLayer(machine),
    });
    const [guest] = crowd.guests;
    const idle = SOCKETS_MAX - BUSY;
    const busy = await crowd.connect(guest!, BUSY, address);
    const startMs = performance.now();
    const real = LONG && mayOpen(3 * SOCKETS_MAX);
    const others = await crowd.connect(guest!, idle, real ? address : undefined);
    const perSocketUs = ((performance.now() - startMs) / idle) * 1000;
    await expect(guest!.connect(address)).rejects.toMatchObject({ code: 'ENFILE' });

    const talks = busy.map((socket, id) => new EchoTalk(socket, id, MESSAGE));
    const work = Promise.all(talks.map((talk) => talk.trips(TRIPS)));
    await expect(guest!.connect(address)).rejects.toMatchObject({ code: 'ENFILE' });
    await others[0]!.close(); // one goes, and one more may come
    const [late] = await crowd.connect(guest!, 1, address);
    await new EchoTalk(late!, BUSY, MESSAGE).trips(3);
    await work;
    expect(talks.map(({ echoed }) => echoed)).toEqual(talks.map(() => TRIPS * MESSAGE));
    console.log(`${perSocketUs.toFixed(0)} us to open one of ${idle}, real: ${real}`);
    await crowd.close();
    server.close();
  });

  it(`takes at most ${ARENA_PER_SOCKET_MAX} bytes of arena for an idle socket`, async () => {
    const machine = createMachine({ memoryMiB: 64, maxDomains: 4, maxGrantFrames: 1 });
    const backend = createBackend(machine);
    const freeWith = async (sockets: number): Promise<number> => {
      const guest = await createGuest(machine, { sockets, memoryMiB: 4 });
      const { framesFree } = guest.counters();
      await guest.close();
      return framesFree;
    };
    const frames = (await freeWith(1)) - (await freeWith(SOCKETS_MAX));
    const bytes = (frames * PAGE_SIZE) / (SOCKETS_MAX - 1);
    console.log(`${bytes.toFixed(1)} bytes of arena for each socket`);
    expect(bytes).toBeLessThanOrEqual(ARENA_PER_SOCKET_MAX);
    await backend.close();
    machine.assertCleanedUp();
    machine.close();
  });
});
