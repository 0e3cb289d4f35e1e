/**
 * xenstore paths. Spec: xenstore, "Store layout": characters, lengths, and relative paths, which
 * start at the caller's own /local/domain/<domid>.
 */
import { XENSTORE_ABS_PATH_MAX, XENSTORE_REL_PATH_MAX } from '../../../assembly/wire/xenstore.js';
import { StoreError } from './errors.js';

const VALID = /^[-A-Za-z0-9/_@]+$/;

export function domainPath(domid: number): string {
  return `/local/domain/${domid}`;
}

/** The absolute form of a path as a domain gave it. Throws EINVAL. */
export function absolutePath(path: string, domid: number): string {
  const relative = !path.startsWith('/');
  const max = relative ? XENSTORE_REL_PATH_MAX : XENSTORE_ABS_PATH_MAX;
  const bad =
    !VALID.test(path) ||
    path.length > max ||
    path.startsWith('@') ||
    path.includes('//') ||
    (path.endsWith('/') && path !== '/');
  if (bad) throw new StoreError('EINVAL', `"${path.slice(0, 80)}" is not a path`);
  return relative ? `${domainPath(domid)}/${path}` : path;
}

/** As absolutePath; lets the special watch names pass. */
export function watchPath(path: string, domid: number): string {
  if (path === '@introduceDomain' || path === '@releaseDomain') return path;
  return absolutePath(path, domid);
}

export function parentOf(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash <= 0 ? '/' : path.slice(0, slash);
}

export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

export function childOf(path: string, name: string): string {
  return path === '/' ? `/${name}` : `${path}/${name}`;
}

/** Whether a path is another or lies below it. */
export function isWithin(path: string, top: string): boolean {
  if (path === top) return true;
  return top === '/' ? path.startsWith('/') : path.startsWith(`${top}/`);
}
