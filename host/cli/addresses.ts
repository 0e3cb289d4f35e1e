/**
 * Addresses as people write them. Names resolve in the backend's world, IPv4 first and only: PV
 * Calls carries no other address. A port is a number.
 */
import { lookup } from 'node:dns/promises';
import { isIPv4, isIPv6 } from 'node:net';
import type { Address } from '../index.js';
import { UsageError } from './failure.js';
import { integer } from './options.js';

/** Like Address, but the host may be a name. */
export interface NamedAddress {
  readonly host: string;
  readonly port: number;
}

export const LOCALHOST = '127.0.0.1';

/** `what` names the argument, in errors. `anyPort` lets port 0 through. */
export function parseAddress(
  what: string,
  text: string,
  { defaultHost, anyPort = false }: { defaultHost?: string; anyPort?: boolean },
): NamedAddress {
  refuseIPv6(what, text);
  const colon = text.lastIndexOf(':');
  const host = colon < 0 ? defaultHost : text.slice(0, colon);
  if (host === undefined || host === '') {
    const form = defaultHost === undefined ? 'HOST:PORT' : '[HOST:]PORT';
    throw new UsageError(`${what} is "${text}"; it takes ${form}, for example 127.0.0.1:8080`);
  }
  return {
    host,
    port: integer(`the port of ${what}`, text.slice(colon + 1), anyPort ? 0 : 1, 65535),
  };
}

/** An http URL. Throws a UsageError for https, for IPv6 and for what is no URL. */
export function parseHttpUrl(text: string): URL {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new UsageError(`"${text}" is no URL; get takes http://HOST[:PORT]/PATH`);
  }
  if (url.protocol === 'https:') {
    throw new UsageError(
      'get speaks plain http, and https needs TLS, which it does not have; ' +
        'for https, use forward with a client of your own',
    );
  }
  if (url.protocol !== 'http:') {
    throw new UsageError(`"${text}" is no http URL; get takes http://HOST[:PORT]/PATH`);
  }
  refuseIPv6('the host of the URL', url.hostname);
  return url;
}

/** The IPv4 address of a name. Rejects with ENOTFOUND when there is none. */
export async function resolveAddress({ host, port }: NamedAddress): Promise<Address> {
  if (isIPv4(host)) return { host, port };
  const { address } = await lookup(host, { family: 4 });
  return { host: address, port };
}

export function show({ host, port }: NamedAddress): string {
  return `${host}:${port}`;
}

function refuseIPv6(what: string, text: string): void {
  const bare = text.replace(/^\[|\](:\d*)?$/g, '');
  if (!isIPv6(bare) && !text.startsWith('[')) return;
  throw new UsageError(
    `${what} is "${text}", which is IPv6; PV Calls carries IPv4 only: ` +
      'give an IPv4 address or a name',
  );
}
