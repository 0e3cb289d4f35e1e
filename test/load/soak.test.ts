/** The soak of `npm run test:long`, for as long as `npm test` has time. */
import { expect, it } from 'vitest';
import { inMiB, soak } from './soak.js';

const SECONDS = 3;
/** Three seconds are not enough for the compilers of the engine to be done. */
const HEAP_GROWTH_MAX = 12 << 20;

it(`${SECONDS} seconds at full speed leave nothing behind, and memory as it was`, async () => {
  const { account, heapGrowth, complaints } = await soak({
    seconds: SECONDS,
    samples: 24,
    heapGrowthMax: HEAP_GROWTH_MAX,
  });
  const { bytes, trips, sockets, aborted } = account;
  console.log(`${inMiB(bytes)}, ${sockets} sockets; heap ${inMiB(heapGrowth)} more`);
  expect(complaints).toEqual([]);
  expect(Math.min(trips, sockets, aborted)).toBeGreaterThan(0);
});
