/**
 * One death at one moment. A guest transfers in every direction; after so many steps its backend
 * goes, in one of the ways there are, and another one comes. Whoever waited must have been told,
 * with an error that says so; then all of it must work again, with the same listener.
 */
import type { GuestListener, GuestSocket } from '../../host/index.js';
import { attachPvcalls, detachPvcalls } from '../../host/machine/index.js';
import { XENBUS_STATE_CLOSED } from '../../assembly/wire/xenbus.js';
import { call } from './calls.js';
import type { Talk } from './conversation.js';
import { codeOf, type Env } from './env.js';
import { inWorld } from './seeded-run.js';
import type { SeededWorld, Tenant } from './seeded-world.js';
import { answer } from './services.js';
import { ringSize } from './transfer.js';

const LENGTH = 3000; // bytes each way of each call
const SILENCE_MS = 700_000; // longer than any deadline of a plan
const PATIENCE_MS = 100;
const TRIES = 10;

/** What a call may say when the backend has gone from under it. */
const GONE = ['EIO', 'ENETDOWN', 'EBADF'];
const GIVEN_UP = [...GONE, 'ETIMEDOUT'];

/** Ends the backend, and has another in its place when the promise resolves. */
type Death = (world: SeededWorld, tenant: Tenant | undefined) => Promise<void>;

const nodes = (world: SeededWorld) => world.machine.store.connect(0);
const DEVICE = { frontend: 2, backend: 0 }; // domain 1 is a bystander
const BACKEND_STATE = `/local/domain/0/backend/pvcalls/${DEVICE.frontend}/0/state`;

export const DEATHS = {
  /** In the order of the protocol. */
  'closes in order': async (world) => {
    await world.during(world.backend.close());
    world.backend = world.newBackend();
  },
  /** Nothing is said; the nodes stay as they were, until the next one writes them. */
  'is killed and started again at once': async (world) => {
    world.backend.kill();
    world.backend = world.newBackend();
    await Promise.resolve();
  },
  /** Nobody is there and nobody says so: deadlines are all that ends. */
  'is killed, and another comes long after': async (world) => {
    world.backend.kill();
    await world.during(pause(world, SILENCE_MS));
    world.backend = world.newBackend();
  },
  /** The toolstack tidies up after a driver domain that was destroyed. */
  'is destroyed and its device removed': async (world) => {
    world.backend.kill();
    await world.during(detachPvcalls(world.machine, DEVICE, { forced: true }));
    await world.during(pause(world, PATIENCE_MS));
    attachPvcalls(world.machine, DEVICE);
    world.backend = world.newBackend();
  },
  /** Its state jumps to Closed. */
  'is said to be closed': async (world) => {
    world.backend.kill();
    const store = nodes(world);
    store.write(BACKEND_STATE, String(XENBUS_STATE_CLOSED));
    store.close();
    await world.during(pause(world, PATIENCE_MS));
    world.backend = world.newBackend();
  },
  /** Its state vanishes, which is Unknown. */
  'loses its state node': async (world) => {
    world.backend.kill();
    const store = nodes(world);
    store.rm(BACKEND_STATE);
    store.close();
    await world.during(pause(world, PATIENCE_MS));
    world.backend = world.newBackend();
  },
  /** Another one comes, and dies while the guest connects to it. */
  'dies again while the guest reconnects': async (world) => {
    for (let steps = 3; steps < 60; steps += 19) {
      world.backend.kill();
      world.backend = world.newBackend();
      const from = world.scheduler.steps;
      await world.scheduler.run(() => world.scheduler.steps >= from + steps);
    }
  },
  /** Not the backend but the guest: saved and restored, its ports and grants gone. */
  'stays, but the guest is suspended and restored': async (world, tenant) => {
    if (tenant !== undefined) await world.moveTenant(tenant);
  },
} satisfies Record<string, Death>;

export type DeathName = keyof typeof DEATHS;

/** What became of one run. */
export interface Outcome {
  /** Steps of the scheduler until everything was over, when nobody died. */
  readonly steps: number;
  /** How each call ended: 'done', or the code of its error. */
  readonly codes: string[];
}

/** Dies after `step` steps; `step` undefined: does not die. */
export function runDeath(seed: number, name: DeathName, step?: number): Promise<Outcome> {
  return inWorld(
    seed,
    async (world) => {
      const { scheduler } = world;
      const from = scheduler.steps;
      let tenant: Tenant | undefined;
      const ready = world.startTenant().then((started) => (tenant = started));
      const life = ready.then(({ env }) => transfers(env));
      let over = false;
      const codes = life.then(({ ends }) => ends).finally(() => (over = true));
      codes.catch(() => undefined); // awaited below
      if (step !== undefined) {
        await scheduler.run(() => over || scheduler.steps >= from + step);
        await DEATHS[name](world, tenant);
      }
      const outcome = { codes: await world.during(codes), steps: scheduler.steps - from };
      checkCodes(name, outcome.codes, step === undefined);
      await world.during(again(await ready, await life));
      await world.close();
      return outcome;
    },
    { plan: { connectFailures: 0 } },
  );
}

interface Life {
  readonly ends: string[];
  readonly listener: GuestListener;
  readonly host: string;
  /** Connections of the listener; one is always waited for. */
  readonly accepted: { next: Promise<GuestSocket> };
}

/** Calls in all directions, to the outside and to a listener of the guest, all at once. */
async function transfers(env: Env): Promise<Life> {
  const host = env.ownHost();
  const ringOrder = env.orders[0]!;
  const listener = await listenAnyway(env, host);
  const accepted = { next: listener.accept() };
  accepted.next.catch(() => undefined); // looked at in again()
  const modes = ['echo', 'down', 'up', 'both'] as const;
  const calls = modes.map((mode) => call(env, mode, { mode, length: LENGTH }));
  const served = serveOne(env, listener, accepted, host, ringOrder);
  const ends = await Promise.allSettled([...calls, served]);
  const codes = ends.map((end) => (end.status === 'rejected' ? codeOf(end.reason) : 'done'));
  return { ends: codes, listener, host, accepted };
}

/** The backend may die while the listener is made: then there is none, and it is asked again. */
async function listenAnyway(env: Env, host: string): Promise<GuestListener> {
  const ringOrder = env.orders[0]!;
  for (;;) {
    await env.guest.connected();
    try {
      return await env.guest.listen({ host, port: 0, backlog: 4, ringOrder });
    } catch (error) {
      if (!GIVEN_UP.includes(codeOf(error))) throw error;
      env.counts.errors += 1;
    }
    await env.pause(1);
  }
}

/** A program outside calls the listener, unless nobody listens just now. */
async function serveOne(
  env: Env,
  listener: GuestListener,
  accepted: Life['accepted'],
  host: string,
  ringOrder: number,
): Promise<void> {
  const address = await env.locate(host).catch(() => undefined);
  if (address === undefined) return; // the backend has gone already
  env.dial(address, { mode: 'echo', id: env.newId(), length: LENGTH, after: 0 });
  const first = accepted.next;
  const done = new Promise<'lost'>((resolve) => (listener.onLost = () => resolve('lost')));
  if ((await Promise.race([first, done])) === 'lost') return; // `first` waits for another backend
  accepted.next = listener.accept();
  accepted.next.catch(() => undefined);
  await answer(env, 'serve', await first, ringSize(ringOrder));
}

/** Everything works: a call out, and a call in through the listener that lived before. */
async function again({ env, guest }: Tenant, life: Life): Promise<void> {
  const { listener, host, accepted } = life;
  const mode = 'echo';
  await persist(env, () => call(env, 'again', { mode, length: LENGTH }));
  await guest.connected();
  while (!listener.listening) await env.pause(1);
  const talk: Talk = { mode, id: env.newId(), length: LENGTH, after: 0 };
  env.dial(await env.locate(host), talk);
  for (let answered: Talk | undefined; answered?.id !== talk.id;) {
    // A connection that was accepted right before the end may be dead by now.
    answered = await answer(env, 'again', await accepted.next, ringSize(env.orders[0]!)).catch(
      () => undefined,
    );
    accepted.next = listener.accept();
    accepted.next.catch(() => undefined);
  }
  env.claims.push({ id: talk.id, sent: LENGTH, whole: true });
  await listener.close();
  const refused = await accepted.next.then(() => 'a connection', codeOf);
  if (refused !== 'EBADF') throw new Error(`accept on a closed listener: ${refused}`);
}

/** Until it is done; meanwhile the guest learns that its backend is another one. */
async function persist(env: Env, work: () => Promise<void>): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      return await work();
    } catch (error) {
      if (!GIVEN_UP.includes(codeOf(error)) || tries === TRIES) throw error;
      await env.pause(PATIENCE_MS);
    }
  }
}

function checkCodes(name: DeathName, codes: readonly string[], alive: boolean): void {
  const deadlines = name === 'is killed, and another comes long after';
  const known = alive ? [] : deadlines ? GIVEN_UP : GONE;
  const wrong = codes.find((code) => code !== 'done' && !known.includes(code));
  if (wrong !== undefined) throw new Error(`calls ended with ${codes.join(', ')}`);
}

function pause({ scheduler }: SeededWorld, ms: number): Promise<void> {
  return new Promise((resolve) => void scheduler.after(ms, resolve));
}
