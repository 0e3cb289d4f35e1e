/** The data path on real sockets: every workload in the thread of the machine, and in a worker. */
import { describe, it } from 'vitest';
import { runHere, runThere } from './guests.js';
import { RealWorld, type RealOptions } from './real-world.js';
import type { WorkloadName } from './workloads.js';

const TIMEOUT_MS = 60_000;

const cases: [string, WorkloadName, Partial<RealOptions>][] = [
  ['echoes every size around the edges of its rings, order 1 to 4', 'edges', {}],
  ['echoes every size around the edges of a v7 ring of one page', 'edges', { layout: 'v7' }],
  ['echoes every size around the edges of a ring of order 9', 'edges of order 9', {}],
  ['carries 64 MiB each way at the same time', 'bulk', {}],
  ['peeks at bytes without taking them', 'peek', {}],
  ['peeks at bytes of a v7 ring', 'peek', { layout: 'v7' }],
  ['still sends when the other end has finished', 'half-close', {}],
  ['delivers all that was sent right before close()', 'send and close', {}],
  ['learns that the other end has reset the connection', 'reset', {}],
  ['takes a reset for no end, even behind bytes that it has not read', 'cut', {}],
];

describe.each([
  ['on the thread of the machine', runHere],
  ['in a worker', runThere],
])('a guest %s', (_, run) => {
  it.each(cases)('%s', { timeout: TIMEOUT_MS }, async (_, workload, options) => {
    const world = await RealWorld.open({ seed: 1, memoryMiB: 8, ...options });
    await run(world, workload);
    await world.close();
  });
});
