/** `--trace`: a line on stderr for every command, answer, fault and xenbus state. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { performance } from 'node:perf_hooks';
import { errnoName, type CommandName, type DeviceFault, type PolicyDecision } from '../index.js';
import { show } from './addresses.js';
import type { Invocation } from './verb.js';
import type { World } from './world.js';

interface Answer {
  readonly domid: number;
  readonly command: CommandName;
  readonly id: bigint;
  readonly ret: number;
  readonly elapsedMs: number;
}

type Message =
  | ({ event: 'policy' } & PolicyDecision)
  | ({ event: 'answer' } & Answer)
  | ({ event: 'fault' } & DeviceFault);

const CHANNEL = 'pvcalls:backend';

/** Result: ends the trace. Nothing is subscribed without --trace. */
export function traceWorld(world: World, { options }: Invocation): () => void {
  if (!options.trace) return () => undefined;
  const started = performance.now();
  const line = (domid: number, text: string): void => {
    const atMs = (performance.now() - started).toFixed(3).padStart(10);
    process.stderr.write(`${atMs} ms  domain ${domid}  ${text}\n`);
  };
  const onMessage = (message: unknown): void => {
    const [domid, text] = describe(message as Message);
    line(domid, text);
  };
  for (const { domid, end, state } of world.timeline.changes) line(domid, `${end} ${state}`);
  world.timeline.onChange = ({ domid, end, state }) => line(domid, `${end} ${state}`);
  subscribe(CHANNEL, onMessage);
  return () => void unsubscribe(CHANNEL, onMessage);
}

function describe(message: Message): [number, string] {
  switch (message.event) {
    case 'policy': {
      const { domid, command, id, address } = message.call;
      const at = address === undefined ? '' : ` ${show(address)}`;
      const denied = message.verdict === 0 ? '' : `: denied, ${errnoName(message.verdict)}`;
      return [domid, `${command} ${id}${at}${denied}`];
    }
    case 'answer': {
      const { domid, command, id, ret, elapsedMs } = message;
      const result = ret < 0 ? errnoName(ret) : String(ret);
      return [domid, `${command} ${id} = ${result} (${elapsedMs.toFixed(3)} ms)`];
    }
    case 'fault': {
      const { domid, id, reason } = message;
      return [domid, `fault${id === undefined ? '' : ` of socket ${id}`}: ${reason}`];
    }
  }
}
