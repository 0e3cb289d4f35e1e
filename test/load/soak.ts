/**
 * Everything at once, at full speed, for as long as asked: sockets that stay, sockets that come and
 * go, real ones through a server of this process. Memory must stay flat, bytes must be right, and
 * at the end nothing may be left.
 */
import { once } from 'node:events';
import net from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { NodeSocketLayer } from '../../host/backend/node-net.js';
import type { Address, Guest } from '../../host/index.js';
import { Random } from '../../host/machine/index.js';
import { Crowd } from './crowd.js';
import { EchoTalk } from './echoes.js';

const GUESTS = 8;
const STEADY = 4; //   sockets of a guest that stay
const PASSING = 2; //  sockets of a guest that come and go
const MESSAGES = [64, 1500, 9000, 40_000]; // bytes; the last two are more than a ring
const TRIPS_MAX = 50; // of a socket that goes
const WARM_UP = 0.25; // of the time
const SETTLE_MS = 2_000;
const MIB = 1 << 20;
/** What memory may grow by between the first third after warming up and the last. */
const HEAP_GROWTH_MAX = 3 * MIB;
const RSS_GROWTH_MAX = 24 * MIB;

export interface SoakOptions {
  readonly seconds: number;
  readonly samples: number;
  /** Bytes that the heap may grow by. Default HEAP_GROWTH_MAX. */
  readonly heapGrowthMax?: number;
  readonly progress?: (account: Account, sample: Sample) => void;
}

/** What was done so far. */
export interface Account {
  bytes: number;
  trips: number;
  sockets: number;
  aborted: number;
}

export interface Sample {
  readonly atSeconds: number;
  readonly heap: number;
  readonly rss: number;
}

export interface SoakResult {
  readonly account: Account;
  readonly heapGrowth: number;
  readonly rssGrowth: number;
  /** What is wrong, in a sentence each. */
  readonly complaints: readonly string[];
}

export async function soak(options: SoakOptions): Promise<SoakResult> {
  const before = resources();
  const server = net.createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => undefined);
    socket.pipe(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  const crowd = await Crowd.open({
    guests: GUESTS,
    guest: { memoryMiB: 2, sockets: STEADY + 2 * PASSING, ringOrder: 2 },
    memoryMiB: 256,
    layer: () => new NodeSocketLayer(),
  });
  const traffic = new Traffic(crowd, { host: '127.0.0.1', port });
  const work = traffic.run();
  work.catch(() => undefined); // awaited below
  const samples = await sample(options, traffic);
  traffic.over = true;
  await work;
  await crowd.close();
  server.close();
  await once(server, 'close');
  const after = await settled(before);
  const heapGrowth = growth(samples, ({ heap }) => heap);
  const rssGrowth = growth(samples, ({ rss }) => rss);
  const complaints = [
    heapGrowth > (options.heapGrowthMax ?? HEAP_GROWTH_MAX) &&
      `the heap grew by ${inMiB(heapGrowth)}`,
    rssGrowth > RSS_GROWTH_MAX && `resident memory grew by ${inMiB(rssGrowth)}`,
    after > before && `${after - before} sockets of the host are left`,
  ].filter((complaint) => complaint !== false);
  return { account: traffic.account, heapGrowth, rssGrowth, complaints };
}

export const inMiB = (bytes: number): string => `${(bytes / MIB).toFixed(1)} MiB`;

class Traffic {
  over = false;
  readonly account: Account = { bytes: 0, trips: 0, sockets: 0, aborted: 0 };
  private nextId = 1;

  constructor(
    private readonly crowd: Crowd,
    private readonly address: Address,
  ) {}

  async run(): Promise<void> {
    const jobs = this.crowd.guests.flatMap((guest, i) => [
      ...Array.from({ length: STEADY }, () => this.stay(guest)),
      ...Array.from({ length: PASSING }, (_, j) => this.pass(guest, new Random(i * 16 + j))),
    ]);
    await Promise.all(jobs.map((job) => job.finally(() => (this.over = true))));
  }

  private async stay(guest: Guest): Promise<void> {
    const talk = await this.open(guest, MESSAGES[this.nextId % MESSAGES.length]!);
    while (!this.over) await this.trip(talk);
    await talk.socket.close();
  }

  private async pass(guest: Guest, random: Random): Promise<void> {
    while (!this.over) {
      const talk = await this.open(guest, random.pick(MESSAGES));
      const trips = random.between(0, TRIPS_MAX);
      for (let trip = 0; trip < trips && !this.over; trip++) await this.trip(talk);
      if (random.chance(0.25)) {
        this.account.aborted++;
        await talk.socket.abort();
      } else await talk.socket.close();
    }
  }

  private async open(guest: Guest, size: number): Promise<EchoTalk> {
    const socket = await guest.connect(this.address);
    this.account.sockets++;
    return new EchoTalk(socket, this.nextId++, size);
  }

  private async trip(talk: EchoTalk): Promise<void> {
    await talk.trip();
    this.account.bytes += 2 * talk.size;
    this.account.trips++;
  }
}

async function sample(options: SoakOptions, traffic: Traffic): Promise<Sample[]> {
  const { seconds, samples: count, progress } = options;
  const collect = collector();
  const startMs = performance.now();
  const samples: Sample[] = [];
  for (let i = 1; i <= count && !traffic.over; i++) {
    const untilMs = startMs + (i * seconds * 1000) / count;
    await new Promise((resolve) => setTimeout(resolve, untilMs - performance.now()));
    collect();
    const { heapUsed, external, rss } = process.memoryUsage();
    const atSeconds = (performance.now() - startMs) / 1000;
    samples.push({ atSeconds, heap: heapUsed + external, rss });
    progress?.(traffic.account, samples.at(-1)!);
  }
  return samples;
}

/** What collects garbage, whatever Node was started with. */
function collector(): () => void {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
}

/**
 * By how much the least of the last third is above the least of the first, after warming up. What
 * is under way when a sample is taken comes and goes; what leaks is in every one.
 */
function growth(samples: readonly Sample[], of: (sample: Sample) => number): number {
  const warm = samples.slice(Math.ceil(samples.length * WARM_UP)).map(of);
  const third = Math.max(1, Math.floor(warm.length / 3));
  return Math.min(...warm.slice(-third)) - Math.min(...warm.slice(0, third));
}

/** Sockets that this process holds, once those that are closing have had their time. */
async function settled(before: number): Promise<number> {
  const deadline = performance.now() + SETTLE_MS;
  while (resources() > before && performance.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return resources();
}

/** Sockets that this process holds. */
function resources(): number {
  return process.getActiveResourcesInfo().filter((name) => name.startsWith('TCP')).length;
}
