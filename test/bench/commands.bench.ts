/**
 * Commands, both ends looking at the ring: a round trip between two threads against one of a bare
 * word in shared memory, and how many commands go through one thread in batches of 32.
 */
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import { EVENT_CLOSED, EVENT_DONE, EVENT_NONE } from '../../assembly/wire/abi.js';
import { EINPROGRESS } from '../../assembly/wire/errno.js';
import { AF_INET, SOCK_STREAM } from '../../assembly/wire/inet.js';
import { ADDRESS, EVENT, MinimalPeer, startPolledCore, type PolledCore } from './polled-core.js';
import { fastest, measure, printMachine } from './rounds.js';

const ROUND_TRIPS = 1_000;
const BATCH = 32;
const BATCHES = 100;

/** Words by which the worker is told what to do; PING and PONG stand on lines of their own. */
const TURN = 0; //   counts up: there is work
const READY = 1; //  the turn that the worker has begun
const COUNT = 2; //  how many requests, or pings, to answer
const PINGS = 3; //  1: pings
const PING = 32;
const PONG = 64;

function serve(memory: WebAssembly.Memory, page: number, words: Int32Array): void {
  const peer = new MinimalPeer(memory, page);
  for (let turn = 1; ; turn++) {
    Atomics.wait(words, TURN, turn - 1);
    Atomics.store(words, READY, turn);
    const count = Atomics.load(words, COUNT);
    if (Atomics.load(words, PINGS) === 1) echo(words, count);
    else for (let left = count; left > 0;) left -= peer.serve();
  }
}

function echo(words: Int32Array, last: number): void {
  for (let seen = 0; seen < last;) {
    const ping = Atomics.load(words, PING);
    if (ping === seen) continue;
    seen = ping;
    Atomics.store(words, PONG, seen);
  }
}

/** Starts the worker's next turn and waits until it is running. */
function wake(words: Int32Array, count: number, pings = 0): void {
  Atomics.store(words, COUNT, count);
  Atomics.store(words, PINGS, pings);
  const turn = Atomics.add(words, TURN, 1) + 1;
  Atomics.notify(words, TURN);
  while (Atomics.load(words, READY) !== turn);
}

/** Nanoseconds of a store that the other thread sees and answers with another. */
function spinRoundTrip(words: Int32Array): number {
  Atomics.store(words, PING, 0);
  Atomics.store(words, PONG, 0);
  wake(words, ROUND_TRIPS, 1);
  const started = performance.now();
  for (let trip = 1; trip <= ROUND_TRIPS; trip++) {
    Atomics.store(words, PING, trip);
    while (Atomics.load(words, PONG) !== trip);
  }
  return ((performance.now() - started) * 1e6) / ROUND_TRIPS;
}

/** One command, from asking to its event. */
function bind({ core, port }: PolledCore, handle: number): void {
  if (core.bind(handle, ADDRESS, 16) !== -EINPROGRESS) throw new Error('bind was refused');
  do core.handle_event(port);
  while (core.poll_event(EVENT) !== EVENT_DONE);
}

/** Nanoseconds of a BIND that the other thread answers. */
function commandRoundTrip(polled: PolledCore, handle: number, words: Int32Array): number {
  wake(words, ROUND_TRIPS);
  const started = performance.now();
  for (let trip = 0; trip < ROUND_TRIPS; trip++) bind(polled, handle);
  return ((performance.now() - started) * 1e6) / ROUND_TRIPS;
}

/** Nanoseconds of a command: in every batch half new sockets, half that go. */
function commandNs({ core, port }: PolledCore, peer: MinimalPeer): number {
  const handles: number[] = [];
  const open = (): void => {
    for (let i = 0; i < BATCH / 2; i++) handles.push(core.socket(AF_INET, SOCK_STREAM, 0));
  };
  open();
  let commands = peer.serve();
  core.handle_event(port);
  const started = performance.now();
  for (let batch = 0; batch < BATCHES; batch++) {
    open();
    for (let i = 0; i < BATCH / 2; i++) core.abort(handles[i]!);
    if (peer.serve() !== BATCH) throw new Error('a batch was not one batch');
    core.handle_event(port);
    for (let i = 0; i < BATCH / 2; i++) {
      if (core.poll_event(EVENT) !== EVENT_CLOSED) throw new Error('a socket was not released');
    }
    if (core.poll_event(EVENT) !== EVENT_NONE) throw new Error('an event too many');
    handles.splice(0, BATCH / 2);
    commands += BATCH;
  }
  const ns = ((performance.now() - started) * 1e6) / (BATCHES * BATCH);
  for (const handle of handles) core.abort(handle);
  commands += peer.serve();
  core.handle_event(port);
  while (core.poll_event(EVENT) !== EVENT_NONE);
  if (commands !== BATCHES * BATCH + BATCH) throw new Error('commands were lost');
  return ns;
}

async function main(): Promise<void> {
  const words = new Int32Array(new SharedArrayBuffer(4 * 128));
  const threads = startPolledCore(4);
  const { memory, page } = threads;
  const handle = threads.core.socket(AF_INET, SOCK_STREAM, 0);
  const worker = new Worker(new URL(import.meta.url), { workerData: { memory, page, words } });
  wake(words, 2); // SOCKET and a first BIND
  bind(threads, handle);
  printMachine();
  await measure({
    name: 'command round trip, two threads',
    unit: 'ns',
    floor: () => fastest(() => spinRoundTrip(words)),
    value: () => fastest(() => commandRoundTrip(threads, handle, words)),
    aim: { atMost: 2 },
  });
  await worker.terminate();

  const alone = startPolledCore(64);
  const peer = new MinimalPeer(alone.memory, alone.page);
  await measure({
    name: 'commands in batches of 32, one thread',
    unit: 'M/s',
    value: () => 1000 / fastest(() => commandNs(alone, peer)),
    aim: { valueAtLeast: 5 },
  });
}

if (isMainThread) await main();
else serve(workerData.memory, workerData.page, workerData.words);
