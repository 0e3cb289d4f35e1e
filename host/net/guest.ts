/**
 * A guest: one core in one domain, its device, its sockets.
 *
 * A guest runs on the thread that creates it. In a thread of its own, open the machine there and
 * pass the domain that the creating thread has made.
 *
 * A backend that goes takes the sockets with it: each is told EIO. The core connects to the next
 * one by itself, and listeners bind again there. A guest that is restored gets a new core.
 */
import {
  DEVICE_CLOSED,
  DEVICE_CONNECTED,
  DEVICE_DOWN,
  DEVICE_FAILED,
  FAULT_NONE,
} from '../../assembly/wire/abi.js';
import { EIO, ENETDOWN } from '../../assembly/wire/errno.js';
import { AF_INET, SOCK_STREAM } from '../../assembly/wire/inet.js';
import { Driver, type EventSink } from '../core/driver.js';
import { callError, PeerFaultError } from '../core/errors.js';
import { instantiateCore } from '../core/load.js';
import type { Domain, Machine } from '../machine/index.js';
import { checkAddress } from './address.js';
import type { Endpoint } from './endpoint.js';
import { GuestListener } from './listener.js';
import {
  CLOSE_TIMEOUT_MS,
  DEVICE_STATES,
  type ConnectOptions,
  type CoreOptions,
  type DeviceState,
  type ListenOptions,
} from './options.js';
import { Scratch, type GuestCounters } from './scratch.js';
import { ConnectingSocket, type GuestSocket } from './socket.js';

export class Guest implements EventSink {
  /** @internal Where structs pass into the core and out of it. */
  readonly scratch: Scratch;
  /** Called when the device changes state; `error` says why it is closed, down or failed. */
  onDevice: ((state: DeviceState, error: Error | undefined) => void) | undefined;
  /** How often the device has been connected: 1, and more after backend or guest came back. */
  lives = 0;
  private current!: Driver;
  private readonly endpoints = new Map<number, Endpoint>();
  private readonly listeners = new Set<GuestListener>();
  private deviceState = DEVICE_DOWN;
  private deviceError: Error | undefined;
  private fatal: Error | undefined;
  private suspended = false;
  private stateWaiters: (() => void)[] = [];
  private closing: Promise<void> | undefined;

  /** Use createGuest. */
  constructor(
    readonly machine: Machine,
    private home: Domain,
    private readonly core: WebAssembly.Module,
    private readonly options: CoreOptions,
    /** Undoes what creating the guest did beside this object. */
    private readonly dispose: () => Promise<void>,
  ) {
    this.scratch = new Scratch(machine, home);
    this.begin();
  }

  /** Its domain; another object after it was restored. */
  get domain(): Domain {
    return this.home;
  }

  /** @internal Enters the core. */
  get driver(): Driver {
    return this.current;
  }

  /** @internal */
  get bytes(): Uint8Array {
    return this.scratch.bytes;
  }

  /** @internal */
  get words(): Int32Array {
    return this.scratch.words;
  }

  /** @internal */
  get spansAt(): number {
    return this.scratch.spansAt;
  }

  /** @internal */
  get addressAt(): number {
    return this.scratch.addressAt;
  }

  /** Why the device will not come back by itself; undefined while it may. */
  get failure(): Error | undefined {
    return this.fatal;
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

  /**
   * Resolves when the device is connected, now or when a backend has come. Rejects when there will
   * be none: when the backend broke the protocol or cannot be used, the guest is closed, or with
   * the signal.
   */
  async connected(signal?: AbortSignal): Promise<this> {
    while (this.deviceState !== DEVICE_CONNECTED || this.suspended) {
      if (this.fatal !== undefined) throw this.fatal;
      if (this.closing !== undefined) throw new Error('the guest is closed; create another');
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

  /**
   * Binds and listens at an address of the backend, and again at every backend that comes after
   * this one; see GuestListener.
   */
  async listen(options: ListenOptions): Promise<GuestListener> {
    checkAddress('listen', options);
    const listener = new GuestListener(this, options);
    await listener.start(options.signal);
    return listener;
  }

  /**
   * Stops the guest where it stands, as its kernel does before it is saved: no event is handled and
   * nobody is told anything until resume(). Who writes or closes meanwhile reaches the rings as
   * they stand, and is not to do so once the domain is saved.
   */
  suspend(): void {
    if (this.suspended || this.closing !== undefined) return;
    this.suspended = true;
    this.driver.stop();
    this.domain.stop();
  }

  /**
   * Goes on after suspend(). When the domain was restored meanwhile (Machine.restoreDomain), its
   * ports and grants are gone, and so is all that the core knew: sockets end with EIO, a new core
   * begins in the same memory, and listeners bind again. Else nothing was lost.
   * Resolves when the device is connected; rejects as connected() does.
   */
  async resume(signal?: AbortSignal): Promise<this> {
    if (this.suspended) {
      this.suspended = false;
      if (this.domain.alive) this.goOn();
      else this.beginAgain();
    }
    return this.connected(signal);
  }

  /** What the core has counted since it started. */
  counters(): GuestCounters {
    this.driver.enter((core) => core.counters(this.scratch.countersAt));
    return this.scratch.readCounters();
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

  /** @internal A listener that is to be closed with the guest. */
  keep(listener: GuestListener): void {
    this.listeners.add(listener);
  }

  /** @internal */
  letGo(listener: GuestListener): void {
    this.listeners.delete(listener);
  }

  /** @internal */
  device(state: number, fault: number, value: number): void {
    this.deviceState = state;
    this.deviceError = undefined;
    this.fatal = undefined;
    if (state === DEVICE_CONNECTED) this.lives += 1;
    if (state === DEVICE_CLOSED || state === DEVICE_FAILED) {
      if (fault !== FAULT_NONE) this.fatal = new PeerFaultError(fault, value);
      this.deviceError = this.fatal ?? new Error('the PV Calls backend has closed the device');
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
  closed(handle: number, result: number): void {
    const endpoint = this.endpoints.get(handle);
    this.endpoints.delete(handle);
    endpoint?.handleClosed(result);
  }

  /** @internal Nothing of ours asks xenstore through the core. */
  store(): void {}

  /** @internal */
  died(cause: unknown): void {
    this.deviceState = DEVICE_FAILED;
    this.fatal = new Error('the core has trapped; this is a bug of pvcalls', { cause });
    this.deviceError = this.fatal;
    const endpoints = [...this.endpoints.values()];
    this.endpoints.clear();
    for (const endpoint of endpoints) endpoint.handleGone(this.fatal);
    this.tellState();
  }

  private tellState(): void {
    const waiters = this.stateWaiters;
    this.stateWaiters = [];
    for (const resolve of waiters) resolve();
    this.onDevice?.(this.state, this.deviceError);
  }

  /** A core in its first state: in the memory of the domain, with nothing but xenstore. */
  private begin(): void {
    const { machine, domain, scratch } = this;
    const exports = instantiateCore(this.core, machine.memory, domain.hypercalls);
    const { memory, scheduler } = machine;
    this.current = new Driver(exports, memory, scratch.eventAt, scheduler, this);
    scratch.writeInit(machine, domain, this.options);
    const result = this.driver.enter((core) => core.init(scratch.initAt));
    if (result < 0) {
      const remedy = 'give the domain more frames, or fewer sockets';
      throw callError('init', result, undefined, remedy);
    }
    domain.start(this.driver.handleUpcall);
    this.driver.call((core) => core.xenbus_start());
  }

  /** The domain was not saved after all. */
  private goOn(): void {
    this.driver.start();
    this.domain.start(this.driver.handleUpcall);
  }

  private beginAgain(): void {
    const endpoints = [...this.endpoints.values()];
    this.endpoints.clear();
    this.home = this.machine.domain(this.domid);
    this.deviceState = DEVICE_DOWN;
    this.deviceError = undefined;
    this.fatal = undefined;
    this.begin();
    for (const endpoint of endpoints) {
      endpoint.handleLost(callError('resume', -EIO, undefined, 'its backend is gone'));
    }
    this.tellState();
  }

  /** @internal A new socket of the core. Throws ENETDOWN while there is no backend, ENFILE, … */
  open(syscall: string): number {
    if (this.deviceState === DEVICE_FAILED && this.deviceError) throw this.deviceError;
    if (this.suspended) throw callError(syscall, -ENETDOWN);
    const handle = this.driver.call((core) => core.socket(AF_INET, SOCK_STREAM, 0));
    if (handle < 0) throw callError(syscall, handle);
    return handle;
  }

  /** @internal */
  setRingOrder(syscall: string, { handle }: Endpoint, order: number | undefined): void {
    if (order === undefined) return;
    const result = this.driver.call((core) => core.set_ring_order(handle, order));
    if (result >= 0) return;
    const remedy = `ring order ${order} is more than the backend allows, or none at all`;
    throw callError(syscall, result, undefined, remedy);
  }

  /** @internal What was started, or nothing left of it. */
  async orClosed<T extends Endpoint>(
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
      const onAbort = (): void => {
        this.stateWaiters = this.stateWaiters.filter((other) => other !== wake);
        reject(signal?.reason as Error);
      };
      const wake = (): void => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      this.stateWaiters.push(wake);
    });
  }

  /** Each of the two steps takes as long as close() may: the backend need not answer. */
  private async shutDown(): Promise<void> {
    if (this.suspended) void this.resume().catch(() => undefined); // to close in order
    const open = [...this.listeners, ...this.endpoints.values()];
    const closed = Promise.allSettled(open.map((each) => each.close()));
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
