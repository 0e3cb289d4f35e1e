import { describe, expect, it } from 'vitest';

import { Random, SeededScheduler } from '../../../host/machine/index.js';
import { channelBetween, guestOn, machineFor } from './support.js';

describe('Random', () => {
  it('repeats itself from a seed and stays in its bounds', () => {
    const [a, b, c] = [new Random(5), new Random(5), new Random(6)];
    const draw = (random: Random): number[] => Array.from({ length: 20 }, () => random.u32());
    expect(draw(a)).toEqual(draw(b));
    expect(draw(a)).not.toEqual(draw(c));
    const seen = new Set(Array.from({ length: 2000 }, () => a.between(3, 6)));
    expect([...seen].sort()).toEqual([3, 4, 5, 6]);
    expect(Array.from({ length: 100 }, () => a.chance(0))).not.toContain(true);
    expect(Array.from({ length: 100 }, () => a.chance(1))).not.toContain(false);
    expect(a.shuffle([1, 2, 3, 4, 5]).sort()).toEqual([1, 2, 3, 4, 5]);
    expect([7, 8]).toContain(a.pick([7, 8]));
  });
});

describe('SeededScheduler', () => {
  const orderOf = async (seed: number): Promise<number[]> => {
    const scheduler = new SeededScheduler(seed);
    const order: number[] = [];
    for (let task = 0; task < 20; task++) scheduler.defer(() => order.push(task));
    await scheduler.run(() => order.length === 20);
    return order;
  };

  it('runs all tasks, in an order that is the function of the seed', async () => {
    const first = await orderOf(1);
    expect(await orderOf(1)).toEqual(first);
    expect(await orderOf(2)).not.toEqual(first);
    expect(first).not.toEqual([...first].sort((a, b) => a - b));
  });

  it('keeps virtual time, and cancels', async () => {
    const scheduler = new SeededScheduler(1);
    const times: number[] = [];
    scheduler.after(60_000, () => times.push(scheduler.now()));
    scheduler.after(10, () => times.push(scheduler.now()));
    scheduler.after(20, () => times.push(-1))();
    await scheduler.run(() => times.length === 2);
    expect(times).toEqual([10, 60_000]);
  });

  it('lets promises settle between tasks', async () => {
    const scheduler = new SeededScheduler(1);
    let done = false;
    scheduler.defer(() => {
      void Promise.resolve()
        .then(() => Promise.resolve())
        .then(() => scheduler.defer(() => (done = true)));
    });
    await scheduler.run(() => done);
    expect(scheduler.steps).toBe(2);
  });

  it('names the seed when it runs dry, goes on too long, or a task throws', async () => {
    const dry = new SeededScheduler(41);
    await expect(dry.run(() => false)).rejects.toThrow('seed 41, step 0, 0 ms: ran dry');
    const long = new SeededScheduler(42);
    const again = (): void => long.defer(again);
    again();
    await expect(long.run(() => false, { maxSteps: 50 })).rejects.toThrow('seed 42, step 50');
    await expect(long.run(() => false, { maxTimeMs: 5 })).rejects.toThrow('virtual time');
    const broken = new SeededScheduler(43);
    broken.defer(() => {
      throw new Error('oh');
    });
    await expect(broken.run(() => false)).rejects.toThrow(
      'seed 43, step 1, 0 ms: a task threw: oh',
    );
  });
});

describe('a machine on a seeded scheduler', () => {
  /** Two domains throw events at each other; what is seen, in order. */
  const play = async (seed: number): Promise<string[]> => {
    const scheduler = new SeededScheduler(seed);
    const machine = machineFor({ seed, scheduler });
    const [a, b] = [guestOn(machine, 'a'), guestOn(machine, 'b')];
    const trace: string[] = [];
    for (let channel = 0; channel < 4; channel++) {
      const [toB, toA] = channelBetween(a, b);
      let left = 10;
      a.events.on(toB, () => {
        trace.push(`a${toB}`);
        if (left-- > 0) a.hypercalls.evtchn_send(toB);
      });
      b.events.on(toA, () => {
        trace.push(`b${toA}`);
        scheduler.defer(() => b.hypercalls.evtchn_send(toA));
      });
    }
    await scheduler.run(() => trace.length >= 60);
    trace.push(JSON.stringify(machine.counters()));
    return trace;
  };

  it('does the same for the same seed, and other things for others', async () => {
    const first = await play(11);
    expect(await play(11)).toEqual(first);
    expect(await play(12)).not.toEqual(first);
  });
});
