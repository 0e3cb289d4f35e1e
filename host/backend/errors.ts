/**
 * Names to numbers: Node's error codes become the negative errno of the wire.
 * Spec: pvcalls, "Error numbers"; the numbers are Linux's on every host, because they are the
 * protocol's, not the host's. Trust: errors come from our own process.
 */
import * as errno from '../../assembly/wire/errno.js';

const NUMBERS: ReadonlyMap<string, number> = new Map(
  Object.entries(errno).filter((entry): entry is [string, number] => entry[0].startsWith('E')),
);

/** Node's own codes for what a system call would have said with an errno. */
const NODE_CODES: ReadonlyMap<string, number> = new Map([
  ['ERR_STREAM_DESTROYED', errno.EPIPE],
  ['ERR_STREAM_WRITE_AFTER_END', errno.EPIPE],
  ['ERR_SOCKET_CLOSED', errno.EPIPE],
  ['ERR_SOCKET_CLOSED_BEFORE_CONNECTION', errno.ECONNABORTED],
  ['ERR_SOCKET_BAD_PORT', errno.EINVAL],
  ['ERR_SERVER_ALREADY_LISTEN', errno.EINVAL],
  ['EOF', errno.ENOTCONN],
]);

/** Negative errno of an error; -EIO when it says nothing that the protocol has a number for. */
export function errnoOf(error: unknown): number {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  if (typeof code !== 'string') return -errno.EIO;
  return -(NUMBERS.get(code) ?? NODE_CODES.get(code) ?? errno.EIO);
}

/** The name of a negative errno, for reports: 'ECONNREFUSED', or 'errno -4000'. */
export function errnoName(result: number): string {
  for (const [name, number] of NUMBERS) if (number === -result) return name;
  return `errno ${result}`;
}
