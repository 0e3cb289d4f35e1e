/**
 * What the build says: one progress line on a terminal, one sentence and the tool's own output on
 * failure, nothing otherwise. Everything goes to stderr, so that stdout belongs to the program.
 */

/** An expected failure: a sentence for a person, and what the failing tool printed. */
export class Failure extends Error {
  /**
   * @param {string} sentence
   * @param {{ output?: string, exitCode?: number }} [details] Exit code 2: something is missing.
   */
  constructor(sentence, { output = '', exitCode = 1 } = {}) {
    super(sentence);
    this.output = output;
    this.exitCode = exitCode;
  }
}

/** @param {string} text */
export function progress(text) {
  if (process.stderr.isTTY) process.stderr.write(`${text}\n`);
}

/**
 * Prints a failure and gives the exit code that belongs to it.
 *
 * @param {unknown} error
 * @returns {number}
 */
export function explain(error) {
  if (!(error instanceof Failure)) throw error;
  if (error.output) process.stderr.write(`${error.output.trimEnd()}\n\n`);
  process.stderr.write(`${error.message}\n`);
  return error.exitCode;
}
