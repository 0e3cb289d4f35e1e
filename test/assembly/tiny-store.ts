/**
 * A store of a few nodes behind xenstored-end.ts, as domain 7 sees it, with a toolstack and a
 * backend that follow a script. One request is served at a time, so that a spec can step in between
 * any two. Values have no NUL, as `xl` writes them.
 */
import { handleEvent } from '../../assembly/pvcalls/instance';
import {
  requestId,
  requestText,
  requestTransaction,
  requestType,
  say,
  storedStart,
  storedTake,
} from './xenstored-end';

const READ: u32 = 2;
const WATCH: u32 = 4;
const UNWATCH: u32 = 5;
const TRANSACTION_START: u32 = 6;
const TRANSACTION_END: u32 = 7;
const WRITE: u32 = 11;
const WATCH_EVENT: u32 = 15;
const ERROR: u32 = 16;

const HOME: string = '/local/domain/7/';
const DEVICE: string = HOME + 'device/pvcalls/0/';
export const BACKEND_DIRECTORY: string = '/local/domain/0/backend/pvcalls/7/0';

let nodes: Map<string, string> = new Map();
let watched: string[] = [];
let tokens: string[] = [];
let draftPaths: string[] = [];
let draftValues: string[] = [];
let port: u32 = 0;

/** States that the guest wrote, as digits, in order. */
export let states: string = '';
/** Transactions that were started, and those that were not ended yet. */
export let transactions: i32 = 0;
export let openTransactions: i32 = 0;
/** Watches that are set. */
export function watches(): i32 {
  return watched.length;
}

/** How many transactions are still to end with EAGAIN. */
export let conflicts: i32 = 0;
/** A node, by its last name, that may not be written; '' for none. */
export let forbidden: string = '';
/** What TRANSACTION_START is answered. */
export let transactionText: string = '5|';
/** Whether the backend follows the guest: Connected on Initialised, and closing with it. */
export let following: bool = false;
/** Whether a backend that follows lets go when the guest is Closing. */
export let lettingGo: bool = true;
/** Whether watch events are held back. */
export let quiet: bool = false;

export function setConflicts(count: i32): void {
  conflicts = count;
}

export function forbid(name: string): void {
  forbidden = name;
}

export function answerTransactionsWith(text: string): void {
  transactionText = text;
}

export function follow(on: bool, letGo: bool): void {
  following = on;
  lettingGo = letGo;
}

/** An empty store on a fresh ring; the guest's port is `storePort`. */
export function storeStart(storePort: u32): void {
  storedStart(0);
  nodes = new Map();
  watched = [];
  tokens = [];
  draftPaths = [];
  draftValues = [];
  port = storePort;
  states = '';
  transactions = 0;
  openTransactions = 0;
  conflicts = 0;
  forbidden = '';
  transactionText = '5|';
  following = false;
  lettingGo = true;
  quiet = false;
}

/** What `xl` writes for a device, in its order, and what a backend offers at InitWait. */
export function addDevice(): void {
  setNode(BACKEND_DIRECTORY + '/versions', '1');
  setNode(BACKEND_DIRECTORY + '/max-page-order', '4');
  setNode(BACKEND_DIRECTORY + '/function-calls', '1');
  setNode(BACKEND_DIRECTORY + '/state', '2');
  setNode(DEVICE + 'state', '1');
  setNode(DEVICE + 'backend-id', '0');
  setNode(DEVICE + 'backend', BACKEND_DIRECTORY);
}

/** A node of the backend. */
export function offer(name: string, value: string): void {
  setNode(BACKEND_DIRECTORY + '/' + name, value);
}

export function withhold(name: string): void {
  removeNode(BACKEND_DIRECTORY + '/' + name);
}

/** A node of the guest's device. */
export function setOwn(name: string, value: string): void {
  setNode(DEVICE + name, value);
}

export function own(name: string): string {
  return has(DEVICE + name) ? nodes.get(DEVICE + name) : '-';
}

export function removeOwn(name: string): void {
  removeNode(DEVICE + name);
}

export function setNode(path: string, value: string): void {
  nodes.set(path, value);
  fire(path);
}

function removeNode(path: string): void {
  if (nodes.delete(path)) fire(path);
}

function has(path: string): bool {
  return nodes.has(path);
}

/** Messages are never left to fill the ring: the guest takes each at once, unless `quiet`. */
function fire(path: string): void {
  for (let i = 0; i < watched.length; i++) {
    if (watched[i] != path || quiet) continue;
    say(WATCH_EVENT, 0, relative(path) + '|' + tokens[i] + '|');
    handleEvent(port);
  }
}

/** Holds watch events back, or fires every watch once. */
export function holdWatches(on: bool): void {
  quiet = on;
  if (!on) for (let i = 0; i < watched.length; i++) fire(watched[i]);
}

function relative(path: string): string {
  return path.startsWith(HOME) ? path.substr(HOME.length) : path;
}

function absolute(path: string): string {
  return path.startsWith('/') ? path : HOME + path;
}

/** Serves one request. False when there is none. */
export function serveOne(): bool {
  if (!storedTake(1 << 16)) return false;
  const text = requestText();
  const end = text.indexOf('|');
  const path = absolute(end < 0 ? text : text.substr(0, end));
  const rest = end < 0 ? '' : text.substr(end + 1);
  const type = requestType();
  if (type == READ) read(path);
  else if (type == WRITE) write(path, rest);
  else if (type == WATCH) watch(path, rest.substr(0, rest.length - 1));
  else if (type == UNWATCH) unwatch(path);
  else if (type == TRANSACTION_START) startTransaction();
  else if (type == TRANSACTION_END) endTransaction(text == 'T|');
  else respond(ERROR, 'ENOSYS|');
  return true;
}

/** Serves until the guest asks nothing more. Result: how many requests. */
export function serveAll(): i32 {
  let count = 0;
  while (serveOne()) {
    count += 1;
    expect(count).toBeLessThan(300);
  }
  return count;
}

function respond(type: u32, text: string): void {
  say(type, requestId(), text);
  handleEvent(port);
}

function read(path: string): void {
  if (has(path)) respond(READ, nodes.get(path));
  else respond(ERROR, 'ENOENT|');
}

function write(path: string, value: string): void {
  if (forbidden != '' && path.endsWith('/' + forbidden)) return respond(ERROR, 'EACCES|');
  respond(WRITE, 'OK|');
  if (requestTransaction() == 0) return settle(path, value);
  draftPaths.push(path);
  draftValues.push(value);
}

/** A write of the guest takes effect. */
function settle(path: string, value: string): void {
  const isState = path == DEVICE + 'state';
  if (isState) states += value;
  setNode(path, value);
  if (!isState || !following) return;
  if (value == '1') offer('state', '2');
  else if (value == '3') offer('state', '4');
  else if (value == '5' && lettingGo) offer('state', '5');
  else if (value == '6' && lettingGo) offer('state', '6');
}

function watch(path: string, token: string): void {
  respond(WATCH, 'OK|');
  watched.push(path);
  tokens.push(token);
  fire(path);
}

function unwatch(path: string): void {
  const index = watched.indexOf(path);
  if (index < 0) return respond(ERROR, 'ENOENT|');
  watched.splice(index, 1);
  tokens.splice(index, 1);
  respond(UNWATCH, 'OK|');
}

function startTransaction(): void {
  transactions += 1;
  openTransactions += 1;
  respond(TRANSACTION_START, transactionText);
}

function endTransaction(commit: bool): void {
  openTransactions -= 1;
  const paths = draftPaths;
  const values = draftValues;
  draftPaths = [];
  draftValues = [];
  if (commit && conflicts > 0) {
    conflicts -= 1;
    return respond(ERROR, 'EAGAIN|');
  }
  respond(TRANSACTION_END, 'OK|');
  if (!commit) return;
  for (let i = 0; i < paths.length; i++) settle(paths[i], values[i]);
}
