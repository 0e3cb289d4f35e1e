/**
 * The PV Calls backend of one domain: finds devices under its backend directory, serves each, and
 * shuts all of them down. Spec: pvcalls, "XenStore".
 * Guests share nothing here but the socket layer and the policy.
 */
import diagnostics from 'node:diagnostics_channel';
import { EventEmitter } from 'node:events';
import type { RingLayout, RingRules } from './data-ring.js';
import { Device, type DeviceFault, type DeviceInfo } from './device.js';
import { safePolicy } from './dispatcher.js';
import { DEFAULT_QUOTAS, type Quotas } from './guest.js';
import type { DomainView, MachineView, StoreView } from './machine-view.js';
import { NodeSocketLayer } from './node-net.js';
import { denyAll, type Policy, type PolicyCall } from './policy.js';
import { rulesOf, type BackendMode, type Rules } from './rules.js';
import type { SocketLayer } from './socket-layer.js';
import { SpliceLayer } from './splice-layer.js';

export interface BackendOptions {
  /** The domain that the backend runs in. Default 0. */
  domid?: number;
  /** Where calls end. Default: node:net. */
  layer?: SocketLayer;
  /** Join the rings of guests that connect to each other, without the layer. Default true. */
  splice?: boolean;
  /** Default: connect and bind are denied with -EACCES. */
  policy?: Policy;
  /** Largest data ring offered, as log2 of its pages. Default 9; 4 in `linux` mode. */
  maxPageOrder?: number;
  /** Dialect spoken with frontends. Default 'v1'. */
  layout?: RingLayout;
  /** 'linux' behaves as Linux's pvcalls-back does, defects included. Default 'full'. */
  mode?: BackendMode;
  /** Limits per guest; see Quotas. */
  quotas?: Partial<Quotas>;
  /** Keep mappings that were released with `reuse`. Default true. */
  keepReused?: boolean;
  /** How long `close` waits for frontends, in milliseconds. Default 1000. */
  closeTimeoutMs?: number;
}

export interface PolicyDecision {
  readonly call: PolicyCall;
  /** 0: allowed. */
  readonly verdict: number;
}

interface BackendEvents {
  fault: [DeviceFault];
  policy: [PolicyDecision];
}

/** Messages: `{ event: 'fault', ...DeviceFault }` and `{ event: 'policy', ...PolicyDecision }`. */
const channel = diagnostics.channel('pvcalls:backend');

/** Serves every frontend that the toolstack attached to the backend's domain. */
export function createBackend(machine: MachineView, options: BackendOptions = {}): Backend {
  return new Backend(machine, options);
}

export class Backend extends EventEmitter<BackendEvents> implements AsyncDisposable {
  private readonly domid: number;
  private readonly base: string;
  private readonly store: StoreView;
  private readonly domain: DomainView;
  private readonly layer: SocketLayer;
  private readonly rules: Rules;
  private readonly ringRules: RingRules;
  private readonly decide: (call: PolicyCall) => number;
  /** By "<frontend domid>/<devid>". */
  private readonly served = new Map<string, Device>();
  private readonly stale = new Set<string>();
  private closing: Promise<void> | undefined;

  /** Use createBackend. */
  constructor(
    private readonly machine: MachineView,
    private readonly options: BackendOptions,
  ) {
    super();
    this.domid = options.domid ?? 0;
    this.base = `/local/domain/${this.domid}/backend/pvcalls`;
    this.domain = machine.domain(this.domid);
    const layer = options.layer ?? new NodeSocketLayer();
    const spliced = options.splice ?? true;
    this.layer = spliced ? new SpliceLayer(layer, machine.scheduler) : layer;
    this.rules = rulesOf(options.mode ?? 'full');
    this.ringRules = ringRulesOf(this.rules, options);
    const policy = safePolicy(options.policy ?? denyAll, (error) => this.reportPolicy(error));
    this.decide = (call) => this.report(call, policy(call));
    this.store = machine.store.connect(this.domid);
    this.store.watch(this.base, 'devices', (path) => this.refresh(path));
  }

  /** Every device served now. */
  devices(): readonly DeviceInfo[] {
    return [...this.served.values()].map((device) => device.info());
  }

  /** Closes all sockets, then all devices in the protocol's shutdown order, then the store. */
  close(): Promise<void> {
    this.closing ??= this.shutdown();
    return this.closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /**
   * Ends as a process that is killed: sockets, mappings and ports go, and nothing is said in
   * xenstore, where the next backend finds the devices as they stood.
   */
  kill(): void {
    if (this.closing !== undefined) return;
    this.closing = Promise.resolve();
    this.store.unwatch(this.base, 'devices');
    for (const [key, device] of this.served) this.forget(key, device);
    this.store.close();
  }

  private async shutdown(): Promise<void> {
    const devices = [...this.served.values()];
    this.store.unwatch(this.base, 'devices');
    for (const device of devices) device.disconnect();
    const cancel = this.machine.scheduler.after(this.options.closeTimeoutMs ?? 1000, () => {
      for (const device of devices) device.finishShutdown();
    });
    await Promise.all(devices.map((device) => new Promise<void>((done) => device.shutdown(done))));
    cancel();
    for (const [key, device] of this.served) this.forget(key, device);
    this.store.close();
  }

  /** Something under the backend directory changed, maybe by our own hand; looked at later. */
  private refresh(path: string): void {
    const [domid, devid] = path.slice(this.base.length + 1).split('/');
    const key = domid && devid ? `${domid}/${devid}` : '';
    if (this.stale.size === 0) this.machine.scheduler.defer(() => this.refreshStale());
    this.stale.add(key);
  }

  private refreshStale(): void {
    const keys = this.stale.has('')
      ? new Set([...this.served.keys(), ...this.listDevices()])
      : new Set(this.stale);
    this.stale.clear();
    if (this.closing !== undefined) return;
    for (const key of keys) this.refreshDevice(key);
  }

  private listDevices(): string[] {
    return this.directory(this.base).flatMap((domid) =>
      this.directory(`${this.base}/${domid}`).map((devid) => `${domid}/${devid}`),
    );
  }

  private refreshDevice(key: string): void {
    const backendPath = `${this.base}/${key}`;
    const device = this.served.get(key);
    const frontendPath = this.read(`${backendPath}/frontend`);
    if (frontendPath === undefined) {
      if (device !== undefined) this.forget(key, device);
    } else if (device === undefined) {
      this.serve(key, backendPath, frontendPath);
    }
  }

  private serve(key: string, backendPath: string, frontendPath: string): void {
    const [domid, devid] = key.split('/').map(Number);
    if (!Number.isInteger(domid) || !Number.isInteger(devid)) return;
    const device = new Device(
      this.store,
      backendPath,
      frontendPath,
      {
        layout: this.ringRules.layout,
        maxOrder: this.ringRules.maxOrder,
        offersReset: this.rules.extensions,
      },
      devid!,
      {
        machine: this.machine,
        domain: this.domain,
        domid: domid!,
        layer: this.layer instanceof SpliceLayer ? this.layer.forDevice() : this.layer,
        rules: this.rules,
        ringRules: this.ringRules,
        quotas: { ...DEFAULT_QUOTAS, ...this.options.quotas },
        keepsReused: this.options.keepReused ?? true,
        decide: this.decide,
      },
      (fault) => this.reportFault(fault),
    );
    this.served.set(key, device);
    this.store.watch(`${frontendPath}/state`, key, () => {
      this.machine.scheduler.defer(() => {
        if (this.served.get(key) === device) device.handleFrontend();
      });
    });
  }

  private forget(key: string, device: Device): void {
    this.served.delete(key);
    device.disconnect();
    this.store.unwatch(`${device.frontendPath}/state`, key);
  }

  private report(call: PolicyCall, verdict: number): number {
    const decision = { call, verdict };
    if (channel.hasSubscribers) channel.publish({ event: 'policy', ...decision });
    this.emitSafely('policy', decision);
    return verdict;
  }

  private reportPolicy(error: unknown): void {
    const reason = `the policy threw, and so denied: ${String(error)}`;
    this.reportFault({ domid: this.domid, devid: 0, reason });
  }

  private reportFault(fault: DeviceFault): void {
    if (channel.hasSubscribers) channel.publish({ event: 'fault', ...fault });
    this.emitSafely('fault', fault);
  }

  /** A listener's exception is the listener's: it surfaces, but not inside an event of a guest. */
  private emitSafely<K extends keyof BackendEvents>(name: K, argument: BackendEvents[K][0]): void {
    try {
      (this as EventEmitter).emit(name, argument);
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  }

  private directory(path: string): string[] {
    try {
      return this.store.directory(path);
    } catch {
      return [];
    }
  }

  private read(path: string): string | undefined {
    try {
      return this.store.read(path);
    } catch {
      return undefined;
    }
  }
}

function ringRulesOf(rules: Rules, options: BackendOptions): RingRules {
  const layout = options.layout ?? 'v1';
  const minOrder = layout === 'v1' && rules.refusesOrderZero ? 1 : 0;
  const maxOrder = options.maxPageOrder ?? rules.maxOrder;
  if (!Number.isInteger(maxOrder) || maxOrder < minOrder || maxOrder > rules.maxOrder) {
    throw new RangeError(
      `createBackend: maxPageOrder is ${maxOrder}; this layout and mode take ${minOrder} to ` +
        `${rules.maxOrder}`,
    );
  }
  return { layout, maxOrder, minOrder, badOrder: rules.badOrder };
}
