/** `forward`: host connections, each carried by a socket of a guest to the target. */
import type { Address } from '../index.js';
import { LOCALHOST, parseAddress, resolveAddress, show } from './addresses.js';
import type { Crew, Running } from './crew.js';
import { OUTPUT_OPTIONS, WORLD_OPTIONS } from './options.js';
import type { TaskEvent } from './tasks.js';
import { serveStatus } from './status.js';
import { traceWorld } from './trace.js';
import { tell, type Invocation, type Verb } from './verb.js';
import { closeCleanly, World } from './world.js';

export const forwardVerb: Verb = {
  name: 'forward',
  summary: 'carry connections to a host port through a guest to a target',
  usage: '[HOST:]PORT HOST:PORT',
  about: `Listens at the first address (default host 127.0.0.1; port 0 lets the system choose) and
carries every connection through PV Calls to the second, until interrupted; then it ends with 0.
Ends stay ends and resets resets. PV Calls version 1 cannot carry a half-close: after a client's
FIN the connection stays for the answer, until the target ends or nothing moves for --idle seconds.
Connections are spread over the guests; a target that is down resets the client. When the backend
goes, open connections are reset and new ones wait up to 10 seconds for another. Ends with 1 when a
guest's device is taken away or cannot be used any more.`,
  examples: [
    'forward 8080 127.0.0.1:80',
    'forward --threads --guests 2 0.0.0.0:6380 localhost:6379',
    'forward --json 0 example.com:80',
  ],
  options: [...WORLD_OPTIONS, 'guests', 'idle', 'trace', ...OUTPUT_OPTIONS],
  arguments: [2, 2],
  run,
};

async function run(invocation: Invocation): Promise<number> {
  const { options, output, stop, positionals } = invocation;
  const [from = '', to = ''] = positionals;
  const named = parseAddress('the address to listen at', from, {
    defaultHost: LOCALHOST,
    anyPort: true,
  });
  const target = parseAddress('the target', to, {});
  const [listen, address] = await Promise.all([resolveAddress(named), resolveAddress(target)]);
  const world = await World.open(options, options.guests);
  const untrace = traceWorld(world, invocation);
  const status = await serveStatus(world, ['forward', ...positionals], output);
  try {
    world.allow({ command: 'connect', ...address });
    await carry(world, { listen, address, target: show(target) }, invocation);
  } finally {
    status.close();
    await closeCleanly(world).finally(untrace);
  }
  return stop.signal.aborted ? 0 : 1;
}

interface Places {
  readonly listen: Address;
  readonly address: Address;
  /** As it was named. */
  readonly target: string;
}

/** Runs the task on every crew; the first one makes the listening socket. */
async function carry(world: World, places: Places, invocation: Invocation): Promise<void> {
  const { stop, options } = invocation;
  const [first, ...others] = world.crews as [Crew, ...Crew[]];
  const running: Running<'forward'>[] = [];
  const halt = (): void => {
    world.prepareClose();
    running.forEach((task) => task.stop());
  };
  stop.signal.addEventListener('abort', halt, { once: true });
  const start = (crew: Crew, listen: Address | { fd: number }) =>
    new Promise<TaskEvent>((resolve, reject) => {
      const params = {
        listen,
        target: places.address,
        idleMs: options.idleSeconds * 1000,
        capacity: world.capacity.connections,
        verbose: options.json || options.trace,
      };
      const event = (news: TaskEvent): void => {
        if (news.event === 'listening') resolve(news);
        else tell(invocation.output, news);
      };
      const task = crew.start('forward', params, { event });
      running.push(task);
      task.result.catch(reject);
    });
  try {
    const listening = await start(first, places.listen);
    for (const crew of others) await start(crew, { fd: listening['fd'] as number });
    announce(listening, places, invocation);
    if (stop.signal.aborted) halt();
    await Promise.all(running.map((task) => task.result));
  } finally {
    halt();
    await Promise.allSettled(running.map((task) => task.result));
  }
}

function announce(
  { text, address, port }: TaskEvent,
  places: Places,
  { output }: Invocation,
): void {
  output.result(`${text} -> ${places.target}`, {
    event: 'listening',
    pid: process.pid,
    address,
    port,
    target: places.target,
  });
}
