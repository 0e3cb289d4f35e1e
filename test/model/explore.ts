/** Explorations of the ring code: in the module as it is, or in a mutant of it. */
import { readFileSync } from 'node:fs';

import type { CoreExports } from '../../host/core/exports.js';
import { commandPeer, type CommandPeerOptions } from './command-peers.js';
import { CommandWorld, type RingExports } from './command-world.js';
import { CoreWorld, type CoreOptions } from './core-world.js';
import { DataWorld, type DataExports, type DataOptions, type Direction } from './data-world.js';
import { Explorer, type Findings, type World } from './explorer.js';
import { HostileCommands, HostileData, type HostileDataExports } from './hostile-world.js';

/** The traced core. */
export const CORE = new URL('../../build/test/traced.wasm', import.meta.url).pathname;
/** The traced build of test/assembly/rings-entry.ts. */
export const RINGS = new URL('../../build/test/traced-rings.wasm', import.meta.url).pathname;

/** As much memory as test/assembly/rings-entry.ts wants. */
const newMemory = () => new WebAssembly.Memory({ initial: 2, maximum: 65536, shared: true });

/** Instantiates the module at `path`, lets `begin` have its exports, and explores from there. */
function explore<Exports>(path: string, world: World, begin: (exports: Exports) => void): Findings {
  const explorer = new Explorer(world);
  const module = new WebAssembly.Module(readFileSync(path));
  const imports = { env: { memory: world.memory }, order: { before: explorer.before } };
  begin(new WebAssembly.Instance(module, imports).exports as unknown as Exports);
  return explorer.explore();
}

export interface CommandOptions extends CommandPeerOptions {
  /** Whether the peer has a full barrier after each store: see peer-cpu.ts. */
  readonly ordered: boolean;
  /** Whether the driver may put requests between two takes. */
  readonly eager: boolean;
}

/** Throws a Violation when a property of the command ring does not hold. */
export function exploreCommandRing(options: CommandOptions, path = RINGS): Findings {
  const { ordered, eager } = options;
  let core: RingExports | undefined;
  const peer = commandPeer(options);
  const world = new CommandWorld(newMemory(), () => core!, peer, ordered, eager);
  return explore<RingExports>(path, world, (exports) => {
    core = exports;
    core.command_init();
  });
}

/** Throws a Violation when a property of a data ring does not hold. */
export function exploreDataRing(options: DataOptions, path = RINGS): Findings {
  let core: DataExports | undefined;
  const world = new DataWorld(newMemory(), () => core!, options);
  return explore<DataExports>(path, world, (exports) => {
    core = exports;
    core.data_init(options.size);
  });
}

/** Throws a Violation when a peer that says anything can make the command ring do harm. */
export function exploreHostileCommands(path = RINGS): Findings {
  let core: RingExports | undefined;
  return explore<RingExports>(path, new HostileCommands(newMemory(), () => core!), (exports) => {
    core = exports;
    core.command_init();
  });
}

/** The same of one direction of a data ring of `size` bytes. */
export function exploreHostileData(direction: Direction, size: number, path = RINGS): Findings {
  let core: HostileDataExports | undefined;
  const world = new HostileData(newMemory(), () => core!, size, direction);
  return explore<HostileDataExports>(path, world, (exports) => {
    core = exports;
    core.data_init(size);
  });
}

/** Throws a Violation when the scenario of core-world.ts can go wrong. */
export function exploreCore(options: CoreOptions, path = CORE): Findings {
  let explorer: Explorer | undefined; // none while the device starts
  const world = new CoreWorld(options, () => explorer?.point());
  const before: Explorer['before'] = (...access) => explorer?.before(...access);
  const module = new WebAssembly.Module(readFileSync(path));
  const hypercalls = { ...world.hypercalls };
  const imports = { env: { memory: world.memory }, order: { before }, hypercalls };
  world.begin(new WebAssembly.Instance(module, imports).exports as unknown as CoreExports);
  const findings = (explorer = new Explorer(world)).explore();
  if (world.ends === 0) throw new Error('no run came to its end');
  return findings;
}
