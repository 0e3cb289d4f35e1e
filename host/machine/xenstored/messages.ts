/**
 * xs_wire requests to operations, results to reply payloads. Spec: xenstore, "Communication with
 * xenstore". Payloads come from guests: everything is checked, anything odd is EINVAL.
 */
import {
  XENSTORE_PAYLOAD_MAX,
  XS_CONTROL,
  XS_DIRECTORY,
  XS_DIRECTORY_PART,
  XS_GET_DOMAIN_PATH,
  XS_GET_PERMS,
  XS_INTRODUCE,
  XS_IS_DOMAIN_INTRODUCED,
  XS_MKDIR,
  XS_READ,
  XS_RELEASE,
  XS_RESET_WATCHES,
  XS_RESUME,
  XS_RM,
  XS_SET_PERMS,
  XS_SET_TARGET,
  XS_TRANSACTION_END,
  XS_TRANSACTION_START,
  XS_UNWATCH,
  XS_WATCH,
  XS_WRITE,
} from '../../../assembly/wire/xenstore.js';
import type { Connection } from './connection.js';
import { StoreError } from './errors.js';
import { domainPath } from './paths.js';
import { formatPermissions, parsePermissions } from './permissions.js';

/** Carries out a request. Result: the payload of the reply. Throws StoreError. */
type Handler = (connection: Connection, transaction: number, payload: Buffer) => Uint8Array;

const OK = Buffer.from('OK\0');

const onPath =
  (run: (connection: Connection, transaction: number, path: string) => Uint8Array): Handler =>
  (connection, transaction, payload) =>
    run(connection, transaction, connection.absolute(firstString(payload)));

const privileged: Handler = () => {
  throw new StoreError('EACCES', 'the operation is for domain 0');
};

const HANDLERS = new Map<number, Handler>([
  [
    XS_DIRECTORY,
    onPath((connection, transaction, path) =>
      encodeStrings(connection.operations(transaction).directory(path)),
    ),
  ],
  [XS_DIRECTORY_PART, directoryPart],
  [XS_READ, onPath((connection, tx, path) => connection.operations(tx).read(path))],
  [
    XS_GET_PERMS,
    onPath((connection, transaction, path) =>
      encodeStrings(formatPermissions(connection.operations(transaction).getPermissions(path))),
    ),
  ],
  [XS_WRITE, write],
  [
    XS_MKDIR,
    onPath((connection, transaction, path) => {
      connection.operations(transaction).mkdir(path);
      return OK;
    }),
  ],
  [
    XS_RM,
    onPath((connection, transaction, path) => {
      connection.operations(transaction).rm(path);
      return OK;
    }),
  ],
  [XS_SET_PERMS, setPermissions],
  [XS_WATCH, watch],
  [XS_UNWATCH, unwatch],
  [XS_TRANSACTION_START, transactionStart],
  [XS_TRANSACTION_END, transactionEnd],
  [XS_GET_DOMAIN_PATH, getDomainPath],
  [
    XS_RESET_WATCHES,
    (connection) => {
      connection.reset();
      return OK;
    },
  ],
  [XS_CONTROL, privileged],
  [XS_INTRODUCE, privileged],
  [XS_RELEASE, privileged],
  [XS_IS_DOMAIN_INTRODUCED, privileged],
  [XS_RESUME, privileged],
  [XS_SET_TARGET, privileged],
]);

export function handleRequest(
  connection: Connection,
  type: number,
  transaction: number,
  payload: Buffer,
): Uint8Array {
  const handler = HANDLERS.get(type);
  if (handler === undefined) throw new StoreError('ENOSYS', `operation ${type} is unknown`);
  if (transaction !== 0) connection.operations(transaction); // ENOENT for an unknown one
  const reply = handler(connection, transaction, payload);
  if (reply.length > XENSTORE_PAYLOAD_MAX) {
    throw new StoreError('E2BIG', `the reply has ${reply.length} bytes`);
  }
  return reply;
}

/** Strings, each with its NUL. */
export function encodeStrings(texts: readonly string[]): Buffer {
  return Buffer.from(texts.map((text) => `${text}\0`).join(''), 'latin1');
}

/** The strings of a payload that must end in NUL. */
function strings(payload: Buffer): string[] {
  if (payload.length === 0 || payload[payload.length - 1] !== 0) {
    throw new StoreError('EINVAL', 'the payload does not end in NUL');
  }
  return payload.toString('latin1', 0, payload.length - 1).split('\0');
}

function firstString(payload: Buffer): string {
  return strings(payload)[0]!;
}

function write(connection: Connection, transaction: number, payload: Buffer): Uint8Array {
  const end = payload.indexOf(0);
  if (end < 0) throw new StoreError('EINVAL', 'write: the path does not end in NUL');
  const path = connection.absolute(payload.toString('latin1', 0, end));
  connection.operations(transaction).write(path, Uint8Array.from(payload.subarray(end + 1)));
  return OK;
}

function setPermissions(connection: Connection, transaction: number, payload: Buffer): Uint8Array {
  const [path, ...texts] = strings(payload);
  const absolute = connection.absolute(path!);
  connection.operations(transaction).setPermissions(absolute, parsePermissions(texts));
  return OK;
}

function watch(connection: Connection, _transaction: number, payload: Buffer): Uint8Array {
  const [path, token, ...more] = strings(payload);
  if (token === undefined || more.length > 0) {
    throw new StoreError('EINVAL', 'watch: give a path and a token');
  }
  connection.watch(path!, token);
  return OK;
}

function unwatch(connection: Connection, _transaction: number, payload: Buffer): Uint8Array {
  const [path, token, ...more] = strings(payload);
  if (token === undefined || more.length > 0) {
    throw new StoreError('EINVAL', 'unwatch: give a path and a token');
  }
  connection.unwatch(path!, token);
  return OK;
}

function transactionStart(connection: Connection, transaction: number): Uint8Array {
  if (transaction !== 0) throw new StoreError('EBUSY', 'transactions do not nest');
  return encodeStrings([String(connection.begin())]);
}

function transactionEnd(connection: Connection, transaction: number, payload: Buffer): Uint8Array {
  const verdict = firstString(payload);
  if (verdict !== 'T' && verdict !== 'F') {
    throw new StoreError('EINVAL', 'transaction_end: give T or F');
  }
  connection.end(transaction, verdict === 'T');
  return OK;
}

function getDomainPath(_connection: Connection, _transaction: number, payload: Buffer): Uint8Array {
  const domid = firstString(payload);
  if (!/^\d{1,5}$/.test(domid)) throw new StoreError('EINVAL', 'get_domain_path: give a domid');
  return encodeStrings([domainPath(Number(domid))]);
}

/** `path\0offset\0` -> generation and as many names as fit; an empty name ends the last part. */
function directoryPart(connection: Connection, transaction: number, payload: Buffer): Uint8Array {
  const [path, offsetText] = strings(payload);
  if (offsetText === undefined || !/^\d{1,9}$/.test(offsetText)) {
    throw new StoreError('EINVAL', 'directory_part: give a path and an offset');
  }
  const operations = connection.operations(transaction);
  const absolute = connection.absolute(path!);
  const names = operations.directory(absolute);
  const all = encodeStrings(names);
  const head = encodeStrings([String(operations.generation(absolute))]);
  const rest = all.subarray(Math.min(Number(offsetText), all.length));
  const room = XENSTORE_PAYLOAD_MAX - head.length - 1;
  if (rest.length <= room) return Buffer.concat([head, rest, Buffer.from([0])]);
  const end = rest.lastIndexOf(0, room - 1) + 1; // whole names only
  return Buffer.concat([head, rest.subarray(0, end)]);
}
