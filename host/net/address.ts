/** sockaddr_in, as PV Calls carries it. Spec: pvcalls, "Socket families and address format". */
import { isIPv4, isIPv6 } from 'node:net';
import {
  AF_INET,
  SIN_ADDR,
  SIN_FAMILY,
  SIN_PORT,
  SOCKADDR_IN_SIZE,
} from '../../assembly/wire/inet.js';

/** Where to connect or listen: a dotted IPv4 address and a port. Names are resolved elsewhere. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** Throws, before anything is asked of the backend, for what an address cannot be. */
export function checkAddress(what: string, { host, port }: Address): void {
  if (isIPv6(host)) {
    const error = new Error(
      `${what}: ${host} is IPv6, and PV Calls carries IPv4 only; give an IPv4 address`,
    );
    throw Object.assign(error, { code: 'EAFNOSUPPORT' });
  }
  if (!isIPv4(host)) {
    throw new TypeError(`${what}: "${host}" is not an IPv4 address; resolve names first`);
  }
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    throw new RangeError(`${what}: port ${port} is not a number from 0 to 65535`);
  }
}

/** Writes the address at `at`. Result: its size in bytes. */
export function encodeAddress(bytes: Uint8Array, at: number, { host, port }: Address): number {
  bytes.fill(0, at, at + SOCKADDR_IN_SIZE);
  bytes[at + SIN_FAMILY] = AF_INET;
  bytes[at + SIN_PORT] = port >>> 8;
  bytes[at + SIN_PORT + 1] = port & 0xff;
  host.split('.').forEach((part, index) => (bytes[at + SIN_ADDR + index] = Number(part)));
  return SOCKADDR_IN_SIZE;
}
