/**
 * Node permissions. Spec: xenstore, "Permissions". The first entry names the owner, who may do
 * everything, and what everybody else may; the others name single domains. Domain 0 may do
 * everything everywhere.
 */
import { StoreError } from './errors.js';

export interface Permission {
  readonly domid: number;
  /** none, read, write, both. */
  readonly access: 'n' | 'r' | 'w' | 'b';
}

export type Permissions = readonly Permission[];

export const READ = 1;
export const WRITE = 2;
export const OWNER = 4;

const ALLOWS = { n: 0, r: READ, w: WRITE, b: READ | WRITE } as const;
const DOMID_MAX = 0xffff;

/** The rights of a domain on a node: an or of READ, WRITE and OWNER. */
export function rightsOf(permissions: Permissions, domid: number): number {
  const first = permissions[0];
  if (domid === 0 || first?.domid === domid) return READ | WRITE | OWNER;
  const entry = permissions.slice(1).find((other) => other.domid === domid) ?? first;
  return entry === undefined ? 0 : ALLOWS[entry.access];
}

/** From the wire form, `n0`, `r7` ... Throws EINVAL. */
export function parsePermissions(texts: readonly string[]): Permissions {
  return texts.map((text) => {
    const match = /^([nrwb])(\d{1,5})$/.exec(text);
    const domid = Number(match?.[2]);
    if (match === null || domid > DOMID_MAX) {
      throw new StoreError('EINVAL', `"${text.slice(0, 40)}" is not a permission such as "r1"`);
    }
    return { access: match[1] as Permission['access'], domid };
  });
}

export function formatPermissions(permissions: Permissions): string[] {
  return permissions.map(({ access, domid }) => `${access}${domid}`);
}
