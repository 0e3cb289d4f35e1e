/**
 * Backends at one direction of a data ring. `spec` does what the protocol's text asks: barriers
 * everywhere, a look after each publication, sleep when there is nothing to do. `linux` does what
 * pvcalls-back of Linux 6.12 does, in its order: it works off what it saw at first, publishes,
 * notifies, and has no full barrier between that store and its next loads; it looks again only when
 * its counters say that something has happened. Specs of both: docs/protocols/verification.md.
 */
import { byteOf, SHARED, type DataNumbers, type DataPeer, type DataWorld } from './data-world.js';
import type { Step } from './explorer.js';
import { machine, type Place } from './places.js';

/** Bytes of one arrival at the backend's socket: one, and more than the ring can take. */
const ARRIVAL_SMALL = 1;
const arrivalLarge = (size: number): number => size + 1;

/** What may happen besides: stores are seen, and bytes arrive at a producer's socket. */
function around(world: DataWorld, steps: () => readonly Step[], seen: () => void) {
  const { own, cpu, size } = world;
  const settle: Step = { name: 'store is seen', run: () => cpu.settleOne() };
  const arrive = (count: number): Step => ({
    name: `${count} bytes arrive`,
    run: () => {
      own.queued += count;
      seen();
    },
  });
  const [small, large] = [arrive(ARRIVAL_SMALL), arrive(arrivalLarge(size))];
  return () => {
    const now = [...steps()];
    if (!cpu.settled) now.push(settle);
    if (!world.incoming || own.io >= world.arrivals) return now;
    if (own.queued === 0) now.push(small, large);
    else if (world.arrivals > 1 && own.queued < arrivalLarge(size)) now.push(small);
    return now;
  };
}

/** Writes the next byte of what is queued. */
function fillOne(world: DataWorld): void {
  const { own, cpu, size, base } = world;
  cpu.storeByte(base + (own.index & (size - 1)), byteOf(own.peerDone));
  own.peerDone = world.after(own.peerDone, 1);
  own.index = world.after(own.index, 1);
  own.queued -= 1;
  own.moved -= 1;
}

/** Takes the byte at its index. */
function takeOne(world: DataWorld): void {
  const { own, cpu, size, base } = world;
  world.accept(cpu.loadByte(base + (own.index & (size - 1))));
  own.index = world.after(own.index, 1);
  own.moved -= 1;
}

/** Producer of `in`, as the text has it. */
export const specProducer: DataPeer = (world) => {
  const { own, cpu, size } = world;
  const steps = machine<'sleep' | 'look' | 'fill' | 'publish' | 'notify'>(own, {
    sleep: {
      when: () => own.peerPending !== 0 || own.io !== 0,
      go: () => {
        own.peerPending = 0;
        own.io = 0;
        return 'look';
      },
    },
    look: {
      go: () => {
        const room = size - world.behind(own.index, cpu.load(SHARED.inCons));
        own.moved = Math.min(room, own.queued);
        return own.moved > 0 ? 'fill' : 'sleep';
      },
    },
    fill: {
      go: () => {
        fillOne(world);
        return own.moved > 0 ? 'fill' : 'publish';
      },
    },
    publish: {
      go: () => {
        cpu.store(SHARED.inProd, own.index);
        return 'notify';
      },
    },
    notify: {
      go: () => {
        cpu.notify();
        return 'look';
      },
    },
  });
  return around(world, steps, () => (own.io = 1));
};

/** Consumer of `out`, as the text has it. */
export const specConsumer: DataPeer = (world) => {
  const { own, cpu } = world;
  const steps = machine<'sleep' | 'look' | 'take' | 'publish' | 'notify'>(own, {
    sleep: {
      when: () => own.peerPending !== 0,
      go: () => {
        own.peerPending = 0;
        return 'look';
      },
    },
    look: {
      go: () => {
        own.moved = world.behind(cpu.load(SHARED.outProd), own.index);
        return own.moved === 0 ? 'sleep' : 'take';
      },
    },
    take: {
      ways: () => (own.moved > 1 ? 2 : 1), // goes on, or publishes what it has
      go: (way) => {
        takeOne(world);
        if (way === 0 && own.moved > 0) return 'take';
        own.moved = 0;
        return 'publish';
      },
    },
    publish: {
      go: () => {
        cpu.store(SHARED.outCons, own.index);
        return 'notify';
      },
    },
    notify: {
      go: () => {
        cpu.notify();
        return 'look';
      },
    },
  });
  return around(world, steps, () => {});
};

/** `read` and `write` count in Linux; all it asks is whether they are 0, and so does this. */
type LinuxPlace = 'idle' | 'read' | 'room' | 'write' | 'some' | 'take' | 'again' | 'end';
type LinuxPlaces<Some extends LinuxPlace> = Record<Some, Place<LinuxPlace>>;

/** There is something to write, now and not only at the next event. */
function once(own: DataNumbers): void {
  own.write = 1;
  own.io += 1;
}

const toWrite = (own: DataNumbers): LinuxPlace => (own.write > 0 ? 'write' : 'end');

/** From the socket into `in`. A full barrier stands between the indices and the bytes. */
function linuxReads(world: DataWorld): LinuxPlaces<'read' | 'room'> {
  const { own, cpu, size } = world;
  return {
    read: {
      go: () => {
        own.moved = size - world.behind(own.index, cpu.load(SHARED.inCons));
        return 'room';
      },
    },
    room: {
      when: () => cpu.settled,
      go: () => {
        if (own.moved === 0) return toWrite(own); // the ring is full, and `read` stays
        own.read = 0;
        own.moved = Math.min(own.moved, own.queued);
        if (own.moved === 0) return toWrite(own);
        while (own.moved > 0) fillOne(world); // into the store buffer: nobody sees it yet
        if (own.queued > 0) own.read = 1;
        cpu.store(SHARED.inProd, own.index);
        cpu.notify();
        return toWrite(own);
      },
    },
  };
}

/** From `out` into the socket. The load behind the store of out_cons has no barrier before it. */
function linuxWrites(world: DataWorld): LinuxPlaces<'write' | 'some' | 'take' | 'again'> {
  const { own, cpu, incoming } = world;
  return {
    write: {
      go: () => {
        own.write = 0;
        own.moved = incoming ? 0 : world.behind(cpu.load(SHARED.outProd), own.index);
        return 'some';
      },
    },
    some: {
      when: () => cpu.settled,
      ways: () => own.moved + 1, // a socket may take all, or some, or nothing
      go: (way) => {
        if (own.moved === 0) return 'end';
        own.moved -= way;
        if (own.moved > 0) return 'take';
        once(own);
        return 'end';
      },
    },
    take: {
      go: () => {
        takeOne(world);
        if (own.moved > 0) return 'take';
        cpu.store(SHARED.outCons, own.index);
        return 'again';
      },
    },
    again: {
      go: () => {
        if (cpu.load(SHARED.outProd) !== own.index) once(own);
        cpu.notify();
        return 'end';
      },
    },
  };
}

/**
 * Linux's worker: while `io` says so it reads the socket if `read` is set, then writes to it if
 * `write` is, then unmasks the event channel.
 */
export const linux: DataPeer = (world) => {
  const { own } = world;
  const steps = machine<LinuxPlace>(own, {
    idle: { when: () => own.io > 0, go: () => (own.read > 0 ? 'read' : toWrite(own)) },
    ...linuxReads(world),
    ...linuxWrites(world),
    end: {
      go: () => {
        if (own.write === 0) own.masked = 0;
        own.io -= 1;
        return 'idle';
      },
    },
  });
  const handler: Step = {
    name: 'gets the event',
    run: () => {
      own.peerPending = 0;
      own.masked = 1;
      once(own);
    },
  };
  const surrounded = around(world, steps, () => {
    own.read = 1;
    own.io += 1;
  });
  return () => {
    const now = surrounded();
    if (own.peerPending !== 0 && own.masked === 0) now.push(handler);
    return now;
  };
};
