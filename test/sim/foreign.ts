/**
 * A frontend that is not ours, in a seeded world: written by hand, with the pages of its data rings
 * scattered over its memory in no order, where the core's lie side by side.
 */
import { OUT_CONS, OUT_PROD } from '../../assembly/wire/data-ring.js';
import { XENBUS_STATE_CLOSED, XENBUS_STATE_CLOSING } from '../../assembly/wire/xenbus.js';
import { ECONNREFUSED, EHOSTUNREACH, ETIMEDOUT } from '../../assembly/wire/errno.js';
import type { Address } from '../../host/index.js';
import { Random } from '../../host/machine/index.js';
import { TestGuest } from '../host/backend/test-guest.js';
import { TestRing } from '../host/backend/test-ring.js';
import { downId, encodeHeader, type Talk } from './conversation.js';
import type { Claim } from './ledger.js';
import { check, patternOf } from './pattern.js';
import type { Plan } from './plan.js';

/** What a network may do to a connect. */
const BAD_LUCK = [-ECONNREFUSED, -ETIMEDOUT, -EHOSTUNREACH];

/** Calls of a foreign frontend: what each wants, and what became of it. */
export interface ForeignWork {
  readonly server: Address;
  readonly talks: readonly Talk[];
  readonly claims: Claim[];
}

export class ForeignGuest extends TestGuest {
  /** Waits without a clock: watches say when. */
  override backendReaches(state: number): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (this.backendState() !== state) return;
        this.store.unwatch(`${this.backendPath}/state`, 'foreign');
        resolve();
      };
      this.store.watch(`${this.backendPath}/state`, 'foreign', look);
    });
  }

  /** Connects, makes all calls at once, and closes. */
  async work(plan: Plan, { server, talks, claims }: ForeignWork): Promise<void> {
    const random = new Random(plan.seed * 8 + 5);
    this.giveFrames(this.takeFrames(random.between(1, 40))); // another order for every seed
    await this.connect(plan.layout === 'v7' ? {} : { version: '1' }, plan.firstIndex);
    await Promise.all(
      talks.map(async (talk, i) => {
        await this.talk(BigInt(i), talk, plan, server, random.pick(plan.orders));
        claims.push({ id: talk.id, sent: talk.mode === 'down' ? 0 : talk.length, whole: true });
      }),
    );
    this.setState(XENBUS_STATE_CLOSING);
    await this.backendReaches(XENBUS_STATE_CLOSING);
    if (this.unpublish() !== 0) throw new Error('the backend still maps the command ring');
    this.setState(XENBUS_STATE_CLOSED);
    await this.backendReaches(XENBUS_STATE_CLOSED);
    this.store.close();
  }

  private async talk(
    socket: bigint,
    talk: Talk,
    plan: Plan,
    { host, port }: Address,
    order: number,
  ): Promise<void> {
    const ring = new TestRing(this, order, plan.layout, plan.firstIndex);
    const made = await this.socket(socket);
    if (made !== 0) throw new Error(`socket of the foreign frontend: ${made}`);
    for (;;) {
      const connected = await this.connectTo(socket, ring, port, host);
      if (connected === 0) break;
      if (BAD_LUCK.includes(connected)) continue;
      throw new Error(`connect of the foreign frontend: ${connected}`);
    }
    await ring.write(encodeHeader(talk));
    const { mode, id, length } = talk;
    await Promise.all([
      mode === 'down' ? undefined : ring.write(patternOf(id, 0, length)),
      mode === 'up' ? undefined : this.receive(ring, downId(talk), length),
    ]);
    if (mode === 'up') await this.taken(ring);
    const released = await this.release(socket);
    if (released !== 0) throw new Error(`release of the foreign frontend: ${released}`);
    ring.free();
  }

  private async receive(ring: TestRing, id: number, count: number): Promise<void> {
    for (let have = 0; have < count;) {
      const bytes = await ring.read(count - have);
      if (bytes.length === 0) throw new Error(`ended after ${have} of ${count} bytes`);
      check(bytes, id, have);
      have += bytes.length;
    }
  }

  /** Until the backend has taken everything: version 1 has no event for that. */
  private async taken(ring: TestRing): Promise<void> {
    const { scheduler } = this.machine;
    while (ring.load(OUT_CONS) !== ring.load(OUT_PROD)) {
      await new Promise<void>((resolve) => void scheduler.after(5, resolve));
    }
  }
}
