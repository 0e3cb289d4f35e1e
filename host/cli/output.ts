/** Where the program speaks: results on stdout, everything about them on stderr. */
import { performance } from 'node:perf_hooks';

const QUIET_MS = 1000;

export class Output {
  /** Called once, when nobody reads stdout any more: no reason to complain, but to stop. */
  onClosed: (() => void) | undefined;
  private closed = false;
  private readonly repeats = new Map<string, { count: number; from: number }>();

  constructor(
    private readonly quiet: boolean,
    /** Results are objects, one on a line. */
    readonly json: boolean,
  ) {
    process.stdout.on('error', () => this.close());
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

  private close(): void {
    if (this.closed) return;
    this.closed = true;
    this.onClosed?.();
  }
}
