/**
 * Makes runs from a seed: a setup, and operations drawn by weights. The weights of the mutations
 * are drawn anew every so often, and most of them are 0 then: a run in which everything lies all
 * the time dies young, and sees nothing.
 */
import { RING_ORDER_DEFAULT } from '../../assembly/wire/abi.js';
import { ARENA_FRAMES_MAX } from './memory.js';
import { OPS, isMutation, type OpName, type Setup } from './ops.js';
import { Random } from '../../host/machine/index.js';

const EPOCH = 256; // operations with the same weights

/** How often, against each other, the operations that are no mutations come. */
const WEIGHTS: Partial<Record<OpName, number>> = {
  socket: 10,
  connect: 12,
  bind: 3,
  listen: 3,
  accept: 8,
  poll: 4,
  close: 8,
  abort: 2,
  send: 20,
  recv: 20,
  order: 1,
  upcall: 40,
  event: 10,
  time: 4,
  events: 30,
  start: 16,
  stop: 0.2,
  ask: 1,
  refuse: 0.3,
  answer: 60,
  produce: 16,
  consume: 16,
  end: 1,
  notify: 3,
  unmap: 1,
  die: 0.2,
  store: 0,
  follow: 0,
};
/** With xenstore, there is more to be done before anything is connected. */
const XENBUS_WEIGHTS: Partial<Record<OpName, number>> = {
  store: 80,
  follow: 40,
  ask: 6,
  die: 0,
  stop: 1,
};
/** Mutations that leave the device alive, and may come often; of the others, a few are enough. */
const HARMLESS: readonly OpName[] = ['data-byte', 'info-bit', 'index-any', 'ring-slot'];
/** Share of operations that are mutations. */
const MUTATIONS = 0.5;

export class Generator {
  private readonly random: Random;
  readonly setup: Setup;
  /** Ends of the ranges of 32-bit numbers that stand for each operation. */
  private readonly ends = new Float64Array(OPS.length);
  private left = 0;

  constructor(seed: number) {
    this.random = new Random(seed);
    this.setup = this.drawSetup();
  }

  /** Puts operation and numbers into `op`. */
  next(op: Uint32Array): void {
    if (this.left-- === 0) this.drawWeights();
    const { random, ends } = this;
    const point = random.u32();
    let number = 0;
    while (point >= ends[number]!) number++;
    op[0] = number;
    op[1] = random.u32();
    op[2] = random.u32();
    op[3] = random.u32();
  }

  private drawSetup(): Setup {
    const { random } = this;
    const v7 = random.chance(0.3);
    const orders = v7 ? [RING_ORDER_DEFAULT, 0, 1, 2] : [RING_ORDER_DEFAULT, 1, 1, 2, 3];
    return {
      frames: random.between(32, ARENA_FRAMES_MAX),
      sockets: random.between(1, 16),
      v7,
      x86: random.chance(0.5),
      reuse: random.chance(0.4),
      upcalls: random.chance(0.7),
      xenbus: random.chance(0.25),
      ringOrder: random.pick(orders),
      commandTimeoutMs: random.pick([0, 0, 50, 1000]),
      closeTimeoutMs: random.pick([0, 20, 1000]),
      firstIndex: random.pick([0, 0xffff_f000, random.u32()]),
    };
  }

  private drawWeights(): void {
    const { random, setup } = this;
    this.left = EPOCH - 1;
    const weights = OPS.map((name, op) => {
      if (!isMutation(op)) {
        const own = setup.xenbus ? XENBUS_WEIGHTS[name] : undefined;
        return (own ?? WEIGHTS[name] ?? 0) * random.between(1, 3);
      }
      if (name.startsWith('store') && !setup.xenbus) return 0;
      if (HARMLESS.includes(name)) return random.pick([0, 1, 3]);
      if (name === 'store-node') return random.pick([0, 0.01, 0.1]);
      if (setup.xenbus && random.chance(0.7)) return 0; // it takes long to get anywhere at all
      return random.pick([0, 0, 0, 0.003, 0.03, 0.2]);
    });
    let wanted = 0;
    let rest = 0;
    weights.forEach((weight, op) => {
      if (isMutation(op)) wanted += weight;
      else rest += weight;
    });
    const share = wanted === 0 ? 0 : MUTATIONS / wanted;
    const other = (wanted === 0 ? 1 : 1 - MUTATIONS) / rest;
    let sum = 0;
    weights.forEach((weight, op) => {
      sum += weight * (isMutation(op) ? share : other);
      this.ends[op] = sum * 2 ** 32;
    });
    this.ends[OPS.length - 1] = 2 ** 32;
  }
}
