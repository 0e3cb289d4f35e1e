/**
 * The guest's part of `expose`: binds, listens and accepts at an address of the backend, and joins
 * each connection to a local program. When the program ends a connection, closing it is the only
 * way to tell the other end: PV Calls version 1 cannot carry a half-close.
 */
import { setTimeout as delay } from 'node:timers/promises';
import net from 'node:net';
import type { Address, GuestListener, GuestSocket } from '../index.js';
import { Bridge } from '../net/bridge.js';
import { show } from './addresses.js';
import { watchDevices } from './devices.js';
import { sentenceOf } from './failure.js';
import { onlyGuest, type TaskContext } from './tasks.js';

export interface ExposeParams {
  readonly listen: Address;
  readonly target: Address;
  readonly idleMs: number;
  /** Tells of every connection. */
  readonly verbose: boolean;
}

const BACKLOG = 1024;
/** After a failed accept: sockets that are closing come free. */
const RETRY_MS = 50;

/**
 * Events: 'listening', at every backend, 'closed', 'failed', and those of watchDevices. Result:
 * connections carried. Rejects when the device will not come back, or the address is refused.
 */
export async function expose(params: ExposeParams, context: TaskContext): Promise<number> {
  const { signal } = context;
  const listener = await onlyGuest(context).listen({ ...params.listen, backlog: BACKLOG, signal });
  const exposer = new Exposer(params, context);
  const { host: address, port } = params.listen;
  const announce = (): void =>
    context.emit({ event: 'listening', text: show(params.listen), address, port });
  announce();
  listener.onListening = announce;
  try {
    await Promise.race([exposer.acceptAll(listener), watchDevices(context)]);
  } finally {
    await Promise.all([listener.close(), exposer.close()]);
  }
  return exposer.connections;
}

class Exposer {
  connections = 0;
  private readonly bridges = new Set<Bridge>();
  private readonly dialling = new Set<net.Socket>();
  private readonly work = new Set<Promise<void>>();

  constructor(
    private readonly params: ExposeParams,
    private readonly context: TaskContext,
  ) {}

  /** Returns when the task is asked to end. */
  async acceptAll(listener: GuestListener): Promise<void> {
    const { signal } = this.context;
    while (!signal.aborted) {
      try {
        this.handle(await listener.accept(signal));
      } catch (error) {
        if (signal.aborted) return;
        if (listener.closed) throw error;
        const kind = sentenceOf(error);
        this.context.emit({ event: 'failed', text: `accept: ${kind}`, kind, level: 'warn' });
        await delay(RETRY_MS);
      }
    }
  }

  async close(): Promise<void> {
    const reason = new Error('pvcalls ends');
    for (const program of this.dialling) program.destroy(reason);
    for (const bridge of this.bridges) bridge.abort(reason);
    await Promise.all(this.work);
  }

  private handle(socket: GuestSocket): void {
    const work = this.carry(socket);
    this.work.add(work);
    void work.then(() => this.work.delete(work));
  }

  private async carry(socket: GuestSocket): Promise<void> {
    const { target, idleMs, verbose } = this.params;
    let program: net.Socket;
    try {
      program = await this.dial();
    } catch (error) {
      const kind = sentenceOf(error, show(target));
      const text = `a connection was reset: ${kind}`;
      if (!this.context.signal.aborted) {
        this.context.emit({ event: 'failed', text, kind, level: 'warn' });
      }
      await socket.abort();
      return;
    }
    const bridge = new Bridge(program, socket, { idleMs, onHostEnd: 'close' });
    this.bridges.add(bridge);
    this.connections += 1;
    const { toGuest: sent, fromGuest: received, error } = await bridge.done;
    this.bridges.delete(bridge);
    if (!verbose) return;
    const end = error === undefined ? 'ended' : `was reset (${error.message})`;
    const text = `the program received ${received} and sent ${sent} bytes; the connection ${end}`;
    this.context.emit({ event: 'closed', text, received, sent, reset: error !== undefined });
  }

  private dial(): Promise<net.Socket> {
    const { host, port } = this.params.target;
    const program = net.connect({ host, port, allowHalfOpen: true, noDelay: true });
    this.dialling.add(program);
    return new Promise<net.Socket>((resolve, reject) => {
      program.once('connect', () => resolve(program));
      program.on('error', reject); // stays: the bridge adds its own
    }).finally(() => this.dialling.delete(program));
  }
}
