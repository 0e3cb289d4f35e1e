/** What is explored, in `npm test` and, with PVCALLS_LONG=1, at length. */
import { RING } from './core-world.js';
import { linux, specConsumer, specProducer } from './data-peers.js';
import {
  exploreCommandRing,
  exploreCore,
  exploreDataRing,
  exploreHostileCommands,
  exploreHostileData,
} from './explore.js';
import type { Findings } from './explorer.js';

export interface Setting {
  readonly name: string;
  /** In the module at `path`, or in the one that is as it should be. */
  readonly run: (path?: string) => Findings;
}

/** 3-bit indices tell two rings of 2 bytes apart, as the consumer's rule needs. */
const NARROW = { size: 2, indexBits: 3 } as const;

interface Commands {
  readonly late?: boolean;
  readonly barriers?: boolean;
  readonly eager?: boolean;
}

function commands(who: 'Linux' | "Xen's macros", more: Commands = {}): Setting {
  const { late = false, barriers = true, eager = false } = more;
  const batch = who === 'Linux';
  const how = `${late ? ', answers late' : ''}${eager ? ', requests between responses' : ''}`;
  return {
    name: `command ring, ${who}${how}`,
    run: (path) => exploreCommandRing({ batch, barriers, late, eager, ordered: !batch }, path),
  };
}

export const SETTINGS = {
  commandsXen: commands("Xen's macros"),
  commandsLinux: commands('Linux'),
  inSpec: {
    name: 'data ring, in, peer by the text',
    run: (path?: string) =>
      exploreDataRing(
        { ...NARROW, direction: 'in', peer: specProducer, arrivals: 1, ordered: true },
        path,
      ),
  },
  inLinux: {
    name: 'data ring, in, Linux',
    run: (path?: string) =>
      exploreDataRing(
        { ...NARROW, direction: 'in', peer: linux, arrivals: 1, ordered: false },
        path,
      ),
  },
  outSpec: {
    name: 'data ring, out, peer by the text',
    run: (path?: string) =>
      exploreDataRing(
        { ...NARROW, direction: 'out', peer: specConsumer, arrivals: 0, ordered: true },
        path,
      ),
  },
  outLinux: {
    name: 'data ring, out, Linux',
    run: (path?: string) =>
      exploreDataRing(
        { ...NARROW, direction: 'out', peer: linux, arrivals: 0, ordered: false },
        path,
      ),
  },
  hostileCommands: { name: 'command ring, any peer', run: exploreHostileCommands },
  hostileIn: {
    name: 'data ring, in, any peer',
    run: (path?: string) => exploreHostileData('in', 4, path),
  },
  hostileOut: {
    name: 'data ring, out, any peer',
    run: (path?: string) => exploreHostileData('out', 4, path),
  },
} satisfies Record<string, Setting>;

/** A backend that leaves the macros' barriers out: the exploration must see that it fails. */
export const NO_BARRIER = commands('Linux', { barriers: false });

/** Puts a request as soon as there is room, be it between two responses. */
export const EAGER = commands("Xen's macros", { eager: true });

/** Less than the ring, so that a send finds some in it. */
const SEND_SOME = 3000;

export const CORE: Setting = {
  name: 'whole core, peer with barriers',
  run: (path) => exploreCore({ ordered: true, sendMax: RING }, path),
};

export const CORE_LINUX: Setting = {
  name: 'whole core, Linux',
  run: (path) => exploreCore({ ordered: false, sendMax: SEND_SOME }, path),
};

/** Minutes rather than seconds. */
export const LONG: readonly Setting[] = [
  commands("Xen's macros", { late: true }),
  commands('Linux', { late: true }),
  EAGER,
  commands('Linux', { eager: true }),
  {
    name: 'data ring, in, Linux, bytes arriving at any time',
    run: (path) =>
      exploreDataRing(
        { ...NARROW, direction: 'in', peer: linux, arrivals: 2, ordered: false },
        path,
      ),
  },
];

/** The same at 4 bytes, in a module with 4-bit indices. */
export const WIDE: readonly Setting[] = (
  [
    ['in', 'peer by the text', specProducer, 1, true],
    ['in', 'Linux', linux, 1, false],
    ['out', 'peer by the text', specConsumer, 0, true],
    ['out', 'Linux', linux, 0, false],
  ] as const
).map(([direction, who, peer, arrivals, ordered]) => ({
  name: `data ring of 4 bytes, ${direction}, ${who}`,
  run: (path) =>
    exploreDataRing({ size: 4, indexBits: 4, direction, peer, arrivals, ordered }, path),
}));
