/** A peer as a machine of places: each place does one thing to shared memory and names the next. */
import type { Step } from './explorer.js';

export interface Place<Name extends string> {
  /** Whether it can go on from here; it sleeps, or waits for a barrier, until then. */
  readonly when?: () => boolean;
  /** In how many ways, 1 by default. */
  readonly ways?: () => number;
  readonly go: (way: number) => Name;
}

const WAYS_MAX = 8;
const NOTHING: readonly Step[] = [];

/** Steps of a machine whose place is `own.pc`; the first place is 0. */
export function machine<Name extends string>(
  own: { pc: number },
  places: Record<Name, Place<Name>>,
): () => readonly Step[] {
  const names = Object.keys(places) as Name[];
  const list = names.map((name) => places[name]);
  const index = new Map(names.map((name, at) => [name, at]));
  const steps = names.map((name) =>
    Array.from({ length: WAYS_MAX + 1 }, (_, ways) =>
      Array.from({ length: ways }, (_, way): Step => {
        const run = () => (own.pc = index.get(places[name].go(way))!);
        return { name: ways === 1 ? name : `${name}, way ${way + 1} of ${ways}`, run };
      }),
    ),
  );
  return () => {
    const { when, ways } = list[own.pc]!;
    if (when && !when()) return NOTHING;
    return steps[own.pc]![ways ? ways() : 1]!;
  };
}
