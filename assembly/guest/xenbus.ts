/**
 * What every xenbus frontend needs of xenstore: its own directory, the backend's, one question at a
 * time. The state machine that asks them is the device's (pvcalls/device.ts).
 *
 * Paths: our nodes are relative to our domain's directory, `device/pvcalls/0/...`; the backend's
 * directory is absolute and read from our `backend` node.
 */
import { carve } from './arena';
import {
  XS_READ,
  XS_TRANSACTION_END,
  XS_TRANSACTION_START,
  XS_UNWATCH,
  XS_WATCH,
  XS_WRITE,
} from '../wire/xenstore';
import { DEVICE_PATH_HI, DEVICE_PATH_LO, putDecimal, putName, STATE_HI, STATE_LO } from './text';
import { storePayload, storeSubmit } from './xenstore';

/** Longest backend directory that is taken, bytes. */
const PATH_MAX: u32 = 256;

/** Tokens of our watches, one character. */
export const TOKEN_DEVICE: u32 = 0x64; //  d: our `backend` node came, changed or went
export const TOKEN_BACKEND: u32 = 0x62; // b: the backend's state

@unmanaged
class Xenbus {
  pathSize: u32; //        backend directory, which follows: bytes; 0 unknown
}

let xenbus: Xenbus = changetype<Xenbus>(0);

/** Bytes of tables, alignment included. */
export const XENBUS_SIZE: u32 = offsetof<Xenbus>() + PATH_MAX + 4;

export function xenbusInit(): void {
  xenbus = changetype<Xenbus>(carve(XENBUS_SIZE));
}

function backendPathAt(): usize {
  return changetype<usize>(xenbus) + offsetof<Xenbus>();
}

/** Whether the backend directory is known. */
export function backendKnown(): bool {
  return xenbus.pathSize != 0;
}

export function forgetBackend(): void {
  xenbus.pathSize = 0;
}

/** Takes the backend directory. False when it cannot be one. */
export function setBackend(path: usize, size: u32): bool {
  if (size == 0 || size > PATH_MAX || load<u8>(path) != 0x2f) return false;
  memory.copy(backendPathAt(), path, size);
  xenbus.pathSize = size;
  return true;
}

export function sameBackend(path: usize, size: u32): bool {
  let same: u32 = 0;
  while (same < size && load<u8>(path + same) == load<u8>(backendPathAt() + same)) same += 1;
  return same == size && size == xenbus.pathSize;
}

/** Requests. Result: the req_id, or a negative errno: EAGAIN means ask again later. */
export function readOwn(low: u64, high: u64): i32 {
  return submit(XS_READ, 0, ownPath(low, high));
}

export function readBackend(low: u64, high: u64): i32 {
  return submit(XS_READ, 0, backendPath(low, high));
}

/** Writes a number; the value has no NUL. */
export function writeOwn(transaction: u32, low: u64, high: u64, value: u32): i32 {
  const end = ownPath(low, high);
  return submit(XS_WRITE, transaction, end == 0 ? 0 : putDecimal(end, value));
}

/** Says which xenbus state we are in. */
export function writeState(transaction: u32, state: u32): i32 {
  return writeOwn(transaction, STATE_LO, STATE_HI, state);
}

export function watchOwn(low: u64, high: u64, token: u32): i32 {
  return submit(XS_WATCH, 0, putToken(ownPath(low, high), token));
}

export function watchBackend(low: u64, high: u64, token: u32): i32 {
  return submit(XS_WATCH, 0, putToken(backendPath(low, high), token));
}

export function unwatchBackend(low: u64, high: u64, token: u32): i32 {
  return submit(XS_UNWATCH, 0, putToken(backendPath(low, high), token));
}

export function transactionStart(): i32 {
  const end = storePayload();
  if (end != 0) store<u8>(end, 0);
  return submit(XS_TRANSACTION_START, 0, end == 0 ? 0 : end + 1);
}

/** Ends the transaction with commit or, on trouble, without effect. */
export function transactionEnd(transaction: u32, commit: bool): i32 {
  const at = storePayload();
  if (at != 0) store<u16>(at, commit ? 0x54 : 0x46); // "T" or "F", and NUL
  return submit(XS_TRANSACTION_END, transaction, at == 0 ? 0 : at + 2);
}

/** Submits what was composed up to `end`; with `end` 0 the way out is busy, and says so. */
function submit(type: u32, transaction: u32, end: usize): i32 {
  return storeSubmit(type, transaction, end == 0 ? 0 : <u32>(end - storePayload()));
}

/** Composes a path and its NUL. Result: the address after it, or 0 while the way out is busy. */
function ownPath(low: u64, high: u64): usize {
  const at = storePayload();
  return at == 0 ? 0 : putNode(putName(at, DEVICE_PATH_LO, DEVICE_PATH_HI), low, high);
}

function backendPath(low: u64, high: u64): usize {
  const at = storePayload();
  if (at == 0) return 0;
  memory.copy(at, backendPathAt(), xenbus.pathSize);
  return putNode(at + xenbus.pathSize, low, high);
}

function putNode(at: usize, low: u64, high: u64): usize {
  store<u8>(at, 0x2f);
  const end = putName(at + 1, low, high);
  store<u8>(end, 0);
  return end + 1;
}

function putToken(at: usize, token: u32): usize {
  if (at == 0) return 0;
  store<u16>(at, <u16>token); // one character and its NUL
  return at + 2;
}
