/**
 * One PV Calls device of one guest: its state in xenbus and, while Connected, its connection.
 * Invariant: there is a connection exactly in state Connected. Nothing here throws into an event.
 */
import { XENBUS_STATE_CLOSED } from '../../assembly/wire/xenbus.js';
import { Connection, type ConnectionOptions } from './connection.js';
import { newRingCount, type CommandCount, type RingCount } from './counters.js';
import type { StoreView } from './machine-view.js';
import type { CommandName } from './requests.js';
import type { InetAddress } from './socket-layer.js';
import type { Socket } from './sockets.js';
import { XenbusDevice, type Features } from './xenbus.js';

export interface SocketInfo {
  /** The guest's id, in decimal. */
  readonly id: string;
  readonly state: 'created' | 'connecting' | 'active' | 'binding' | 'bound' | 'listening';
  /** The peer of an active socket, the own address of a passive one. */
  readonly address?: InetAddress;
  /** Active only. */
  readonly ringOrder?: number;
  readonly ring?: RingCount;
  /** Passive only: connections not accepted, and requests that wait for one. */
  readonly pending?: number;
  readonly waiting?: number;
}

export interface DeviceInfo {
  readonly domid: number;
  readonly devid: number;
  /** xenbus state of the backend. */
  readonly state: number;
  readonly sockets: readonly SocketInfo[];
  readonly mappedPages: number;
  /** Requests taken and not answered. */
  readonly outstanding: number;
  readonly commands: Readonly<Partial<Record<CommandName, CommandCount>>>;
  /** Notifications of the command ring. */
  readonly notifications: { readonly sent: number; readonly received: number };
  /** All data rings of this connection together, released ones too. */
  readonly rings: RingCount;
  /** The first 32. */
  readonly faults: readonly string[];
}

export interface DeviceFault {
  readonly domid: number;
  readonly devid: number;
  readonly reason: string;
  /** The socket, when only one is concerned. */
  readonly id?: bigint;
}

const FAULTS_KEPT = 32;

export class Device {
  private readonly xenbus: XenbusDevice;
  private connection: Connection | undefined;
  /** The last one, for reports after it closed. */
  private last: Connection | undefined;
  private readonly faults: string[] = [];

  constructor(
    store: StoreView,
    backendPath: string,
    frontendPath: string,
    features: Features,
    private readonly devid: number,
    private readonly options: Omit<ConnectionOptions, 'failed' | 'socketFault'>,
    private readonly reportFault: (fault: DeviceFault) => void,
  ) {
    this.xenbus = new XenbusDevice(store, backendPath, frontendPath, features, {
      connect: ({ ringRef, port }) => this.connect(ringRef, port),
      disconnect: () => this.disconnect(),
      fault: (reason) => this.fault(reason),
    });
  }

  get frontendPath(): string {
    return this.xenbus.frontendPath;
  }

  get closed(): boolean {
    return this.xenbus.state === XENBUS_STATE_CLOSED;
  }

  /** The frontend's state may have changed. */
  handleFrontend(): void {
    try {
      this.xenbus.handleFrontend();
    } catch (error) {
      this.fault(`xenstore: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  /** Closes sockets, rings and ports at once; the xenbus state does not change. */
  disconnect(): void {
    this.connection?.close();
    this.connection = undefined;
  }

  /** Shutdown as the protocol draws it; `done` when both sides are closed. */
  shutdown(done: () => void): void {
    try {
      this.xenbus.shutdown(done);
    } catch {
      done(); // the store is gone, and with it everybody who could be told
    }
  }

  /** Ends a shutdown whose frontend did not answer. */
  finishShutdown(): void {
    try {
      this.xenbus.finishShutdown();
    } catch {
      // As above.
    }
  }

  /** Kept and reported, up to a limit: no guest fills the logs of the host. */
  fault(text: string, id?: bigint): void {
    const last = this.faults.length === FAULTS_KEPT - 1;
    if (this.faults.length === FAULTS_KEPT) return;
    const reason = last ? `${text}; more of this device are not reported` : text;
    this.faults.push(reason);
    const { devid } = this;
    const fault = { domid: this.options.domid, devid, reason };
    this.reportFault(id === undefined ? fault : { ...fault, id });
  }

  info(): DeviceInfo {
    const last = this.last;
    const connection = this.connection;
    return {
      domid: this.options.domid,
      devid: this.devid,
      state: this.xenbus.state,
      sockets: connection === undefined ? [] : [...connection.sockets].map(socketInfo),
      mappedPages: connection?.mappedPages ?? 0,
      outstanding: connection?.outstanding ?? 0,
      commands: last?.commands.snapshot() ?? {},
      notifications: { ...(last?.notifications ?? { sent: 0, received: 0 }) },
      rings: last?.ringTotals() ?? newRingCount(),
      faults: [...this.faults],
    };
  }

  private connect(ringRef: number, port: number): string | undefined {
    const connection = Connection.open(
      {
        ...this.options,
        failed: (reason) => this.xenbus.fail(reason),
        socketFault: (id, reason) => this.fault(`socket ${id}: ${reason}`, id),
      },
      ringRef,
      port,
    );
    if (typeof connection === 'string') return connection;
    this.connection = connection;
    this.last = connection;
    return undefined;
  }
}

function socketInfo({ id, state }: Socket): SocketInfo {
  const common = { id: String(id) };
  switch (state.kind) {
    case 'created':
      return { ...common, state: 'created' };
    case 'connecting':
    case 'binding':
      return { ...common, state: state.kind, address: state.address };
    case 'active':
      return {
        ...common,
        state: 'active',
        address: state.address,
        ringOrder: state.channel.ring.order,
        ring: { ...state.channel.counts },
      };
    case 'passive':
      return {
        ...common,
        state: state.listening ? 'listening' : 'bound',
        address: state.address,
        pending: state.pending.length,
        waiting: state.accepts.length + state.polls.length,
      };
  }
}
