/**
 * Whether an event costs more where there are many: round trips of 64 bytes through guest, core,
 * machine and backend to an echo in this thread, so that no kernel is in the figure.
 */
import { Crowd } from '../load/crowd.js';
import { EchoTalk } from '../load/echoes.js';
import type { GuestSocket } from 'pvcalls';
import { measure, printMachine, type Aim } from './rounds.js';

const GUESTS = 256;
const SOCKETS = 16;
const SOCKETS_MANY = 4000;
const MESSAGE = 64; //     bytes
const TRIPS = 16_384; //   of a measurement, all sockets together
/** No growth, but for noise. */
const AIM: Aim = { atMost: 1.15 };

interface Busy {
  readonly talks: readonly EchoTalk[];
  close(): Promise<void>;
}

/** `guests` with `sockets` each, of which the first `active` of the first `busy` guests talk. */
async function start(
  guests: number,
  sockets: number,
  { busy, active }: { busy: number; active: number },
): Promise<Busy> {
  const many = guests > 1;
  const crowd = await Crowd.open({
    guests,
    guest: { memoryMiB: many ? 1 : 64, sockets, ringOrder: 1 },
    memoryMiB: many ? 512 : 160,
  });
  const opened: GuestSocket[][] = [];
  for (const guest of crowd.guests) opened.push(await crowd.connect(guest, sockets));
  const talking = opened.slice(0, busy).flatMap((own) => own.slice(0, active));
  const talks = talking.map((socket, id) => new EchoTalk(socket, id, MESSAGE));
  return { talks, close: () => crowd.close() };
}

/** Microseconds of processor time for a round trip, all talks at once; nothing here waits. */
async function tripUs({ talks }: Busy): Promise<number> {
  const each = TRIPS / talks.length;
  const before = process.cpuUsage();
  await Promise.all(talks.map((talk) => talk.trips(each)));
  const { user, system } = process.cpuUsage(before);
  return (user + system) / TRIPS;
}

async function row(name: string, floor: Busy, value: Busy, aim?: Aim): Promise<void> {
  await measure({
    name,
    unit: 'us',
    ...(aim && { aim }),
    floor: () => tripUs(floor),
    value: () => tripUs(value),
  });
}

printMachine();
const few = await start(1, SOCKETS, { busy: 1, active: SOCKETS });
const lone = await start(1, 1, { busy: 1, active: 1 });

const sockets = await start(1, SOCKETS_MANY, { busy: 1, active: SOCKETS });
await row(`16 of ${SOCKETS_MANY} sockets talk, to 16 of 16`, few, sockets, AIM);
await sockets.close();

const idle = await start(GUESTS, SOCKETS, { busy: 1, active: SOCKETS });
await row(`1 of ${GUESTS} guests talks, to 1 of 1`, few, idle, AIM);
await idle.close();

// Without an aim: what is at work at the same time has to fit the processor's caches.
const all = await start(GUESTS, 1, { busy: GUESTS, active: 1 });
await row(`all ${GUESTS} guests talk, to 1 of 1`, lone, all);
for (const crowd of [all, lone, few]) await crowd.close();
