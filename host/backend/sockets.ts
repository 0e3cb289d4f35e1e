/**
 * The sockets of one guest: what each one is, and the table that finds them by id.
 * Invariant: a socket in the table is in exactly one of these states, and what a state holds
 * (streams, listeners, mappings, waiting requests) is freed by whoever takes it out of it.
 * Trust: ids are the guest's own choice; they are only ever compared.
 */
import type { Channel } from './channels.js';
import type { Pump } from './pump.js';
import type { Request } from './requests.js';
import type { InetAddress, Listener, PendingStream } from './socket-layer.js';

export interface Connecting {
  readonly kind: 'connecting';
  readonly request: Request;
  readonly address: InetAddress;
  readonly channel: Channel;
  readonly pump: Pump;
  readonly cancel: () => void;
}

export interface Active {
  readonly kind: 'active';
  readonly address: InetAddress;
  readonly channel: Channel;
  readonly pump: Pump;
}

export interface Binding {
  readonly kind: 'binding';
  readonly request: Request;
  readonly address: InetAddress;
  readonly cancel: () => void;
}

export interface Passive {
  readonly kind: 'passive';
  readonly address: InetAddress;
  readonly listener: Listener;
  /** Between BIND and LISTEN it is not. */
  listening: boolean;
  /** Connections that nobody accepted yet. */
  readonly pending: PendingStream[];
  /** ACCEPT requests that wait for a connection. */
  readonly accepts: Request[];
  /** POLL requests that do. */
  readonly polls: Request[];
}

export type SocketState = { readonly kind: 'created' } | Connecting | Active | Binding | Passive;

const isPassive = ({ kind }: SocketState): boolean => kind === 'passive' || kind === 'binding';

export class Socket {
  private current: SocketState = { kind: 'created' };

  constructor(
    readonly id: bigint,
    private readonly table: SocketTable,
  ) {}

  get state(): SocketState {
    return this.current;
  }

  set state(next: SocketState) {
    this.table.passives += Number(isPassive(next)) - Number(isPassive(this.current));
    this.current = next;
  }
}

export class SocketTable {
  private readonly sockets = new Map<bigint, Socket[]>();
  /** Sockets of any state. */
  count = 0;
  /** Those with an address of the host, or soon. */
  passives = 0;

  /** The first socket that got this id; only `linux` mode has several. */
  get(id: bigint): Socket | undefined {
    return this.sockets.get(id)?.[0];
  }

  add(id: bigint, state: SocketState): Socket {
    const socket = new Socket(id, this);
    socket.state = state;
    const same = this.sockets.get(id);
    if (same === undefined) this.sockets.set(id, [socket]);
    else same.push(socket);
    this.count += 1;
    return socket;
  }

  remove(socket: Socket): void {
    const same = this.sockets.get(socket.id);
    const at = same?.indexOf(socket) ?? -1;
    if (same === undefined || at < 0) return;
    same.splice(at, 1);
    if (same.length === 0) this.sockets.delete(socket.id);
    this.count -= 1;
  }

  *[Symbol.iterator](): IterableIterator<Socket> {
    for (const same of [...this.sockets.values()]) yield* [...same];
  }
}
