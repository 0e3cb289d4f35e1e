/**
 * Where two backends differ on the same protocol. `full` is ours, by the specification and POSIX;
 * `linux` does what Linux's pvcalls-back is known to do, defects included, so that a frontend can
 * be tried against both. One table, so that the differences can be read in one place.
 * Not imitated: Linux masks data ring indices before it subtracts them, and so never notices a lie.
 */
import { EAFNOSUPPORT, EFAULT, EINVAL, ENOTSOCK, ENOTSUP } from '../../assembly/wire/errno.js';
import { AF_INET } from '../../assembly/wire/inet.js';

export type BackendMode = 'full' | 'linux';

export interface Rules {
  /** Most that max-page-order may say. */
  readonly maxOrder: number;
  /** Answer to a ring_order outside the advertised ones. */
  readonly badOrder: number;
  /** Whether v1 refuses ring_order 0, which leaves no page for either direction. */
  readonly refusesOrderZero: boolean;
  /** Answer to a socket that is not AF_INET, SOCK_STREAM, protocol 0. */
  readonly unsupportedSocket: number;
  readonly protocols: readonly number[];
  /** Answer to an address of another family. */
  readonly unsupportedAddress: number;
  /** Whether SOCKET makes a socket; else CONNECT and BIND do, and ids are not checked. */
  readonly remembersSockets: boolean;
  /** Answer to listen and accept on an id that names no passive socket. */
  readonly unknownSocket: number;
  /** Answer to poll on such an id; undefined: none, ever. */
  readonly unknownPoll: number | undefined;
  /** Whether a second accept or poll waits its turn; else it gets -EINTR. */
  readonly queuesWaiters: boolean;
  /** Whether RELEASE of a passive socket answers what waits on it. */
  readonly answersWaiters: boolean;
  /** Whether later commands wait until a CONNECT is done. */
  readonly connectBlocks: boolean;
  /** Whether `reuse` is honoured and feature-reset offered. */
  readonly extensions: boolean;
  /** Whether every consumed batch is notified, also when the ring was not full. */
  readonly notifiesAlways: boolean;
  /**
   * Whether a ring that was filled as in_cons stood at the last look is not looked at again before
   * the guest notifies, though the guest may have read meanwhile.
   */
  readonly looksOnce: boolean;
}

const FULL: Rules = {
  maxOrder: 9,
  badOrder: -EINVAL,
  refusesOrderZero: true,
  unsupportedSocket: -ENOTSUP,
  protocols: [0],
  unsupportedAddress: -EAFNOSUPPORT,
  remembersSockets: true,
  unknownSocket: -ENOTSOCK,
  unknownPoll: -ENOTSOCK,
  queuesWaiters: true,
  answersWaiters: true,
  connectBlocks: false,
  extensions: true,
  notifiesAlways: false,
  looksOnce: false,
};

const LINUX: Rules = {
  maxOrder: 4,
  badOrder: -EFAULT,
  refusesOrderZero: false,
  unsupportedSocket: -EAFNOSUPPORT,
  protocols: [0, AF_INET],
  unsupportedAddress: -EINVAL,
  remembersSockets: false,
  unknownSocket: -EINVAL,
  unknownPoll: undefined,
  queuesWaiters: false,
  answersWaiters: false,
  connectBlocks: true,
  extensions: false,
  notifiesAlways: true,
  looksOnce: true,
};

export function rulesOf(mode: BackendMode): Rules {
  return mode === 'linux' ? LINUX : FULL;
}
