/** Runs: from a seed, or from a trace; and makes a trace that fails as short as it goes. */
import { Coverage } from './coverage.js';
import { Generator } from './generator.js';
import { FuzzMemory } from './memory.js';
import { OPS, type Op, type Setup, type Trace } from './ops.js';
import { World } from './world.js';

/** Operations of one run. */
export const RUN_STEPS = 4096;
const TRIES_MAX = 2000;

const memory = new FuzzMemory();

/** A run that failed: how to see it again. */
export class Failure extends Error {
  constructor(
    readonly seed: number,
    readonly step: number,
    readonly trace: Trace,
    cause: unknown,
  ) {
    super(`seed ${seed}, step ${step}: ${describe(cause)}`, { cause });
  }
}

const describe = (error: unknown): string =>
  error instanceof Error ? `${error.constructor.name}: ${error.message}` : String(error);

/** One run of a seed. `told` hears of every step before it is done. Throws a Failure. */
export function runSeed(
  module: WebAssembly.Module,
  seed: number,
  coverage: Coverage,
  told: (step: number) => void = () => undefined,
): void {
  const generator = new Generator(seed);
  const ops = new Uint32Array(RUN_STEPS * 4);
  const op = new Uint32Array(4);
  let step = 0;
  try {
    const world = new World(module, memory, generator.setup, coverage);
    for (; step < RUN_STEPS && !world.over; step++) {
      generator.next(op);
      ops.set(op, step * 4);
      told(step);
      world.step(op[0]!, op[1]!, op[2]!, op[3]!);
    }
    world.finish();
  } catch (cause) {
    const done = Math.min(step + 1, RUN_STEPS);
    const trace = { what: describe(cause), setup: generator.setup, ops: decode(ops, done) };
    throw new Failure(seed, step, trace, cause);
  }
  coverage.runs++;
  coverage.steps += step;
}

/** Runs a trace to its end. Throws what it finds. */
export function runTrace(module: WebAssembly.Module, { setup, ops }: Trace): void {
  const world = new World(module, memory, setup, new Coverage());
  for (const [name, a, b, c] of ops) world.step(OPS.indexOf(name), a, b, c);
  world.finish();
}

/** The same failure with fewer operations: whole parts are left out as long as it still fails. */
export function shrink(module: WebAssembly.Module, trace: Trace): Trace {
  let { ops, what } = trace;
  let tries = 0;
  for (let part = ops.length >>> 1; part > 0 && tries < TRIES_MAX;) {
    let shorter = false;
    for (let from = 0; from < ops.length && tries < TRIES_MAX; tries++) {
      const fewer = [...ops.slice(0, from), ...ops.slice(from + part)];
      const found = failureOf(module, trace.setup, fewer);
      if (found === undefined || kindOf(found) !== kindOf(trace.what)) {
        from += part;
        continue;
      }
      ops = fewer;
      what = found;
      shorter = true;
    }
    if (!shorter || part > 1) part >>>= 1;
  }
  return { what, setup: trace.setup, ops };
}

function failureOf(
  module: WebAssembly.Module,
  setup: Setup,
  ops: readonly Op[],
): string | undefined {
  try {
    runTrace(module, { what: '', setup, ops });
    return undefined;
  } catch (error) {
    return describe(error);
  }
}

/** What a failure says, without its numbers. */
const kindOf = (what: string): string => what.replace(/-?\d+/g, 'N');

function decode(ops: Uint32Array, count: number): Op[] {
  return Array.from({ length: count }, (_, step): Op => {
    const [op, a, b, c] = ops.subarray(step * 4, step * 4 + 4);
    return [OPS[op!]!, a!, b!, c!];
  });
}
