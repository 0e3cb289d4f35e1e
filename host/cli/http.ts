/**
 * A response of HTTP/1.1, read straight from the data ring. RFC 9112.
 *
 * The body may be chunked, of a known length, or end with the connection. One that ends before it
 * is whole is an error, never a short body. Trust: every byte is the server's.
 */
import type { GuestSocket, Window } from '../index.js';
import { Failure } from './failure.js';

export interface ResponseHead {
  readonly status: number;
  /** The status line and the header lines, as they came. */
  readonly lines: readonly string[];
  /** Values by lower-case name, in the order they came. */
  readonly headers: ReadonlyMap<string, readonly string[]>;
}

/** Takes a piece of the body; its memory is ring memory, used again when the promise resolves. */
export type BodySink = (chunk: Uint8Array) => Promise<void>;

const HEAD_MAX = 65_536; // bytes, of the head and of each line between chunks

export class ResponseReader {
  bodyBytes = 0;
  private wake: (() => void) | undefined;

  /** The socket's callbacks are the reader's from here on. */
  constructor(
    private readonly socket: GuestSocket,
    private readonly signal?: AbortSignal,
  ) {
    const wake = (): void => this.wake?.();
    socket.onReady = wake;
    socket.onGone = wake;
    signal?.addEventListener('abort', wake, { once: true });
  }

  /** The head of the final response; informational ones are passed over. */
  async head(): Promise<ResponseHead> {
    for (;;) {
      const head = parseHead(await this.lines());
      if (head.status >= 200 || head.status === 101) return head;
    }
  }

  /** All of the body. Rejects with a Failure when the connection ends before it does. */
  async body(head: ResponseHead, sink: BodySink): Promise<void> {
    const coding = head.headers.get('transfer-encoding');
    const length = lengthOf(head);
    if (head.status === 204 || head.status === 304) return;
    if (coding !== undefined) {
      if (coding.join(',').trim().toLowerCase() !== 'chunked') {
        throw new Failure(
          `the server sends Transfer-Encoding: ${coding.join(', ')}, not "chunked"`,
        );
      }
      return this.chunked(sink);
    }
    if (length !== undefined) return this.exactly(length, sink, ` of ${length} bytes`);
    while ((await this.pass(Infinity, sink)) > 0);
  }

  private async chunked(sink: BodySink): Promise<void> {
    for (;;) {
      const line = await this.line();
      const size = /^([0-9a-f]{1,12})[ \t]*(;|$)/i.exec(line)?.[1];
      if (size === undefined) throw new Failure(`the server sends "${line}" for a chunk size`);
      const count = parseInt(size, 16);
      if (count === 0) break;
      await this.exactly(count, sink, '; the last chunk is missing');
      if ((await this.line()) !== '')
        throw new Failure('a chunk of the body is longer than it says');
    }
    while ((await this.line()) !== ''); // trailers
  }

  private async exactly(count: number, sink: BodySink, whole: string): Promise<void> {
    let left = count;
    while (left > 0) {
      const passed = await this.pass(left, sink);
      if (passed === 0) {
        throw new Failure(`the connection ended after ${this.bodyBytes} bytes of the body${whole}`);
      }
      left -= passed;
    }
  }

  /** Hands over what is there, `most` bytes at most. Result: how many; 0 at the end. */
  private async pass(most: number, sink: BodySink): Promise<number> {
    const window = await this.window();
    let passed = 0;
    for (const span of window) {
      const part = span.subarray(0, Math.min(span.length, most - passed));
      if (part.length === 0) break;
      await sink(part);
      this.signal?.throwIfAborted();
      passed += part.length;
    }
    if (passed > 0) this.socket.consume(passed);
    this.bodyBytes += passed;
    return passed;
  }

  /** Lines up to an empty one, which ends them. */
  private async lines(): Promise<string[]> {
    const lines: string[] = [];
    for (let size = 0; ;) {
      const line = await this.line();
      if (line === '') return lines;
      size += line.length;
      if (size > HEAD_MAX) throw new Failure(`the head has more than ${HEAD_MAX} bytes`);
      lines.push(line);
    }
  }

  /** A line without its ending. */
  private async line(): Promise<string> {
    let text = '';
    for (;;) {
      const window = await this.window();
      if (window.length === 0) {
        throw new Failure(
          text === '' && this.bodyBytes === 0
            ? 'the server ended the connection without an answer'
            : 'the connection ended in the middle of the answer',
        );
      }
      for (const span of window) {
        const end = span.indexOf(0x0a);
        const part = end < 0 ? span : span.subarray(0, end);
        text += Buffer.from(part).toString('latin1');
        this.socket.consume(end < 0 ? span.length : end + 1);
        if (text.length > HEAD_MAX) throw new Failure(`a line has more than ${HEAD_MAX} bytes`);
        if (end >= 0) return text.endsWith('\r') ? text.slice(0, -1) : text;
      }
    }
  }

  private async window(): Promise<Window> {
    const { socket } = this;
    for (;;) {
      this.signal?.throwIfAborted();
      const window = socket.readable();
      if (window !== undefined) return window;
      await new Promise<void>((resolve) => (this.wake = resolve));
    }
  }
}

function parseHead(lines: string[]): ResponseHead {
  const status = /^HTTP\/1\.[01] ([1-5]\d\d)( |$)/.exec(lines[0] ?? '')?.[1];
  if (status === undefined) {
    throw new Failure(
      `the answer begins with "${(lines[0] ?? '').slice(0, 80)}"; that is no HTTP/1`,
    );
  }
  const headers = new Map<string, string[]>();
  for (const line of lines.slice(1)) {
    const match = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*$/.exec(line);
    if (match === null) throw new Failure(`"${line.slice(0, 80)}" is no header line`);
    const name = match[1]!.toLowerCase();
    headers.set(name, [...(headers.get(name) ?? []), match[2]!]);
  }
  return { status: Number(status), lines, headers };
}

function lengthOf({ headers }: ResponseHead): number | undefined {
  const values = headers.get('content-length')?.flatMap((value) => value.split(/[ \t]*,[ \t]*/));
  if (values === undefined) return undefined;
  const [first] = values;
  const length = /^\d{1,15}$/.test(first!) ? Number(first) : NaN;
  if (Number.isNaN(length) || values.some((value) => value !== first)) {
    throw new Failure(`Content-Length is "${values.join(', ')}", which is no length`);
  }
  return length;
}
