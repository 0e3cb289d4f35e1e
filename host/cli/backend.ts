/** `backend`: makes trouble for a running forward or expose, which goes on all the same. */
import { Failure, UsageError } from './failure.js';
import { integer, OUTPUT_OPTIONS } from './options.js';
import { askInstances } from './status.js';
import type { Invocation, Verb } from './verb.js';
import { BACKEND_ACTIONS, type BackendAction } from './world.js';

export const backendVerb: Verb = {
  name: 'backend',
  summary: 'stop, kill or start the backend of a running forward or expose',
  usage: 'stop|kill|start|detach [PID]',
  about: `Does it to the instances that run as this user, or to the one with the given process id.
stop closes the backend in the order of the protocol. kill ends it as a process is killed: nothing
is said in xenstore, and guests learn of it when another one is there. start starts another: open
connections are reset, listening ones are bound again, and new connections work. detach takes the
devices from the guests, as a toolstack does; forward and expose end with 1 then.`,
  examples: ['backend kill', 'backend start', 'backend stop 4711'],
  options: OUTPUT_OPTIONS,
  arguments: [1, 2],
  run,
};

async function run({ positionals, output }: Invocation): Promise<number> {
  const [name, text] = positionals;
  const action = BACKEND_ACTIONS.find((each) => each === name);
  if (action === undefined) {
    throw new UsageError(`"${name}" is not among ${BACKEND_ACTIONS.join(', ')}`);
  }
  const pid = text === undefined ? undefined : integer('PID', text, 1, 2 ** 31 - 1);
  const answers = await askInstances(action, pid);
  if (answers.length === 0) {
    const which = pid === undefined ? '' : ` as ${pid}`;
    throw new Failure(`no instance is running${which}; start one with forward or expose`);
  }
  for (const answer of answers) {
    const { pid: instance, error } = answer as { pid: number; error?: string };
    if (error !== undefined) throw new Failure(`pid ${instance}: ${error}`);
    output.result(`pid ${instance}: ${DONE[action]}`, { pid: instance, action });
  }
  return 0;
}

const DONE: Record<BackendAction, string> = {
  stop: 'the backend has closed',
  kill: 'the backend was killed',
  start: 'another backend has started',
  detach: 'the devices were detached',
};
