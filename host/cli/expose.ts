/** `expose`: a guest listens at an address of the backend; connections go to a local program. */
import type { Address } from '../index.js';
import { LOCALHOST, parseAddress, resolveAddress, show } from './addresses.js';
import { OUTPUT_OPTIONS, WORLD_OPTIONS } from './options.js';
import { serveStatus } from './status.js';
import type { TaskEvent } from './tasks.js';
import { traceWorld } from './trace.js';
import { tell, type Invocation, type Verb } from './verb.js';
import { closeCleanly, World } from './world.js';

export const exposeVerb: Verb = {
  name: 'expose',
  summary: 'let a guest listen, and hand its connections to a local program',
  usage: '[HOST:]PORT HOST:PORT',
  about: `A guest binds the first address in the backend's world (default host 127.0.0.1; port 0
lets the system choose), listens and accepts, and joins every connection to the program at the
second, until interrupted; then it ends with 0. Ends stay ends and resets resets. When the program
ends a connection, it is closed after everything was delivered: PV Calls version 1 cannot carry a
half-close. A program that is down resets the connection. One guest owns the address, so there is
no --guests. When the backend goes, open connections are reset; the guest listens again at the next
one, and that is told again. Ends with 1 when the device is taken away, or the address is refused.`,
  examples: ['expose 8080 127.0.0.1:3000', 'expose --threads 0.0.0.0:6380 localhost:6379'],
  options: [...WORLD_OPTIONS, 'trace', ...OUTPUT_OPTIONS],
  arguments: [2, 2],
  run,
};

async function run(invocation: Invocation): Promise<number> {
  const { options, output, stop, positionals } = invocation;
  const [at = '', to = ''] = positionals;
  const named = parseAddress('the address to listen at', at, {
    defaultHost: LOCALHOST,
    anyPort: true,
  });
  const program = parseAddress('the program', to, {});
  const [listen, target] = await Promise.all([resolveAddress(named), resolveAddress(program)]);
  const world = await World.open(options, 1);
  const untrace = traceWorld(world, invocation);
  const status = await serveStatus(world, ['expose', ...positionals], output);
  try {
    world.allow({ command: 'bind', ...listen });
    const event = (news: TaskEvent): void => {
      if (news.event === 'listening') announce(world, listen, show(program), invocation);
      else tell(output, news);
    };
    const params = {
      listen,
      target,
      idleMs: options.idleSeconds * 1000,
      verbose: options.json || options.trace,
    };
    const { crew } = world.guest(0);
    const task = crew.start('expose', params, { event });
    const halt = (): void => {
      world.prepareClose();
      task.stop();
    };
    stop.signal.addEventListener('abort', halt, { once: true });
    if (stop.signal.aborted) halt();
    await task.result;
  } finally {
    status.close();
    await closeCleanly(world).finally(untrace);
  }
  return 0;
}

/** PV Calls does not tell the guest which port it was given; the backend knows. */
function announce(world: World, listen: Address, program: string, { output }: Invocation): void {
  const sockets = world.backend.devices().flatMap((device) => device.sockets);
  const { address = listen } = sockets.find(({ state }) => state === 'listening') ?? {};
  output.result(`${show(address)} -> ${program}`, {
    event: 'listening',
    pid: process.pid,
    address: address.host,
    port: address.port,
    target: program,
  });
}
