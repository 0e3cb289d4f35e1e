/**
 * Codec of the seven commands. Spec: pvcalls, "Commands Ring".
 *
 * A request is composed in private memory and zeroed first: a slot still holds what it held before,
 * and the backend must not read that. A response is parsed from a private copy only.
 */
import {
  ACCEPT_EVTCHN,
  ACCEPT_ID_NEW,
  ACCEPT_REF,
  BIND_ADDR,
  BIND_LEN,
  CONNECT_ADDR,
  CONNECT_EVTCHN,
  CONNECT_LEN,
  CONNECT_REF,
  LISTEN_BACKLOG,
  RELEASE_RESET,
  RELEASE_REUSE,
  REQUEST_CMD,
  REQUEST_ID,
  REQUEST_REQ_ID,
  REQUEST_SIZE,
  RESPONSE_CMD,
  RESPONSE_ID,
  RESPONSE_REQ_ID,
  RESPONSE_RET,
  SOCKET_DOMAIN,
  SOCKET_PROTOCOL,
  SOCKET_TYPE,
} from '../wire/pvcalls';

/** Starts a request: everything zero but the three fields that all commands have. */
export function encodeHeader(at: usize, reqId: u32, command: u32, id: u32): void {
  memory.fill(at, 0, REQUEST_SIZE);
  store<u32>(at, reqId, REQUEST_REQ_ID);
  store<u32>(at, command, REQUEST_CMD);
  store<u64>(at, <u64>id, REQUEST_ID);
}

export function encodeSocket(at: usize, domain: u32, type: u32, protocol: u32): void {
  store<u32>(at, domain, SOCKET_DOMAIN);
  store<u32>(at, type, SOCKET_TYPE);
  store<u32>(at, protocol, SOCKET_PROTOCOL);
}

/** The address stands where BIND has it; flags stay 0, reserved. */
export function encodeConnect(at: usize, addr: usize, size: u32, ref: u32, evtchn: u32): void {
  encodeBind(at, addr, size);
  store<u32>(at, ref, CONNECT_REF);
  store<u32>(at, evtchn, CONNECT_EVTCHN);
}

export function encodeRelease(at: usize, reuse: bool, reset: bool): void {
  store<u8>(at, <u8>reuse, RELEASE_REUSE);
  store<u8>(at, <u8>reset, RELEASE_RESET);
}

if (CONNECT_ADDR != BIND_ADDR || CONNECT_LEN != BIND_LEN) ERROR('address of connect and bind');

/** `size` is at most ADDR_SIZE. */
export function encodeBind(at: usize, addr: usize, size: u32): void {
  memory.copy(at + BIND_ADDR, addr, size);
  store<u32>(at, size, BIND_LEN);
}

export function encodeListen(at: usize, backlog: u32): void {
  store<u32>(at, backlog, LISTEN_BACKLOG);
}

export function encodeAccept(at: usize, idNew: u32, ref: u32, evtchn: u32): void {
  store<u64>(at, <u64>idNew, ACCEPT_ID_NEW);
  store<u32>(at, ref, ACCEPT_REF);
  store<u32>(at, evtchn, ACCEPT_EVTCHN);
}

export function responseReqId(at: usize): u32 {
  return load<u32>(at, RESPONSE_REQ_ID);
}

export function responseCommand(at: usize): u32 {
  return load<u32>(at, RESPONSE_CMD);
}

export function responseRet(at: usize): i32 {
  return load<i32>(at, RESPONSE_RET);
}

export function responseId(at: usize): u64 {
  return load<u64>(at, RESPONSE_ID);
}
