/** What a verb is made of, and what they all do alike. */
import type { Output } from './output.js';
import type { describeOptions, Options } from './options.js';
import type { Stop } from './stop.js';
import type { TaskEvent } from './tasks.js';

export interface Invocation {
  readonly options: Options;
  readonly positionals: readonly string[];
  readonly output: Output;
  readonly stop: Stop;
}

export interface Verb {
  readonly name: string;
  /** One line, for the list of verbs. */
  readonly summary: string;
  /** Arguments as the help shows them. */
  readonly usage: string;
  /** Paragraphs of the help, and examples: command lines without the program's name. */
  readonly about: string;
  readonly examples: readonly string[];
  readonly options: Parameters<typeof describeOptions>[0];
  /** Lowest and highest number of positional arguments. */
  readonly arguments: readonly [number, number];
  /** Result: the exit code. Rejects with a Failure or an error that sentenceOf() can explain. */
  run(invocation: Invocation): Promise<number>;
}

/** An event of a long-running task: an object with --json, else a line where it belongs. */
export function tell(output: Output, { level, ...event }: TaskEvent): void {
  const failed = level === 'warn';
  if (output.json) {
    const { text, ...rest } = event;
    output.result(text, failed ? event : rest);
  } else if (failed) {
    output.warnOften(String(event['kind']), event.text);
  } else {
    output.note(event.text);
  }
}
