/**
 * A backend for core-world.ts, one shared access at a time: it answers SOCKET, CONNECT and RELEASE
 * with 0, takes what the socket sends, sends it back, and ends the stream after the last byte. At
 * the data ring it works in Linux's order: it works off what it saw, publishes, notifies, and looks
 * again only if its counters say so.
 */
import { IN_CONS, IN_ERROR, IN_PROD, OUT_CONS, OUT_PROD } from '../../assembly/wire/data-ring.js';
import { ENOTCONN } from '../../assembly/wire/errno.js';
import {
  CONNECT_EVTCHN,
  CONNECT_REF,
  PVCALLS_CONNECT,
  PVCALLS_RELEASE,
  REQUEST_CMD,
  REQUEST_ID,
  REQUEST_REQ_ID,
  RESPONSE_CMD,
  RESPONSE_ID,
  RESPONSE_REQ_ID,
  RESPONSE_RET,
} from '../../assembly/wire/pvcalls.js';
import {
  REQ_EVENT,
  REQ_PROD,
  RING_SIZE,
  RSP_EVENT,
  RSP_PROD,
  SLOT_SIZE,
  SRING_SLOTS,
} from '../../assembly/wire/ring.js';
import { RING, STREAM, TOTAL, type CoreWorld } from './core-world.js';
import { Violation, type Step } from './explorer.js';
import { machine, type Place } from './places.js';

type Commands =
  'sleep' | 'look' | 'copy' | 'respond' | 'publish' | 'askEvent' | 'notify' | 'arm' | 'again';
type Data = 'work' | 'seeOut' | 'take' | 'takeEnd' | 'moreOut' | 'seeIn' | 'fill' | 'told';
type Name = Commands | Data;
type Places<Some extends Name> = Record<Some, Place<Name>>;

const COMMAND_PORT = 1;
const HALF = 2;

const slot = (world: CoreWorld, index: number): number =>
  world.commands + SRING_SLOTS + (index & (RING_SIZE - 1)) * SLOT_SIZE;

/** One or the other event; the worker goes on by itself while `io` says so. */
function sleeping(world: CoreWorld): Places<'sleep'> {
  const { own } = world;
  const commands = () => (own.peerPending >>> COMMAND_PORT) & 1;
  const data = () => own.mapped !== 0 && (own.io > 0 || (own.peerPending >>> own.port) & 1) !== 0;
  return {
    sleep: {
      when: () => commands() !== 0 || Boolean(data()),
      ways: () => (commands() !== 0 && data() ? HALF : 1),
      go: (way) => {
        if (commands() && way === 0) {
          own.peerPending &= ~(1 << COMMAND_PORT);
          return 'look';
        }
        if ((own.peerPending >>> own.port) & 1) {
          own.peerPending &= ~(1 << own.port);
          own.write = 1;
          own.io = 1;
        }
        return 'work';
      },
    },
  };
}

function commandPlaces(world: CoreWorld): Places<Exclude<Commands, 'sleep'>> {
  const { own, cpu } = world;
  const word = (offset: number): number => cpu.load(world.commands + offset);
  return {
    look: { go: () => (word(REQ_PROD) !== own.reqCons ? 'copy' : 'arm') },
    copy: {
      go: () => {
        const at = slot(world, own.reqCons);
        own.reqCons += 1;
        own.reqId = cpu.load(at + REQUEST_REQ_ID);
        own.cmd = cpu.load(at + REQUEST_CMD);
        own.id = cpu.load(at + REQUEST_ID);
        if (own.cmd === PVCALLS_CONNECT) {
          own.ref = cpu.load(at + CONNECT_REF);
          own.port = cpu.load(at + CONNECT_EVTCHN);
          own.mapped = 1;
        }
        if (own.cmd === PVCALLS_RELEASE) own.mapped = 0;
        return 'respond';
      },
    },
    respond: {
      go: () => {
        const at = slot(world, own.rspPvt);
        cpu.store(at + RESPONSE_REQ_ID, own.reqId);
        cpu.store(at + RESPONSE_CMD, own.cmd);
        cpu.store(at + RESPONSE_RET, 0);
        cpu.store(at + RESPONSE_ID, own.id);
        cpu.store(at + RESPONSE_ID + 4, 0);
        own.rspPvt += 1;
        return 'publish';
      },
    },
    publish: {
      go: () => {
        cpu.store(world.commands + RSP_PROD, own.rspPvt);
        return 'askEvent';
      },
    },
    askEvent: {
      when: () => cpu.settled,
      go: () => (word(RSP_EVENT) === own.rspPvt ? 'notify' : 'look'),
    },
    notify: {
      go: () => {
        cpu.notify(COMMAND_PORT);
        return 'look';
      },
    },
    arm: {
      go: () => {
        cpu.store(world.commands + REQ_EVENT, own.reqCons + 1);
        return 'again';
      },
    },
    again: {
      when: () => cpu.settled,
      go: () => (word(REQ_PROD) !== own.reqCons ? 'look' : 'sleep'),
    },
  };
}

/** Takes bytes of `out`. */
function takeBytes(world: CoreWorld, from: number, size: number): void {
  const base = world.indexes + 4096 + RING;
  const start = from & (RING - 1);
  const head = Math.min(size, RING - start);
  const good =
    world.isStream(base + start, from, head) && world.isStream(base, from + head, size - head);
  if (!good) throw new Violation('the backend gets a byte that was not sent, or too early');
}

/** Writes bytes of `in`: they are seen no later than in_prod. */
function fillBytes({ bytes, indexes }: CoreWorld, from: number, size: number): void {
  const base = indexes + 4096;
  const start = from & (RING - 1);
  const head = Math.min(size, RING - start);
  bytes.set(STREAM.subarray(from, from + head), base + start);
  bytes.set(STREAM.subarray(from + head, from + size), base);
}

/** From `out` into its socket. */
function outPlaces(world: CoreWorld): Places<'work' | 'seeOut' | 'take' | 'takeEnd' | 'moreOut'> {
  const { own, cpu } = world;
  const word = (offset: number): number => cpu.load(world.indexes + offset);
  const index = (offset: number, value: number) => cpu.store(world.indexes + offset, value);
  return {
    work: {
      go: () => {
        own.io = 0;
        return own.write ? 'seeOut' : 'seeIn';
      },
    },
    seeOut: {
      go: () => {
        own.write = 0;
        own.moved = word(OUT_PROD) - own.outCons;
        return own.moved === 0 ? 'seeIn' : 'take';
      },
    },
    take: {
      when: () => cpu.settled,
      go: () => {
        takeBytes(world, own.outCons, own.moved >>> 1);
        return 'takeEnd';
      },
    },
    takeEnd: {
      go: () => {
        const half = own.moved >>> 1;
        takeBytes(world, own.outCons + half, own.moved - half);
        own.outCons += own.moved;
        own.moved = 0;
        index(OUT_CONS, own.outCons);
        return 'moreOut';
      },
    },
    moreOut: {
      go: () => {
        if (word(OUT_PROD) !== own.outCons) own.write = own.io = 1;
        cpu.notify(own.port);
        return 'seeIn';
      },
    },
  };
}

/** From its socket into `in`. */
function inPlaces(world: CoreWorld): Places<'seeIn' | 'fill' | 'told'> {
  const { own, cpu } = world;
  const word = (offset: number): number => cpu.load(world.indexes + offset);
  const index = (offset: number, value: number) => cpu.store(world.indexes + offset, value);
  return {
    seeIn: {
      go: () => {
        own.moved = Math.min(RING - (own.inProd - word(IN_CONS)), own.outCons - own.inProd);
        if (own.moved > 0) return 'fill';
        own.moved = 0;
        if (own.inProd !== TOTAL || own.ended) return 'sleep';
        own.ended = 1;
        index(IN_ERROR, -ENOTCONN);
        return 'told';
      },
    },
    fill: {
      when: () => cpu.settled,
      go: () => {
        fillBytes(world, own.inProd, own.moved);
        own.inProd += own.moved;
        own.moved = 0;
        if (own.inProd === TOTAL) own.io = 1; // its socket has the end of the stream for us
        index(IN_PROD, own.inProd);
        return 'told';
      },
    },
    told: {
      go: () => {
        cpu.notify(own.port);
        return own.io ? 'work' : 'sleep';
      },
    },
  };
}

export function makeBackend(world: CoreWorld): () => readonly Step[] {
  const { own, cpu } = world;
  const places = {
    ...sleeping(world),
    ...commandPlaces(world),
    ...outPlaces(world),
    ...inPlaces(world),
  };
  const steps = machine<Name>(own, places);
  const settle: Step = { name: 'store is seen', run: () => cpu.settleOne() };
  return () => (cpu.settled ? steps() : [...steps(), settle]);
}
