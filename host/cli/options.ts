/** The options that all verbs share, and the checks of their values. */
import { parseArgs, type ParseArgsConfig } from 'node:util';
import { UsageError } from './failure.js';

export interface Options {
  layout: 'v1' | 'v7';
  ringOrder: number | undefined;
  guests: number;
  threads: boolean;
  seed: number | undefined;
  splice: boolean;
  idleSeconds: number;
  trace: boolean;
  dom0: boolean;
  gic: '2' | '3' | undefined;
  timeoutSeconds: number | undefined;
  /** As often as it was given. */
  bootargs: readonly string[];
  job: string | undefined;
  output: string | undefined;
  json: boolean;
  quiet: boolean;
}

type OptionName =
  | 'layout'
  | 'ring-order'
  | 'guests'
  | 'threads'
  | 'seed'
  | 'no-splice'
  | 'idle'
  | 'trace'
  | 'dom0'
  | 'gic'
  | 'timeout'
  | 'bootargs'
  | 'job'
  | 'output'
  | 'json'
  | 'quiet'
  | 'help'
  | 'version';

interface Described {
  readonly value?: string;
  readonly short?: string;
  /** It may be given more than once. */
  readonly multiple?: true;
  readonly help: string;
}

const DESCRIPTIONS: Record<OptionName, Described> = {
  layout: { value: 'v1|v7', help: 'dialect: the shipped protocol, or design v7 (default v1)' },
  'ring-order': { value: 'N', help: 'data rings of 2^N pages, 1 to 9, v7 from 0 (default 4)' },
  guests: { value: 'N', help: 'spread connections over N guests, 1 to 16 (default 1)' },
  threads: { help: 'give each guest a thread of its own' },
  seed: { value: 'N', help: 'order of grant references and ports (default random)' },
  'no-splice': { help: 'connect guests to each other through the host, not ring to ring' },
  idle: { value: 'SECONDS', help: 'keep a connection so long after its FIN (default 60)' },
  trace: { help: 'one line per command and event on stderr' },
  dom0: { help: 'one image, created by xl beside a Linux dom0' },
  gic: { value: '2|3', help: 'version of the interrupt controller (default 3)' },
  timeout: { value: 'SECONDS', help: 'time limit (default 60; 120 with --dom0)' },
  bootargs: { value: 'TEXT', multiple: true, help: 'boot arguments of each image, in order' },
  job: { value: 'SHELL', help: 'with --dom0: what dom0 does while the guest runs' },
  output: { value: 'FILE', short: 'o', help: 'the image (default: PROGRAM with .img)' },
  json: { help: 'results as JSON: one object, or one on each line' },
  quiet: { short: 'q', help: 'say nothing on stderr unless it fails' },
  help: { short: 'h', help: 'this text' },
  version: { help: 'the version' },
};

export const WORLD_OPTIONS: readonly OptionName[] = [
  'layout',
  'ring-order',
  'threads',
  'seed',
  'no-splice',
];
export const OUTPUT_OPTIONS: readonly OptionName[] = ['json', 'quiet', 'help', 'version'];

export interface ParsedArguments {
  readonly options: Options;
  readonly positionals: string[];
  readonly help: boolean;
  readonly version: boolean;
}

/** Throws a UsageError that says what was wrong and what is accepted. */
export function parseOptions(args: string[], accepted: readonly OptionName[]): ParsedArguments {
  const config: NonNullable<ParseArgsConfig['options']> = {};
  for (const name of accepted) {
    const { value, short, multiple = false } = DESCRIPTIONS[name];
    const type = value === undefined ? 'boolean' : 'string';
    config[name] = { type, multiple, ...(short && { short }) };
  }
  const { values, positionals } = parseStrictly(args, config, accepted);
  const { bootargs = [], ...given } = values as Partial<
    Record<Exclude<OptionName, 'bootargs'>, string | boolean> & { bootargs: string[] }
  >;
  const layout = oneOf('--layout', given.layout ?? 'v1', ['v1', 'v7'] as const);
  const [lowest, highest] = [layout === 'v7' ? 0 : 1, 9];
  return {
    options: {
      layout,
      ringOrder: optional(given['ring-order'], '--ring-order', lowest, highest),
      guests: optional(given.guests, '--guests', 1, 16) ?? 1,
      threads: given.threads === true,
      seed: optional(given.seed, '--seed', 0, 0xffffffff),
      splice: given['no-splice'] !== true,
      idleSeconds: optional(given.idle, '--idle', 1, 86_400) ?? 60,
      trace: given.trace === true,
      dom0: given.dom0 === true,
      gic: given.gic === undefined ? undefined : oneOf('--gic', given.gic, ['2', '3'] as const),
      timeoutSeconds: optional(given.timeout, '--timeout', 1, 86_400),
      bootargs,
      job: textOf(given.job),
      output: textOf(given.output),
      json: given.json === true,
      quiet: given.quiet === true,
    },
    positionals,
    help: given.help === true,
    version: given.version === true,
  };
}

/** The lines of a help text, in the order given. */
export function describeOptions(names: readonly OptionName[]): string {
  const rows = names.map((name) => {
    const { value, short, help } = DESCRIPTIONS[name];
    const long = `--${name}${value === undefined ? '' : ` ${value}`}`;
    return `  ${(short === undefined ? long : `-${short}, ${long}`).padEnd(20)} ${help}`;
  });
  return rows.join('\n');
}

/** An integer in decimal. Throws a UsageError for anything else. */
export function integer(name: string, text: string, low: number, high: number): number {
  const number = /^\d{1,10}$/.test(text) ? Number(text) : NaN;
  if (number >= low && number <= high) return number;
  throw new UsageError(`${name} is "${text}"; it takes an integer from ${low} to ${high}`);
}

function optional(
  text: string | boolean | undefined,
  name: string,
  low: number,
  high: number,
): number | undefined {
  return typeof text === 'string' ? integer(name, text, low, high) : undefined;
}

function textOf(text: string | boolean | undefined): string | undefined {
  return typeof text === 'string' ? text : undefined;
}

function oneOf<T extends string>(name: string, value: string | boolean, all: readonly T[]): T {
  const found = all.find((candidate) => candidate === value);
  if (found !== undefined) return found;
  throw new UsageError(`${name} is "${value}"; it takes ${all.join(' or ')}`);
}

function parseStrictly(
  args: string[],
  options: NonNullable<ParseArgsConfig['options']>,
  accepted: readonly OptionName[],
) {
  try {
    return parseArgs({ args, options, allowPositionals: true, strict: true });
  } catch (error) {
    const list = accepted.map((name) => `--${name}`).join(', ');
    const { code, message } = error as Error & { code?: string };
    const unknown = /'(-[^']*)'/.exec(message)?.[1];
    if (code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION' && unknown !== undefined) {
      throw new UsageError(`${unknown} is no option of this verb; there are ${list}`);
    }
    throw new UsageError(`${message.split('\n')[0]}; options are ${list}`);
  }
}
