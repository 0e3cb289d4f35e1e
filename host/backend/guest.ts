/** What the commands of one guest work with: its tables, its limits, and the way to answer. */
import type { Channels } from './channels.js';
import type { Request } from './requests.js';
import type { Rules } from './rules.js';
import type { SocketLayer } from './socket-layer.js';
import type { SocketTable } from './sockets.js';

/** Limits of one guest. What is over them is refused; other guests are not affected. */
export interface Quotas {
  /** Sockets of any kind; -EMFILE. */
  readonly sockets: number;
  /** Sockets bound to an address of the host; -EMFILE. */
  readonly passiveSockets: number;
  /** Foreign pages mapped at once; -ENOBUFS. A socket of order n needs 2^n + 1. */
  readonly mappedPages: number;
  /** ACCEPT and POLL requests that wait; -ENOBUFS. The ring itself allows 32. */
  readonly waiting: number;
  /** Connections waiting on one listening socket; LISTEN is answered, its backlog cut. */
  readonly backlog: number;
}

export const DEFAULT_QUOTAS: Quotas = {
  sockets: 1024,
  passiveSockets: 128,
  mappedPages: 65536,
  waiting: 32,
  backlog: 1024,
};

export interface Guest {
  readonly domid: number;
  readonly rules: Rules;
  readonly quotas: Quotas;
  readonly keepsReused: boolean;
  readonly layer: SocketLayer;
  readonly channels: Channels;
  readonly sockets: SocketTable;
  /** Answers a request, once. */
  answer(request: Request, ret: number): void;
  /** Reports that the guest broke the protocol on one socket. */
  socketFault(id: bigint, reason: string): void;
  /** Holds back, or lets go on, the requests after this one (`linux` mode's connect). */
  block(blocked: boolean): void;
}
