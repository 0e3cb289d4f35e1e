/** A GET from inside the guest: connects, asks, and passes the body on. */
import { createHash } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import type { Address } from '../index.js';
import { ResponseReader } from './http.js';
import { aborted, onlyGuest, type TaskContext } from './tasks.js';

export interface FetchParams {
  readonly address: Address;
  /** The request line and the header lines. */
  readonly request: readonly string[];
  /** Computes the digest of the body; it costs as much time as all the rest. */
  readonly digest: boolean;
  /** Keeps the socket until the task is asked to end, so that it can be looked at. */
  readonly stays?: boolean;
}

export interface Fetched {
  readonly status: number;
  readonly lines: readonly string[];
  readonly bytes: number;
  /** Absent unless it was asked for. */
  readonly sha256?: string;
  readonly elapsedMs: number;
}

/** Events: 'head' before the body, 'fetched' after it. */
export async function fetchHttp(params: FetchParams, context: TaskContext): Promise<Fetched> {
  const { signal } = context;
  const started = performance.now();
  const socket = await onlyGuest(context).connect({ ...params.address, signal });
  let fetched: Fetched;
  try {
    await socket.write(Buffer.from(`${params.request.join('\r\n')}\r\n\r\n`, 'latin1'), signal);
    const reader = new ResponseReader(socket, signal);
    const hash = params.digest ? createHash('sha256') : undefined;
    const head = await reader.head();
    const { status, lines } = head;
    context.emit({ event: 'head', text: lines.join('\n'), status });
    await reader.body(head, (chunk) => {
      hash?.update(chunk);
      return context.write(chunk);
    });
    const elapsedMs = performance.now() - started;
    const sha256 = hash?.digest('hex');
    fetched = { status, lines, bytes: reader.bodyBytes, elapsedMs, ...(sha256 && { sha256 }) };
    context.emit({ event: 'fetched', text: `${fetched.bytes} bytes`, ...fetched });
    if (params.stays === true) await aborted(signal);
  } catch (error) {
    await socket.abort();
    throw error;
  }
  await socket.close();
  return fetched;
}
