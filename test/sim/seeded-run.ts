/** Runs the mixed workload in the world of a seed. */
import { countRun, type Counts } from './counts.js';
import type { Env } from './env.js';
import { busy, outlive } from './outlive.js';
import type { Plan } from './plan.js';
import { SeededWorld, type WorldOptions } from './seeded-world.js';
import { mixed } from './workload.js';

export interface SeedResult {
  readonly plan: Plan;
  readonly counts: Counts;
  /** The same for the same run. */
  readonly trace: string;
}

export async function runSeed(seed: number, options?: WorldOptions): Promise<SeedResult> {
  return inWorld(
    seed,
    async (world) => {
      const { machine, backend, plan, trace } = world;
      await world.newTenant();
      if (plan.second) await world.newTenant();
      const envs = world.tenants.map(({ env }) => env);
      const [first] = envs as [Env];
      const work = envs.map((env) => mixed(env, env === first ? envs : [env]));
      if (plan.foreign) work.push(world.foreignWork());
      await world.during(Promise.all(work));
      const cores = world.tenants.map(({ guest }) => guest.counters());
      const works = envs.map(({ counts }) => counts);
      const counts = countRun(machine, backend, works, cores);
      await world.close();
      return { plan, counts, trace: trace.hash };
    },
    options,
  );
}

/** The backend goes in the middle of everything, and another one comes. */
export async function runRestart(seed: number, options?: WorldOptions): Promise<void> {
  await inWorld(
    seed,
    async (world) => {
      const { env } = await world.newTenant();
      const work = outlive(env);
      work.catch(() => undefined); // awaited below
      await world.scheduler.run(() => busy(world.backend));
      await world.during(world.backend.close());
      world.backend = world.newBackend();
      await world.during(work);
      await world.close();
    },
    options,
  );
}

/** What fails in the world says where the world stood. */
export async function inWorld<T>(
  seed: number,
  run: (world: SeededWorld) => Promise<T>,
  options: WorldOptions = {},
): Promise<T> {
  const world = await SeededWorld.create(seed, options);
  try {
    return await run(world);
  } catch (error) {
    const message = `${(error as Error).message}\n${report(world)}`;
    throw new Error(message, { cause: error });
  }
}

/** Where the world stood. */
function report(world: SeededWorld): string {
  const running = world.tenants.map(
    ({ env, guest }) => `guest ${guest.domid}, ${guest.state}: ${[...env.running].join(', ')}`,
  );
  const faults = world.backend.devices().flatMap(({ faults }) => faults);
  const store = world.machine.store.connect(0);
  const states = world.machine.store
    .paths()
    .filter((path) => path.endsWith('/state'))
    .map((path) => `${path} = ${store.read(path)}`);
  store.close();
  const wrong = faults.map((fault) => `fault: ${fault}`);
  const lines = ['not over:', ...running, ...wrong, 'xenbus states:', ...states];
  return [...lines, 'the last hypercalls:', world.trace.tail()].join('\n');
}
