/** Where the program speaks: results on stdout, everything about them on stderr. */
import { performance } from 'node:perf_hooks';

const QUIET_MS = 1000;

export class Output {
  /** Called once, when nobody reads stdout any more: no reason to complain, but to stop. */
  onClosed: (() => void) | undefined;
  private closed = false;
  private lost = false;
  private readonly repeats = new Map<string, { count: number; from: number }>();

  constructor(
    private readonly quiet: boolean,
    /** Results are objects, one on a line. */
    readonly json: boolean,
  ) {
    process.stdout.on('error', (error) => this.fail(error));
    process.stderr.on('error', () => undefined);
  }

  /** Something good to know; not said with --quiet. */
  note(line: string): void {
    if (!this.quiet) process.stderr.write(`${line}\n`);
  }

  /** Something that went wrong. */
  warn(line: string): void {
    process.stderr.write(`pvcalls: ${line}\n`);
  }

  /** Something that goes wrong again and again: at most one line a second, with a count. */
  warnOften(kind: string, line: string): void {
    const now = performance.now();
    const known = this.repeats.get(kind);
    if (known !== undefined && now < known.from + QUIET_MS) {
      known.count += 1;
      return;
    }
    const more = known === undefined || known.count === 0 ? '' : ` (and ${known.count} before it)`;
    this.repeats.set(kind, { count: 0, from: now });
    this.warn(`${line}${more}`);
  }

  /** A line of result: the text, or with --json the object. */
  result(text: string, object: unknown): void {
    process.stdout.write(`${this.json ? JSON.stringify(object) : text}\n`);
  }

  /** Bytes of result. Resolves when they are taken: only then may their memory be used again. */
  bytes(chunk: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      process.stdout.write(chunk, (error) => (error ? reject(error) : resolve()));
    });
  }

  /** The exit code, unless what was to be written is lost: then 1. */
  exitCode(wanted: number): number {
    return this.lost ? 1 : wanted;
  }

  /** A reader that went away has what it wanted; everything else that fails has lost something. */
  private fail(error: NodeJS.ErrnoException): void {
    if (this.closed) return;
    this.closed = true;
    if (error.code !== 'EPIPE') {
      this.lost = true;
      process.exitCode = 1; // it may come after the verb has ended
      this.warn(
        `the output cannot be written: ${error.message}; make room, or choose another file`,
      );
    }
    this.onClosed?.();
  }
}
