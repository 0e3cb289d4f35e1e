/**
 * Backends at the command ring. Both take requests and answer them as ring.h's macros say; one
 * request at a time may be held and answered late, as ACCEPT is. C reference: public/io/ring.h,
 * RING_PUSH_RESPONSES_AND_CHECK_NOTIFY, RING_FINAL_CHECK_FOR_REQUESTS.
 */
import {
  LAST_OF_REQUEST,
  LAST_OF_RESPONSE,
  MASK,
  SHARED,
  slotAt,
  type CommandNumbers,
  type CommandPeer,
  type CommandWorld,
} from './command-world.js';
import type { Step } from './explorer.js';
import { machine, type Place } from './places.js';

export interface CommandPeerOptions {
  /** Linux's pvcalls-back notifies once per batch, others with each response. */
  readonly batch: boolean;
  /** Waits, where the macros have mb(), until its stores are seen. */
  readonly barriers: boolean;
  /** May hold a request back and answer others before it. */
  readonly late: boolean;
}

/** Requests that may overtake one that is held. */
const HELD_MAX = 6;
const next = (index: number): number => (index + 1) & MASK;
const behind = (producer: number, consumer: number): number => (producer - consumer) & MASK;

/** Where it is; `sleep` comes first. */
type Name =
  | 'sleep'
  | 'look'
  | 'copy'
  | 'copyEnd'
  | 'respond'
  | 'respondEnd'
  | 'publish'
  | 'askEvent'
  | 'notify'
  | 'notifyBatch'
  | 'arm'
  | 'lookAgain';
/** Where it goes on when a response has been pushed. */
const TO_LOOK = 0;
const TO_SLEEP = 1;

type Places<Some extends Name> = Record<Some, Place<Name>>;

/** Numbers come round: a request that is held is answered before they do. */
const overdue = ({ held, reqCons }: CommandNumbers): boolean =>
  held !== 0 && behind(reqCons, held - 1) >= HELD_MAX;

function answerHeld(own: CommandNumbers, next: number): Name {
  own.number = own.held - 1;
  own.held = 0;
  own.next = next;
  return 'respond';
}

/** A response has been pushed. What is over is forgotten, or equal states would look different. */
function pushed(own: CommandNumbers): Name {
  own.before = 0;
  if (own.next === TO_LOOK) return 'look';
  if (own.owes) return 'notifyBatch';
  own.next = TO_LOOK;
  return 'sleep';
}

/** From the event to the request in hand. */
function taking(world: CommandWorld, late: boolean): Places<'sleep' | 'look' | 'copy' | 'copyEnd'> {
  const { own, cpu } = world;
  return {
    sleep: {
      when: () => own.peerPending !== 0 || own.held !== 0,
      ways: () => (own.peerPending !== 0 && own.held !== 0 ? 2 : 1),
      go: (way) => {
        if (own.peerPending === 0 || way === 1) return answerHeld(own, TO_SLEEP);
        own.peerPending = 0;
        return 'look';
      },
    },
    look: {
      go: () => {
        if (overdue(own)) return answerHeld(own, TO_LOOK);
        if (cpu.load(SHARED.reqProd) !== own.reqCons) return 'copy';
        return own.owes ? 'notifyBatch' : 'arm';
      },
    },
    copy: {
      go: () => {
        own.number = cpu.load(slotAt(own.reqCons));
        return 'copyEnd';
      },
    },
    copyEnd: {
      ways: () => (late && own.held === 0 ? 2 : 1),
      go: (way) => {
        world.accept(own.number, cpu.load(slotAt(own.reqCons) + LAST_OF_REQUEST));
        own.reqCons = next(own.reqCons);
        own.next = TO_LOOK;
        if (way === 0) return 'respond';
        own.held = own.number + 1;
        own.number = 0;
        return 'look';
      },
    },
  };
}

/** From the request in hand to the response that is told. */
function answering(
  world: CommandWorld,
  batch: boolean,
  barrier: () => boolean,
): Places<'respond' | 'respondEnd' | 'publish' | 'askEvent' | 'notify' | 'notifyBatch'> {
  const { own, cpu } = world;
  return {
    respond: {
      go: () => {
        cpu.store(slotAt(own.rspPvt), own.number);
        return 'respondEnd';
      },
    },
    respondEnd: {
      go: () => {
        cpu.store(slotAt(own.rspPvt) + LAST_OF_RESPONSE, own.number);
        world.answer(own.number);
        own.number = 0;
        own.before = own.rspPvt;
        own.rspPvt = next(own.rspPvt);
        return 'publish';
      },
    },
    publish: {
      go: () => {
        cpu.store(SHARED.rspProd, own.rspPvt);
        return 'askEvent';
      },
    },
    askEvent: {
      when: barrier,
      go: () => {
        const event = cpu.load(SHARED.rspEvent);
        if (behind(own.rspPvt, event) >= behind(own.rspPvt, own.before)) return pushed(own);
        if (!batch) return 'notify';
        own.owes = 1;
        return pushed(own);
      },
    },
    notify: {
      go: () => {
        cpu.notify();
        return pushed(own);
      },
    },
    notifyBatch: {
      go: () => {
        cpu.notify();
        own.owes = 0;
        if (own.next === TO_LOOK) return 'arm';
        own.next = TO_LOOK;
        return 'sleep';
      },
    },
  };
}

export function commandPeer({ batch, barriers, late }: CommandPeerOptions): CommandPeer {
  return (world) => {
    const { own, cpu } = world;
    const barrier = () => !barriers || cpu.settled;
    const steps = machine<Name>(own, {
      ...taking(world, late),
      ...answering(world, batch, barrier),
      arm: {
        go: () => {
          cpu.store(SHARED.reqEvent, next(own.reqCons));
          return 'lookAgain';
        },
      },
      lookAgain: {
        when: barrier,
        go: () => (cpu.load(SHARED.reqProd) !== own.reqCons ? 'copy' : 'sleep'),
      },
    });
    const settle: Step = { name: 'store is seen', run: () => cpu.settleOne() };
    return () => (cpu.settled ? steps() : [...steps(), settle]);
  };
}
