import { describe, expect, it } from 'vitest';

import { LoopScheduler } from '../../../host/machine/index.js';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('LoopScheduler', () => {
  it('runs what is deferred in order, later, and once', async () => {
    const scheduler = new LoopScheduler();
    const ran: number[] = [];
    for (let task = 0; task < 5; task++) scheduler.defer(() => ran.push(task));
    expect(ran).toEqual([]);
    await turn();
    expect(ran).toEqual([0, 1, 2, 3, 4]);
  });

  it('never runs a task inside the one that deferred it', async () => {
    const scheduler = new LoopScheduler();
    const order: string[] = [];
    scheduler.defer(() => {
      scheduler.defer(() => order.push('inner'));
      order.push('outer');
    });
    await turn();
    expect(order).toEqual(['outer', 'inner']);
  });

  it('lets the event loop go on while two ends answer each other for ever', async () => {
    const scheduler = new LoopScheduler();
    let hops = 0;
    let ending = false;
    const answer = (): void => {
      hops += 1;
      if (!ending) scheduler.defer(answer);
    };
    scheduler.defer(answer);
    for (let i = 0; i < 10; i++) await turn();
    ending = true;
    await turn();
    expect(hops).toBeGreaterThan(10);
    expect(hops).toBeLessThan(10_000);
  });
});
