/** A running instance as plain data: what `ls` shows. */
import type {
  DeviceInfo,
  GrantStatus,
  GuestCounters,
  MachineCounters,
  PortStatus,
  StoreClient,
} from '../index.js';
import { stateName } from './timeline.js';
import { VERSION } from './version.js';
import type { World } from './world.js';

export interface DomainSnapshot {
  readonly domid: number;
  readonly name: string;
  /** Frames of 4 KiB. */
  readonly frames: number;
  readonly grants: readonly GrantStatus[];
  readonly ports: readonly PortStatus[];
  /** Of guests: what their core has counted. */
  readonly counters?: GuestCounters;
}

export interface DeviceSnapshot extends Omit<DeviceInfo, 'state'> {
  /** xenbus states of both ends, by name. */
  readonly backend: string;
  readonly frontend: string;
}

export interface Snapshot {
  readonly pid: number;
  readonly version: string;
  /** The verb and its arguments. */
  readonly command: readonly string[];
  readonly upSeconds: number;
  readonly machine: MachineCounters;
  readonly domains: readonly DomainSnapshot[];
  readonly devices: readonly DeviceSnapshot[];
  /** xenstore: values by path. */
  readonly store: Readonly<Record<string, string>>;
}

export async function takeSnapshot(world: World, command: readonly string[]): Promise<Snapshot> {
  const counters = new Map<number, GuestCounters>();
  for (const crew of world.crews) {
    const all = await crew.counters();
    crew.domids.forEach((domid, i) => counters.set(domid, all[i]!));
  }
  const store = world.machine.store.connect(0);
  try {
    const values = storeValues(store);
    return {
      pid: process.pid,
      version: VERSION,
      command,
      upSeconds: Math.round(process.uptime()),
      machine: world.machine.counters(),
      domains: world.machine.domains().map((domain) => {
        const counted = counters.get(domain.domid);
        return {
          domid: domain.domid,
          name: domain.name,
          frames: domain.frameCount,
          grants: domain.grants(),
          ports: domain.ports(),
          ...(counted !== undefined && { counters: counted }),
        };
      }),
      devices: world.backend.devices().map(({ state, ...device }) => {
        const path = `/local/domain/${device.domid}/device/pvcalls/${device.devid}/state`;
        const frontend = stateName(Number(values[path] ?? 0));
        return { ...device, backend: stateName(state), frontend };
      }),
      store: values,
    };
  } finally {
    store.close();
  }
}

/** Values of all nodes that have one. */
function storeValues(store: StoreClient): Record<string, string> {
  const values: Record<string, string> = {};
  const visit = (path: string): void => {
    const children = store.directory(path === '' ? '/' : path);
    const value = path === '' ? '' : store.read(path);
    if (value !== '' || (children.length === 0 && path !== '')) values[path] = value;
    for (const child of children.sort()) visit(`${path}/${child}`);
  };
  visit('');
  return values;
}
