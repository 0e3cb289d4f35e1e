/**
 * `demo`: real network I/O through PV Calls, in three ways, every byte verified, with an account of
 * what happened in between.
 */
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { performance } from 'node:perf_hooks';
import type { Address, MachineCounters } from '../index.js';
import { describeAccount, type Account } from './account.js';
import { LOCALHOST, show } from './addresses.js';
import type { Running } from './crew.js';
import { Failure } from './failure.js';
import { OUTPUT_OPTIONS, WORLD_OPTIONS } from './options.js';
import { takeSnapshot } from './snapshot.js';
import type { TaskEvent, TaskName, TaskParams } from './tasks.js';
import { traceWorld } from './trace.js';
import type { Invocation, Verb } from './verb.js';
import { World } from './world.js';

const MIB = 1 << 20;
const FETCH_SIZE = 8 * MIB;
const ECHO_SIZE = MIB;
const GUESTS = 2;

export const demoVerb: Verb = {
  name: 'demo',
  summary: 'guests doing real network I/O, verified, with an account of it',
  usage: '',
  about: `An HTTP server runs in the backend's domain, and a guest fetches 8 MiB from it. The guest
runs a server, and a client on the host gets 1 MiB back from it. A second guest reaches the first
through the backend's localhost. Every byte is verified; the account at the end shows the xenbus
states passed, the commands with their latencies, and bytes and notifications of every ring.
Ends with 0 only if all was verified and nothing was left behind.`,
  examples: ['demo', 'demo --threads', 'demo --layout v7 --ring-order 0', 'demo --seed 1 --trace'],
  options: [...WORLD_OPTIONS, 'trace', ...OUTPUT_OPTIONS],
  arguments: [0, 0],
  run,
};

export interface Step {
  readonly what: string;
  readonly bytes: number;
  readonly elapsedMs: number;
  readonly verified: boolean;
}

async function run(invocation: Invocation): Promise<number> {
  const { options, output, stop } = invocation;
  const started = performance.now();
  const world = await World.open(options, GUESTS);
  const untrace = traceWorld(world, invocation);
  const demo = new Demo(world);
  const end = (): void => demo.end();
  stop.signal.addEventListener('abort', end, { once: true });
  let account: Account;
  let counters: MachineCounters;
  try {
    const steps = await demo.run();
    const snapshot = await takeSnapshot(world, ['demo']);
    await demo.finish();
    counters = world.machine.counters();
    account = { steps, snapshot, counters, timeline: world.timeline, leaks: [], elapsedMs: 0 };
  } catch (error) {
    demo.end();
    await world.close().finally(untrace);
    if (stop.exitCode !== undefined) return stop.exitCode;
    throw error;
  } finally {
    stop.signal.removeEventListener('abort', end);
  }
  const leaks = await world.close();
  untrace();
  const elapsedMs = performance.now() - started;
  const { text, object } = describeAccount({ ...account, leaks, elapsedMs });
  output.result(text, object);
  return leaks.length === 0 && account.steps.every((step) => step.verified) ? 0 : 1;
}

/** The three acts. Sockets stay open until `finish`, so that their rings can be looked at. */
class Demo {
  private readonly payload = randomBytes(FETCH_SIZE);
  private readonly server = http.createServer((_request, response) => {
    response.writeHead(200, { 'content-length': FETCH_SIZE });
    response.end(this.payload);
  });
  private readonly running: Running<TaskName>[] = [];
  private client: net.Socket | undefined;

  constructor(private readonly world: World) {}

  async run(): Promise<Step[]> {
    const fetched = await this.guestFetches();
    const listening = await this.guestListens();
    return [fetched, await this.hostReaches(listening), await this.guestReaches(listening)];
  }

  /** Ends everything in good order. */
  async finish(): Promise<void> {
    this.end();
    await Promise.all(this.running.map((task) => task.result));
  }

  end(): void {
    for (const task of this.running) task.stop();
    this.client?.destroy();
    this.server.close();
    this.server.closeAllConnections();
  }

  private async guestFetches(): Promise<Step> {
    this.server.listen(0, LOCALHOST);
    await once(this.server, 'listening');
    const address = { host: LOCALHOST, port: (this.server.address() as net.AddressInfo).port };
    this.world.allow({ command: 'connect', ...address, domid: this.domid(0) });
    const request = ['GET /8MiB HTTP/1.1', `Host: ${show(address)}`, 'Connection: close'];
    const params = { address, request, digest: true, stays: true };
    const { sha256, elapsedMs } = await this.start('fetchHttp', 0, params, 'fetched');
    return {
      what: `guest 1 fetched from the HTTP server at ${show(address)} of the backend's domain`,
      bytes: FETCH_SIZE,
      elapsedMs: Number(elapsedMs),
      verified: sha256 === sha256Of(this.payload),
    };
  }

  private async guestListens(): Promise<Address> {
    const domid = this.domid(0);
    this.world.allow({ command: 'bind', host: LOCALHOST, port: 0, domid });
    await this.start('serve', 0, { listen: { host: LOCALHOST, port: 0 } }, 'listening');
    const devices = this.world.backend.devices().filter((device) => device.domid === domid);
    const sockets = devices.flatMap((device) => device.sockets);
    return sockets.find(({ state }) => state === 'listening')!.address!;
  }

  private async hostReaches(address: Address): Promise<Step> {
    const started = performance.now();
    const payload = randomBytes(ECHO_SIZE);
    const client = net.connect({ ...address });
    this.client = client;
    client.write(payload);
    const hash = createHash('sha256');
    let received = 0;
    client.on('data', (chunk) => {
      hash.update(chunk);
      received += chunk.length;
      if (received >= payload.length) client.emit('echoed');
    });
    await once(client, 'echoed'); // rejects when the socket emits 'error'
    return {
      what: `a client on the host got its bytes back from guest 1's server at ${show(address)}`,
      bytes: payload.length,
      elapsedMs: performance.now() - started,
      verified: hash.digest('hex') === sha256Of(payload),
    };
  }

  private async guestReaches(address: Address): Promise<Step> {
    this.world.allow({ command: 'connect', ...address, domid: this.domid(1) });
    const params = { address, bytes: ECHO_SIZE };
    const { sent, received, elapsedMs } = await this.start('dial', 1, params, 'echoed');
    return {
      what: `guest 2 got its bytes back from guest 1, through the backend's ${show(address)}`,
      bytes: ECHO_SIZE,
      elapsedMs: Number(elapsedMs),
      verified: sent === received,
    };
  }

  private domid(index: number): number {
    return this.world.guest(index).domid;
  }

  /** Starts a task on a guest. Resolves with the named event; rejects when the task fails first. */
  private start<N extends TaskName>(
    name: N,
    index: number,
    params: TaskParams<N>,
    awaited: string,
  ): Promise<TaskEvent> {
    const { crew, domid } = this.world.guest(index);
    return new Promise((resolve, reject) => {
      const event = (news: TaskEvent): void => {
        if (news.event === awaited) resolve(news);
      };
      const task = crew.start(name, params, { event }, domid);
      this.running.push(task);
      task.result.then(() => reject(new Failure('the demo was ended')), reject);
    });
  }
}

function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
