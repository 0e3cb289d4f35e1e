/**
 * The guests' part of `forward`: accepts connections on the host and carries each through a socket
 * of a guest to the target. The guest with the fewest connections takes the next.
 *
 * Threads cannot hand connections to each other, but they can accept from one listening socket: the
 * first makes it, the others open it by its descriptor and leave closing it to the first.
 */
import net from 'node:net';
import type { Address, Guest } from '../index.js';
import { Bridge } from '../net/bridge.js';
import { show } from './addresses.js';
import { watchDevices, withBackend } from './devices.js';
import { sentenceOf } from './failure.js';
import { aborted, type TaskContext } from './tasks.js';

export interface ForwardParams {
  readonly listen: Address | { readonly fd: number };
  readonly target: Address;
  readonly idleMs: number;
  /** Connections that a guest can carry. */
  readonly capacity: number;
  /** Tells of every connection. */
  readonly verbose: boolean;
}

const BACKLOG = 511;

/**
 * Events: 'listening', 'closed', 'failed', and those of watchDevices. Result: connections carried.
 * Rejects when the device of a guest will not come back.
 */
export async function forward(params: ForwardParams, context: TaskContext): Promise<number> {
  const forwarder = new Forwarder(params, context);
  await forwarder.listen();
  try {
    await Promise.race([aborted(context.signal), watchDevices(context)]);
  } finally {
    await forwarder.close();
  }
  return forwarder.connections;
}

interface Carrier {
  readonly guest: Guest;
  readonly bridges: Set<Bridge>;
  connecting: number;
}

class Forwarder {
  connections = 0;
  private readonly server: net.Server;
  private readonly carriers: Carrier[];
  private readonly work = new Set<Promise<void>>();

  constructor(
    private readonly params: ForwardParams,
    private readonly context: TaskContext,
  ) {
    this.carriers = context.guests.map((guest) => ({ guest, bridges: new Set(), connecting: 0 }));
    this.server = net.createServer(
      { allowHalfOpen: true, pauseOnConnect: true, noDelay: true },
      (client) => this.handleClient(client),
    );
  }

  async listen(): Promise<void> {
    const { server, context } = this;
    const { listen } = this.params;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ ...listenOptions(listen), backlog: BACKLOG }, () => resolve());
    });
    server.on('error', (error) => {
      const kind = sentenceOf(error);
      context.emit({ event: 'failed', text: `accept: ${kind}`, kind, level: 'warn' });
    });
    const { address, port } = server.address() as net.AddressInfo;
    const { fd } = (server as unknown as { _handle: { fd: number } })._handle;
    context.emit({ event: 'listening', text: `${address}:${port}`, address, port, fd });
  }

  async close(): Promise<void> {
    if ('fd' in this.params.listen) this.server.unref();
    else this.server.close();
    const reason = new Error('pvcalls ends');
    for (const { bridges } of this.carriers) for (const bridge of bridges) bridge.abort(reason);
    await Promise.all(this.work);
  }

  private handleClient(client: net.Socket): void {
    client.on('error', () => undefined); // until the bridge listens
    if (this.context.signal.aborted) {
      client.resetAndDestroy();
      return;
    }
    const work = this.carry(client);
    this.work.add(work);
    void work.then(() => this.work.delete(work));
  }

  private async carry(client: net.Socket): Promise<void> {
    const { target, idleMs, verbose } = this.params;
    const from = `${client.remoteAddress}:${client.remotePort}`;
    const carrier = this.leastLoaded();
    this.makeRoom(carrier);
    carrier.connecting += 1;
    try {
      const { signal } = this.context;
      const { guest } = carrier;
      const socket = await withBackend(guest, signal, () => guest.connect({ ...target, signal }));
      const bridge = new Bridge(client, socket, { idleMs });
      carrier.bridges.add(bridge);
      carrier.connecting -= 1;
      this.connections += 1;
      const { toGuest: sent, fromGuest: received, error } = await bridge.done;
      carrier.bridges.delete(bridge);
      if (!verbose) return;
      const end = error === undefined ? 'ended' : `was reset (${error.message})`;
      const text = `${from} sent ${sent} and received ${received} bytes, and ${end}`;
      this.context.emit({ event: 'closed', text, from, sent, received, reset: !!error });
    } catch (error) {
      carrier.connecting -= 1;
      client.resetAndDestroy();
      if (this.context.signal.aborted) return;
      const kind = sentenceOf(error, show(target));
      const text = `${from} was reset: ${kind}`;
      this.context.emit({ event: 'failed', text, from, kind, level: 'warn' });
    }
  }

  private leastLoaded(): Carrier {
    return this.carriers.reduce((best, other) => (load(other) < load(best) ? other : best));
  }

  /** A full guest lets go of the oldest connection that only waits for an answer. */
  private makeRoom(carrier: Carrier): void {
    if (load(carrier) < this.params.capacity) return;
    for (const bridge of carrier.bridges) {
      if (!bridge.held) continue;
      bridge.close();
      return;
    }
  }
}

function load({ bridges, connecting }: Carrier): number {
  return bridges.size + connecting;
}

function listenOptions(listen: ForwardParams['listen']): net.ListenOptions {
  return 'fd' in listen ? ({ fd: listen.fd } as net.ListenOptions) : { ...listen };
}
