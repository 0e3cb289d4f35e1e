/** What a guest and its calls are asked with. */
import type { Address } from './address.js';

export interface CoreOptions {
  /** Entries of the socket table, 1 to 4064. Default 512. */
  sockets?: number;
  /** Dialect: the shipped one, or design v7. Default 'v1'. */
  layout?: 'v1' | 'v7';
  /** Order of the data rings, 1 to 9 (v7: 0 to 9). Default: min(4, what the backend allows). */
  ringOrder?: number;
  /** Keep released rings and offer them again. Default false. */
  reuse?: boolean;
  /** Deadline of socket, connect, bind, listen and release; 0 for none. Default 0. */
  commandTimeoutMs?: number;
  /** How long close() waits for the backend to take what was written. Default 10,000. */
  closeTimeoutMs?: number;
  /** Tests only: where data-ring indices start. */
  firstIndex?: number;
}

export interface ConnectOptions extends Address {
  ringOrder?: number;
  signal?: AbortSignal | undefined;
}

export interface ListenOptions extends Address {
  /** Connections that may wait to be accepted. Default 128. */
  backlog?: number;
  /** Order of the rings of accepted connections. */
  ringOrder?: number;
  signal?: AbortSignal | undefined;
}

export const CLOSE_TIMEOUT_MS = 10_000;

export type DeviceState = 'down' | 'connecting' | 'connected' | 'closing' | 'closed' | 'failed';

/** By DEVICE_* of assembly/wire/abi.ts. */
export const DEVICE_STATES: readonly DeviceState[] = [
  'down',
  'connecting',
  'connected',
  'closing',
  'closed',
  'failed',
];
