#!/usr/bin/env node
/**
 * The command line: `pvcalls VERB [arguments]`. Exit codes: 0 done, 1 failed, 2 given wrongly or
 * something is missing; 128 plus a signal's number when `demo`, `get` or `xen` was interrupted.
 * `xen` ends with a guest's exit code.
 */
import { backendVerb } from './backend.js';
import { demoVerb } from './demo.js';
import { exposeVerb } from './expose.js';
import { sentenceOf, Failure, UsageError } from './failure.js';
import { forwardVerb } from './forward.js';
import { getVerb } from './get.js';
import { imageVerb } from './image.js';
import { lsVerb } from './ls.js';
import { describeOptions, parseOptions } from './options.js';
import { Output } from './output.js';
import { Stop } from './stop.js';
import type { Verb } from './verb.js';
import { VERSION } from './version.js';
import { xenVerb } from './xen.js';

const VERBS: readonly Verb[] = [
  demoVerb,
  getVerb,
  forwardVerb,
  exposeVerb,
  lsVerb,
  backendVerb,
  imageVerb,
  xenVerb,
];

const HELP = `pvcalls ${VERSION}: POSIX socket calls of Xen guests, made in another domain

Usage: pvcalls VERB [options] [arguments]

${VERBS.map(({ name, summary }) => `  ${name.padEnd(8)} ${summary}`).join('\n')}

Options of all verbs:
${describeOptions(['json', 'quiet', 'help', 'version'])}

Exit codes: 0 done, 1 failed, 2 given wrongly. SIGINT and SIGTERM end forward and expose with 0,
demo, get and xen with 128 plus the signal's number; a second one ends at once. xen ends with the
guest's exit code, or with 124 when its time limit came.

pvcalls VERB --help shows the arguments, options and examples of a verb.
From the repository: npm start -- VERB ...; without a verb, npm start is the demo.

Examples:
${VERBS.map(({ examples }) => `  pvcalls ${examples[0]}`).join('\n')}`;

function helpOf({ name, usage, about, options, examples }: Verb): string {
  return `Usage: pvcalls ${`${name} [options] ${usage}`.trim()}

${about}

Options:
${describeOptions(options)}

Examples:
${examples.map((example) => `  pvcalls ${example}`).join('\n')}`;
}

async function main([name, ...args]: string[]): Promise<number> {
  const verb = VERBS.find((candidate) => candidate.name === name);
  if (verb === undefined) return withoutVerb(name, args);
  const parsed = parseOptions(args, verb.options);
  const { options, positionals } = parsed;
  if (parsed.help) return print(helpOf(verb));
  if (parsed.version) return print(VERSION);
  const [least, most] = verb.arguments;
  if (positionals.length < least || positionals.length > most) {
    const given = positionals.length === 0 ? 'nothing' : `"${positionals.join(' ')}"`;
    throw new UsageError(`${verb.name} takes ${verb.usage || 'no arguments'}, not ${given}`);
  }
  const output = new Output(options.quiet, options.json);
  const exitCode = await verb.run({ options, positionals, output, stop: new Stop(output) });
  return output.exitCode(exitCode);
}

function withoutVerb(name: string | undefined, args: string[]): number {
  const names = VERBS.map((verb) => verb.name).join(', ');
  if (name === undefined) throw new UsageError(`a verb is missing; there are ${names}`);
  if (name === '--version') return print(VERSION);
  if (name === '--help' || name === '-h' || name === 'help') {
    const verb = VERBS.find((candidate) => candidate.name === args[0]);
    return print(verb === undefined ? HELP : helpOf(verb));
  }
  throw new UsageError(`"${name}" is no verb; there are ${names}`);
}

function print(text: string): number {
  process.stdout.write(`${text}\n`);
  return 0;
}

/** Whatever went wrong, as one sentence; with NODE_DEBUG=pvcalls, also where. */
function explain(error: unknown): number {
  process.stderr.write(`pvcalls: ${sentenceOf(error)}\n`);
  if (error instanceof UsageError) process.stderr.write('pvcalls --help shows what there is\n');
  if (process.env['NODE_DEBUG'] === 'pvcalls') console.error(error);
  return error instanceof Failure ? error.exitCode : 1;
}

process.exitCode = 1; // until something better is known
main(process.argv.slice(2))
  .catch(explain)
  .then(
    (exitCode) => {
      process.exitCode = exitCode;
    },
    () => undefined,
  );
