/** What the lines rely on: a byte that the core writes where it may not is seen. */
import { describe, expect, it } from 'vitest';
import { PAGE_SIZE } from '../../assembly/wire/page.js';
import { World } from './world.js';

/** Makes the core write its counters at `where`, as an embedder that lies could. */
function violationsAfterWritingAt(where: (world: World) => number): string[] {
  const world = World.create({});
  const at = where(world);
  world.core.call((core) => core.counters(at));
  world.core.guard?.end();
  const found = world.core.guard?.violations ?? [];
  world.machine.close();
  return found;
}

describe('the guard sees a write', () => {
  it.each([
    ['behind the arena', ({ core }: World) => core.arena.end],
    ['before the arena', ({ core }: World) => core.arena.start - 4],
    ['into another guest', ({ neighbour }: World) => neighbour.core.arena.start],
    ['into shared_info beside the event bits', ({ core }: World) => core.domain.sharedInfo + 3000],
    ['into the page of xenstored', ({ core }: World) => core.domain.storePage + 1024],
    ["into Xen's tables", () => 8 * PAGE_SIZE],
    ['into domain 0', ({ machine }: World) => machine.domain(0).firstFrame * PAGE_SIZE],
    ['into free memory', ({ machine }: World) => machine.memory.buffer.byteLength - 64],
  ])('%s', (_name, where) => {
    expect(violationsAfterWritingAt(where)).toHaveLength(1);
  });

  it('and says nothing of one that is allowed', () => {
    expect(violationsAfterWritingAt(({ core }) => core.arena.end - PAGE_SIZE)).toEqual([]);
  });
});
