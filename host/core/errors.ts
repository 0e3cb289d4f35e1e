/**
 * The core's negative errno numbers as Node's own errors look: `code`, `errno`, `syscall`,
 * `address`, `port`. The wire's ENOTSUP is 524; names are the same as in assembly/wire/errno.ts.
 */
import * as errno from '../../assembly/wire/errno.js';
import * as abi from '../../assembly/wire/abi.js';

const NAMES = new Map<number, string>(Object.entries(errno).map(([name, value]) => [value, name]));

/** 'ECONNREFUSED' for -111; 'Unknown system error -4000' for a number nobody knows. */
export function errnoName(result: number): string {
  return NAMES.get(-result) ?? `Unknown system error ${result}`;
}

export interface CallError extends Error {
  code: string;
  errno: number;
  syscall: string;
  address?: string;
  port?: number;
}

/** The error of a call that answered with a negative errno. */
export function callError(
  syscall: string,
  result: number,
  where?: { host: string; port: number },
  remedy?: string,
): CallError {
  const code = errnoName(result);
  const at = where === undefined ? '' : ` ${where.host}:${where.port}`;
  const error = new Error(`${syscall} ${code}${at}${remedy === undefined ? '' : `: ${remedy}`}`);
  const fields = { code, errno: result, syscall };
  return Object.assign(error, fields, where && { address: where.host, port: where.port });
}

const FAULTS = new Map<number, string>(
  Object.entries(abi)
    .filter(([name]) => name.startsWith('FAULT_'))
    .map(([name, value]) => [value as number, name.slice('FAULT_'.length)]),
);

const EXPLANATIONS: Record<string, string> = {
  RSP_PROD: 'rsp_prod claims more responses than there are requests outstanding',
  REQ_ID: 'a response names a req_id that was never sent, or was answered before',
  CMD: 'a response echoes another cmd than the request had',
  ID: 'a response echoes another socket id than the request had',
  RET: 'a response has a ret that is neither 0 nor an errno',
  IN_PROD: 'in_prod moved back, or beyond the ring',
  OUT_CONS: 'out_cons moved back, or beyond out_prod',
  IN_ERROR: 'in_error is no errno',
  OUT_ERROR: 'out_error is no errno',
  STORE: 'xenstore sent something malformed',
  VERSION: 'the backend does not offer version 1',
  MAX_PAGE_ORDER: 'max-page-order is absent, no number, or too small for this dialect',
  FUNCTION_CALLS: 'function-calls is absent or not 1',
  BACKEND_NODE: 'backend or backend-id is absent or malformed',
  OFFER: 'no frame, grant or port is left for the command ring',
  STORE_ERROR: 'xenstored refused to write our nodes',
};

/** The peer broke the protocol, or offers what cannot be used. `code` is stable. */
export class PeerFaultError extends Error {
  readonly code: string;

  constructor(
    /** FAULT_* of assembly/wire/abi.ts. */
    readonly fault: number,
    /** The offending value. */
    readonly value: number,
    options?: ErrorOptions,
  ) {
    const name = FAULTS.get(fault) ?? String(fault);
    super(`PV Calls backend: ${EXPLANATIONS[name] ?? 'unknown fault'} (value ${value})`, options);
    this.name = 'PeerFaultError';
    this.code = `ERR_PVCALLS_${name}`;
  }
}
