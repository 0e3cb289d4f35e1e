/**
 * Codec of the backend's half: requests are decoded from a private copy of their slot, responses
 * encoded into a private buffer. Spec: pvcalls, "Commands Ring".
 * Trust: every byte of a request is the guest's. Decoding never fails; what a field may hold is
 * the dispatcher's business, except the address, which is checked here.
 */
import { EAFNOSUPPORT, EINVAL } from '../../assembly/wire/errno.js';
import * as inet from '../../assembly/wire/inet.js';
import * as wire from '../../assembly/wire/pvcalls.js';
import type { InetAddress } from './socket-layer.js';

/** By number: COMMANDS[PVCALLS_CONNECT] is 'connect'. */
export const COMMANDS = [
  'socket',
  'connect',
  'release',
  'bind',
  'listen',
  'accept',
  'poll',
] as const;

export type CommandName = (typeof COMMANDS)[number] | 'unknown';

/** One request, decoded. A field that the command does not have reads as whatever its bytes are. */
export class Request {
  private readonly view: DataView;

  /** Takes a private copy of a slot, 64 bytes, and when it was seen, on the scheduler's clock. */
  constructor(
    private readonly bytes: Uint8Array,
    readonly seenMs = 0,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, wire.REQUEST_SIZE);
  }

  get reqId(): number {
    return this.u32(wire.REQUEST_REQ_ID);
  }
  get cmd(): number {
    return this.u32(wire.REQUEST_CMD);
  }
  get command(): CommandName {
    return COMMANDS[this.cmd] ?? 'unknown';
  }
  get id(): bigint {
    return this.view.getBigUint64(wire.REQUEST_ID, true);
  }

  get socket(): { domain: number; type: number; protocol: number } {
    return {
      domain: this.u32(wire.SOCKET_DOMAIN),
      type: this.u32(wire.SOCKET_TYPE),
      protocol: this.u32(wire.SOCKET_PROTOCOL),
    };
  }
  get connect(): { ref: number; evtchn: number } {
    return { ref: this.u32(wire.CONNECT_REF), evtchn: this.u32(wire.CONNECT_EVTCHN) };
  }
  get release(): { reuse: boolean; reset: boolean } {
    return {
      reuse: this.bytes[wire.RELEASE_REUSE] === 1,
      reset: this.bytes[wire.RELEASE_RESET] === 1,
    };
  }
  get listen(): { backlog: number } {
    return { backlog: this.u32(wire.LISTEN_BACKLOG) };
  }
  get accept(): { idNew: bigint; ref: number; evtchn: number } {
    return {
      idNew: this.view.getBigUint64(wire.ACCEPT_ID_NEW, true),
      ref: this.u32(wire.ACCEPT_REF),
      evtchn: this.u32(wire.ACCEPT_EVTCHN),
    };
  }

  /**
   * The address of connect or bind; they share its offsets. -EINVAL when `len` cannot be that of a
   * sockaddr_in, `otherFamily` for another family.
   * Spec: pvcalls, "Socket families and address format": family little-endian, the rest network
   * order. Bytes beyond `len` are stale and never looked at.
   */
  decodeAddress(otherFamily = -EAFNOSUPPORT): InetAddress | number {
    const len = this.u32(wire.CONNECT_LEN);
    if (len < 2 || len > inet.ADDR_SIZE) return -EINVAL;
    const family = this.view.getUint16(wire.CONNECT_ADDR + inet.SIN_FAMILY, true);
    if (family !== inet.AF_INET) return otherFamily;
    if (len < inet.SIN_ADDR + 4) return -EINVAL;
    const start = wire.CONNECT_ADDR + inet.SIN_ADDR;
    return {
      host: this.bytes.subarray(start, start + 4).join('.'),
      port: this.view.getUint16(wire.CONNECT_ADDR + inet.SIN_PORT, false),
    };
  }

  private u32(offset: number): number {
    return this.view.getUint32(offset, true);
  }
}

/** A response, 24 bytes; padding zero. `ret` is 0 or a negative errno. */
export function encodeResponse(request: Request, ret: number): Uint8Array {
  const bytes = new Uint8Array(wire.RESPONSE_SIZE);
  const view = new DataView(bytes.buffer);
  view.setUint32(wire.RESPONSE_REQ_ID, request.reqId, true);
  view.setUint32(wire.RESPONSE_CMD, request.cmd, true);
  view.setInt32(wire.RESPONSE_RET, ret, true);
  view.setBigUint64(wire.RESPONSE_ID, request.id, true);
  return bytes;
}
