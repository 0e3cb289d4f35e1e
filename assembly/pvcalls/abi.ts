/**
 * Exports that are more than a function of one room: handles checked, the batch sent, the device
 * moved on. Everything else of the ABI is exported from where it is.
 */
import { storePayload, storeSubmit } from '../guest/xenstore';
import { ABI_VERSION, DEVICE_CLOSED } from '../wire/abi';
import { EBADF } from '../wire/errno';
import { deviceStart, deviceStop } from './device';
import { frontend, frontendAttach, frontendDetach, frontendOffer, offeredRef } from './frontend';
import { closeSocket, releaseSocket } from './release';
import { socketOf, STATE_DRAINING, STATE_RESERVED } from './sockets';
import { pump } from './submit';

export function abiVersion(): u32 {
  return ABI_VERSION;
}

/** Brings the device up through xenstore, now or as soon as there is one. */
export function xenbusStart(): void {
  deviceStart();
}

/** Takes it down in the protocol's order. */
export function xenbusStop(): void {
  deviceStop();
}

/** Makes a command ring for `backend`. Result: its grant reference, or -EISCONN, -ENOBUFS. */
export function attachOffer(backend: u32): i32 {
  const result = frontendOffer(backend);
  return result < 0 ? result : <i32>offeredRef();
}

/** The event channel port of the command ring on offer; 0 without one. */
export function attachPort(): u32 {
  return frontend.port;
}

/** The backend is connected: its max-page-order and FEATURE_* bits. */
export function attachConnected(maxPageOrder: u32, features: u32): void {
  frontendAttach(maxPageOrder, features);
  pump();
}

/** The backend is gone or has let go: everything pending ends, frames it still maps are parked. */
export function attachDetached(): void {
  frontendDetach(DEVICE_CLOSED);
}

/** Where the payload of a store_request is written, 4096 bytes; 0 while one is being sent. */
export function storeBuffer(): usize {
  return storePayload();
}

/** Sends the payload in store_buffer. Result: the request that EVENT_STORE names, or an errno. */
export function storeRequest(type: u32, transaction: u32, size: u32): i32 {
  return storeSubmit(type, transaction, size);
}

/** Closes; what was sent still goes out. 0 and EVENT_CLOSED later, or -EBADF. */
export function close(handle: u32): i32 {
  const socket = socketOf(handle, STATE_DRAINING);
  if (socket === null) return -EBADF;
  closeSocket(socket);
  pump();
  return 0;
}

/** Closes at once; what was not sent is dropped, and the peer is reset where the backend can. */
export function abort(handle: u32): i32 {
  const socket = socketOf(handle, STATE_RESERVED);
  if (socket === null) return -EBADF;
  releaseSocket(socket, true);
  pump();
  return 0;
}
