/**
 * A guest: one core in one domain, its device, its sockets.
 *
 *   domain RAM   | scratch frame | arena: tables, rings ... |
 *
 * A guest runs on the thread that creates it. In a thread of its own, open the machine there and
 * pass the domain that the creating thread has made.
 */
import {
  ARCHITECTURE_ARM64,
  ARCHITECTURE_X86_64,
  COUNTER_EVENTS,
  COUNTER_FRAMES_FREE,
  COUNTER_LATE,
  COUNTER_LOST,
  COUNTER_NOTIFICATIONS,
  COUNTER_PARKED,
  COUNTER_REQUESTS,
  COUNTER_RESPONSES,
  COUNTER_SOCKETS,
  COUNTER_SPURIOUS,
  COUNTER_UNKNOWN,
  DEVICE_CLOSED,
  DEVICE_CONNECTED,
  DEVICE_DOWN,
  DEVICE_FAILED,
  FAULT_NONE,
  INIT_ARCHITECTURE,
  INIT_ARENA,
  INIT_CLOSE_TIMEOUT_MS,
  INIT_COMMAND_TIMEOUT_MS,
  INIT_FIRST_INDEX,
  INIT_FLAGS,
  INIT_FRAMES,
  INIT_REUSE,
  INIT_RING_ORDER,
  INIT_SHARED_INFO,
  INIT_SIZE,
  INIT_SOCKETS,
  INIT_STORE_PAGE,
  INIT_STORE_PORT,
  INIT_V7,
  RING_ORDER_DEFAULT,
} from '../../assembly/wire/abi.js';
import { AF_INET, SOCK_STREAM } from '../../assembly/wire/inet.js';
import { PAGE_SIZE } from '../../assembly/wire/page.js';
import { Driver, type EventSink } from '../core/driver.js';
import { callError, PeerFaultError } from '../core/errors.js';
import { instantiateCore } from '../core/load.js';
import type { Domain, Machine } from '../machine/index.js';
import { checkAddress, type Address } from './address.js';
import type { Endpoint } from './endpoint.js';
import { GuestListener } from './listener.js';
import { ConnectingSocket, type GuestSocket } from './socket.js';

export interface CoreOptions {
  /** Entries of the socket table, 1 to 4064. Default 512. */
  sockets?: number;
  /** Dialect: the shipped one, or design v7. Default 'v1'. */
  layout?: 'v1' | 'v7';
  /** Order of the data rings, 1 to 9 (v7: 0 to 9). Default: min(4, what the backend allows). */
  ringOrder?: number;
  /** Keep released rings and offer them again. Default false. */
  reuse?: boolean;
  /** Deadline of socket, connect, bind, listen and release; 0 for none. Default 0. */
  commandTimeoutMs?: number;
  /** How long close() waits for the backend to take what was written. Default 10,000. */
  closeTimeoutMs?: number;
  /** Tests only: where data-ring indices start. */
  firstIndex?: number;
}

export interface ConnectOptions extends Address {
  ringOrder?: number;
  signal?: AbortSignal | undefined;
}

export interface ListenOptions extends Address {
  /** Connections that may wait to be accepted. Default 128. */
  backlog?: number;
  /** Order of the rings of accepted connections. */
  ringOrder?: number;
  signal?: AbortSignal | undefined;
}

const CLOSE_TIMEOUT_MS = 10_000;
const EVENT_AT = 0;
const SPANS_AT = 64;
const ADDRESS_AT = 128;
const COUNTERS_AT = 256;
const INIT_AT = 512;

const COUNTERS = {
  requests: COUNTER_REQUESTS,
  responses: COUNTER_RESPONSES,
  notifications: COUNTER_NOTIFICATIONS,
  events: COUNTER_EVENTS,
  spurious: COUNTER_SPURIOUS,
  unknown: COUNTER_UNKNOWN,
  late: COUNTER_LATE,
  lost: COUNTER_LOST,
  parked: COUNTER_PARKED,
  framesFree: COUNTER_FRAMES_FREE,
  sockets: COUNTER_SOCKETS,
} as const;

export type GuestCounters = { [Name in keyof typeof COUNTERS]: number };
export type DeviceState = 'down' | 'connecting' | 'connected' | 'closing' | 'closed' | 'failed';
const DEVICE_STATES: readonly DeviceState[] = [
  'down',
  'connecting',
  'connected',
  'closing',
  'closed',
  'failed',
];

export class Guest implements EventSink {
  /** @internal Views and scratch addresses, for the sockets. */
  readonly bytes: Uint8Array;
  /** @internal */
  readonly words: Int32Array;
  /** @internal */
  readonly spansAt: number;
  /** @internal */
  readonly addressAt: number;
  /** @internal */
  readonly driver: Driver;
  /** Called when the device changes state; `error` says why it is closed, down or failed. */
  onDevice: ((state: DeviceState, error: Error | undefined) => void) | undefined;
  private readonly base: number;
  private readonly endpoints = new Map<number, Endpoint>();
  private deviceState = DEVICE_DOWN;
  private deviceError: Error | undefined;
  private stateWaiters: (() => void)[] = [];
  private closing: Promise<void> | undefined;

  /** Use createGuest. */
  constructor(
    readonly machine: Machine,
    readonly domain: Domain,
    core: WebAssembly.Module,
    private readonly options: CoreOptions,
    /** Undoes what creating the guest did beside this object. */
    private readonly dispose: () => Promise<void>,
  ) {
    this.bytes = new Uint8Array(machine.memory.buffer);
    this.words = new Int32Array(machine.memory.buffer);
    this.base = domain.firstFrame * PAGE_SIZE;
    this.spansAt = this.base + SPANS_AT;
    this.addressAt = this.base + ADDRESS_AT;
    const exports = instantiateCore(core, machine.memory, domain.hypercalls);
    const eventAt = this.base + EVENT_AT;
    this.driver = new Driver(exports, machine.memory, eventAt, machine.scheduler, this);
    this.writeInit(options);
    const result = this.driver.enter((core) => core.init(this.base + INIT_AT));
    if (result < 0) {
      const remedy = 'give the domain more frames, or fewer sockets';
      throw callError('init', result, undefined, remedy);
    }
    domain.start(this.driver.handleUpcall);
    this.driver.call((core) => core.xenbus_start());
  }

  private get closeTimeoutMs(): number {
    return this.options.closeTimeoutMs ?? CLOSE_TIMEOUT_MS;
  }

  get domid(): number {
    return this.domain.domid;
  }

  get state(): DeviceState {
    return DEVICE_STATES[this.deviceState]!;
  }

  /** Resolves when the device is connected. Rejects when it cannot be, or with the signal. */
  async connected(signal?: AbortSignal): Promise<this> {
    while (this.deviceState !== DEVICE_CONNECTED) {
      if (this.deviceError !== undefined) throw this.deviceError;
      await this.nextState(signal);
    }
    return this;
  }

  /** Connects to an address of the backend's world. Aborting it releases the socket. */
  async connect({ ringOrder, signal, ...address }: ConnectOptions): Promise<GuestSocket> {
    checkAddress('connect', address);
    const socket = new ConnectingSocket(this, this.open('connect'), address);
    return this.orClosed(socket, signal, async () => {
      this.setRingOrder('connect', socket, ringOrder);
      await socket.start(signal);
    });
  }

  /** Binds and listens at an address of the backend. */
  async listen(options: ListenOptions): Promise<GuestListener> {
    const { ringOrder, signal, backlog = 128, ...address } = options;
    checkAddress('listen', address);
    const listener = new GuestListener(this, this.open('listen'), address);
    return this.orClosed(listener, signal, async () => {
      this.setRingOrder('listen', listener, ringOrder);
      await listener.start(backlog, signal);
    });
  }

  /** What the core has counted since it started. */
  counters(): GuestCounters {
    const at = this.base + COUNTERS_AT;
    this.driver.enter((core) => core.counters(at));
    const read = (offset: number): number => this.words[(at + offset) >>> 2]! >>> 0;
    const entries = Object.entries(COUNTERS).map(([name, offset]) => [name, read(offset)]);
    return Object.fromEntries(entries) as GuestCounters;
  }

  /** Closes the sockets, then the device, then gives back what the guest was made of. */
  close(): Promise<void> {
    this.closing ??= this.shutDown();
    return this.closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** @internal */
  adopt(endpoint: Endpoint): void {
    this.endpoints.set(endpoint.handle, endpoint);
  }

  /** @internal */
  device(state: number, fault: number, value: number): void {
    this.deviceState = state;
    this.deviceError = undefined;
    if (state === DEVICE_CLOSED || state === DEVICE_FAILED) {
      this.deviceError =
        fault === FAULT_NONE
          ? new Error('the PV Calls device is closed; start the guest again')
          : new PeerFaultError(fault, value);
    }
    this.tellState();
  }

  /** @internal */
  done(handle: number, command: number, result: number): void {
    this.endpoints.get(handle)?.handleDone(command, result);
  }

  /** @internal */
  ready(handle: number, mask: number): void {
    this.endpoints.get(handle)?.handleReady(mask);
  }

  /** @internal */
  closed(handle: number): void {
    const endpoint = this.endpoints.get(handle);
    this.endpoints.delete(handle);
    endpoint?.handleGone();
  }

  /** @internal Nothing of ours asks xenstore through the core. */
  store(): void {}

  /** @internal */
  died(cause: unknown): void {
    this.deviceState = DEVICE_FAILED;
    this.deviceError = new Error('the core has trapped; this is a bug of pvcalls', { cause });
    for (const endpoint of this.endpoints.values()) endpoint.handleGone(this.deviceError);
    this.endpoints.clear();
    this.tellState();
  }

  private tellState(): void {
    const waiters = this.stateWaiters;
    this.stateWaiters = [];
    for (const resolve of waiters) resolve();
    this.onDevice?.(this.state, this.deviceError);
  }

  private writeInit(options: CoreOptions): void {
    const at = this.base + INIT_AT;
    const write = (offset: number, value: number): void => {
      this.words[(at + offset) >>> 2] = value;
    };
    this.bytes.fill(0, at, at + INIT_SIZE);
    write(INIT_ARENA, this.base + PAGE_SIZE);
    write(INIT_FRAMES, this.domain.frameCount - 1);
    write(INIT_SOCKETS, options.sockets ?? 512);
    write(INIT_FLAGS, (options.layout === 'v7' ? INIT_V7 : 0) | (options.reuse ? INIT_REUSE : 0));
    write(INIT_RING_ORDER, options.ringOrder ?? RING_ORDER_DEFAULT);
    write(INIT_SHARED_INFO, this.domain.sharedInfo);
    const arm = this.machine.architecture === 'arm64';
    write(INIT_ARCHITECTURE, arm ? ARCHITECTURE_ARM64 : ARCHITECTURE_X86_64);
    write(INIT_STORE_PAGE, this.domain.storePage);
    write(INIT_STORE_PORT, this.domain.storePort);
    write(INIT_COMMAND_TIMEOUT_MS, options.commandTimeoutMs ?? 0);
    write(INIT_CLOSE_TIMEOUT_MS, this.closeTimeoutMs);
    write(INIT_FIRST_INDEX, options.firstIndex ?? 0);
  }

  /** A new socket of the core. Throws ENETDOWN while the device is not connected, ENFILE, … */
  private open(syscall: string): number {
    if (this.deviceState === DEVICE_FAILED && this.deviceError) throw this.deviceError;
    const handle = this.driver.call((core) => core.socket(AF_INET, SOCK_STREAM, 0));
    if (handle < 0) throw callError(syscall, handle);
    return handle;
  }

  private setRingOrder(syscall: string, { handle }: Endpoint, order: number | undefined): void {
    if (order === undefined) return;
    const result = this.driver.call((core) => core.set_ring_order(handle, order));
    if (result >= 0) return;
    const remedy = `ring order ${order} is more than the backend allows, or none at all`;
    throw callError(syscall, result, undefined, remedy);
  }

  /** What was started, or nothing left of it. */
  private async orClosed<T extends Endpoint>(
    endpoint: T,
    signal: AbortSignal | undefined,
    start: () => Promise<void>,
  ): Promise<T> {
    try {
      await start();
      return endpoint;
    } catch (error) {
      // Nobody who has given up is kept waiting for a backend that may not answer.
      const over = endpoint.abort();
      if (signal?.aborted === true) over.catch(() => undefined);
      else await over;
      throw error;
    }
  }

  private nextState(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    return new Promise((resolve, reject) => {
      const onAbort = (): void => reject(signal?.reason as Error);
      signal?.addEventListener('abort', onAbort, { once: true });
      this.stateWaiters.push(() => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      });
    });
  }

  /** Each of the two steps takes as long as close() may: the backend need not answer. */
  private async shutDown(): Promise<void> {
    const closed = Promise.all([...this.endpoints.values()].map((endpoint) => endpoint.close()));
    let cancel: () => void = () => undefined;
    const late = new Promise<void>((resolve) => {
      cancel = this.machine.scheduler.after(this.closeTimeoutMs, resolve);
    });
    await Promise.race([closed, late]);
    cancel();
    if (this.deviceState !== DEVICE_FAILED || this.endpoints.size > 0) {
      this.driver.call((core) => core.xenbus_stop());
      while (this.state !== 'closed' && this.state !== 'down' && this.state !== 'failed') {
        await this.nextState();
      }
    }
    this.driver.stop();
    this.domain.stop();
    await this.dispose();
  }
}
