/** What a seed decides about its world before anything runs. */
import { Random, type Architecture } from '../../host/machine/index.js';
import type { BackendMode } from '../../host/backend/index.js';

export interface Plan {
  readonly seed: number;
  readonly layout: 'v1' | 'v7';
  readonly architecture: Architecture;
  readonly mode: BackendMode;
  readonly orders: readonly number[];
  readonly firstIndex: number;
  readonly reuse: boolean;
  readonly keepReused: boolean;
  readonly commandTimeoutMs: number;
  /** Longest step of the network, in milliseconds. */
  readonly delayMaxMs: number;
  /** Bytes that the network holds per direction. */
  readonly capacity: number;
  readonly connectFailures: number;
  /** Besides the guest that does everything: a second one, and a frontend that is not ours. */
  readonly second: boolean;
  readonly foreign: boolean;
  /** Guests that call each other are joined ring to ring. */
  readonly splice: boolean;
}

export function planOf(seed: number): Plan {
  const random = new Random(seed * 8 + 1);
  const layout = random.pick(['v1', 'v7'] as const);
  const smallest = layout === 'v7' ? 0 : 1;
  const near = 2 ** 32 - random.between(1, 20_000);
  return {
    seed,
    layout,
    architecture: random.pick(['arm64', 'x86-64'] as const),
    mode: random.chance(0.2) ? 'linux' : 'full',
    orders: random.pick([[smallest], [1], [smallest, 1, 2], [1, 2, 3]]),
    firstIndex: random.pick([0, near, random.u32()]),
    reuse: random.chance(0.5),
    keepReused: random.chance(0.7),
    commandTimeoutMs: random.pick([0, 600_000]),
    delayMaxMs: random.pick([0, 1, 5, 20]),
    capacity: random.pick([1024, 5000, 16_384, 65_536]),
    connectFailures: random.pick([0, 0.05, 0.2]),
    second: random.chance(0.3),
    foreign: random.chance(0.5),
    splice: random.chance(0.5),
  };
}
