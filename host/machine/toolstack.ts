/**
 * The toolstack's part: the device nodes of PV Calls in xenstore, as `xl` writes them. Either end
 * owns its directory and lets the other read it. Spec: pvcalls, "Xenstore"; libxl's device code.
 */
import {
  XENBUS_STATE_CLOSED,
  XENBUS_STATE_CLOSING,
  XENBUS_STATE_INITIALISING,
} from '../../assembly/wire/xenbus.js';
import type { Machine } from './machine.js';
import type { StoreClient } from './xenstored/client.js';
import { StoreError } from './xenstored/errors.js';

/** As long as libxl waits for a device to close. */
const CLOSE_TIMEOUT_MS = 10_000;

export interface PvcallsDevice {
  /** Domid of the guest. */
  frontend: number;
  /** Domid of the domain that makes the calls. */
  backend: number;
  /** Default 0. */
  devid?: number;
}

export interface DetachOptions {
  /** Removes the nodes at once, whatever state the two ends are in. */
  forced?: boolean;
  /** Default 10,000. */
  timeoutMs?: number;
}

interface DevicePaths {
  readonly frontend: string;
  readonly backend: string;
}

function pathsOf({ frontend, backend, devid = 0 }: PvcallsDevice): DevicePaths {
  return {
    frontend: `/local/domain/${frontend}/device/pvcalls/${devid}`,
    backend: `/local/domain/${backend}/backend/pvcalls/${frontend}/${devid}`,
  };
}

/** Creates the device. Result: the paths of its two directories. Throws when it exists. */
export function attachPvcalls(machine: Machine, device: PvcallsDevice): DevicePaths {
  const { frontend, backend } = device;
  machine.domain(frontend); // throws for a domain that is not there
  machine.domain(backend);
  const paths = pathsOf(device);
  const toolstack = machine.store.connect(0);
  try {
    toolstack.transaction((transaction) => {
      if (transaction.exists(paths.frontend)) {
        throw new Error(`attachPvcalls: ${paths.frontend} exists; detach it or take another devid`);
      }
      const initialising = String(XENBUS_STATE_INITIALISING);
      transaction.mkdir(paths.frontend);
      transaction.setPerms(paths.frontend, [`n${frontend}`, `r${backend}`]);
      transaction.mkdir(paths.backend);
      transaction.setPerms(paths.backend, [`n${backend}`, `r${frontend}`]);
      transaction.write(`${paths.frontend}/backend`, paths.backend);
      transaction.write(`${paths.frontend}/backend-id`, String(backend));
      transaction.write(`${paths.frontend}/state`, initialising);
      transaction.write(`${paths.backend}/frontend`, paths.frontend);
      transaction.write(`${paths.backend}/frontend-id`, String(frontend));
      transaction.write(`${paths.backend}/online`, '1');
      transaction.write(`${paths.backend}/state`, initialising);
    });
  } finally {
    toolstack.close();
  }
  return paths;
}

/**
 * Asks the backend to close the device, waits until both ends are Closed, and removes the nodes.
 * Rejects with an Error when they take too long; then `forced` is left.
 */
export async function detachPvcalls(
  machine: Machine,
  device: PvcallsDevice,
  options: DetachOptions = {},
): Promise<void> {
  const paths = pathsOf(device);
  const toolstack = machine.store.connect(0);
  try {
    if (options.forced !== true) {
      requestClose(toolstack, paths);
      await bothClosed(machine, toolstack, paths, options.timeoutMs ?? CLOSE_TIMEOUT_MS);
    }
    removeNodes(toolstack, paths);
  } finally {
    toolstack.close();
  }
}

function requestClose(toolstack: StoreClient, { backend }: DevicePaths): void {
  toolstack.transaction((transaction) => {
    if (!transaction.exists(`${backend}/state`)) return;
    transaction.write(`${backend}/online`, '0');
    if (stateOf(transaction, backend) === XENBUS_STATE_CLOSED) return;
    transaction.write(`${backend}/state`, String(XENBUS_STATE_CLOSING));
  });
}

function bothClosed(
  machine: Machine,
  toolstack: StoreClient,
  paths: DevicePaths,
  timeoutMs: number,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const check = (): void => {
      const states = [stateOf(toolstack, paths.backend), stateOf(toolstack, paths.frontend)];
      if (states.some((state) => state !== XENBUS_STATE_CLOSED)) return;
      cancel();
      resolve();
    };
    const cancel = machine.scheduler.after(timeoutMs, () => {
      const states = [paths.backend, paths.frontend].map((path) => stateOf(toolstack, path));
      reject(
        new Error(
          `detachPvcalls: ${paths.frontend} is not closed after ${timeoutMs} ms (backend ` +
            `${states[0]}, frontend ${states[1]}); pass forced to remove it all the same`,
        ),
      );
    });
    toolstack.watch(`${paths.backend}/state`, 'detach', check);
    toolstack.watch(`${paths.frontend}/state`, 'detach', check);
  });
}

/** The xenbus state of one end; a directory that is gone counts as closed. */
function stateOf(store: Pick<StoreClient, 'read'>, path: string): number {
  try {
    return Number(store.read(`${path}/state`));
  } catch (error) {
    if (error instanceof StoreError && error.code === 'ENOENT') return XENBUS_STATE_CLOSED;
    throw error;
  }
}

/** Removes both directories and the empty ones above them, up to `device` and `backend`. */
function removeNodes(toolstack: StoreClient, { frontend, backend }: DevicePaths): void {
  toolstack.transaction((transaction) => {
    for (const [path, levels] of [[frontend, 1] as const, [backend, 2] as const]) {
      if (!transaction.exists(path)) continue;
      transaction.rm(path);
      let above = path;
      for (let level = 0; level < levels; level++) {
        above = above.slice(0, above.lastIndexOf('/'));
        if (transaction.directory(above).length === 0) transaction.rm(above);
      }
    }
  });
}
