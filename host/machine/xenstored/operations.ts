/**
 * The operations on nodes, with permissions and quotas, on the tree or inside a transaction.
 * Spec: xenstore, "Database read, write and permissions operations".
 *
 * An absent node is ENOENT only to those who could have used the nearest node above it, else
 * EACCES: what a domain may not see, it cannot probe.
 */
import { XENSTORE_PAYLOAD_MAX } from '../../../assembly/wire/xenstore.js';
import { StoreError } from './errors.js';
import type { NodeView, StoreNode } from './nodes.js';
import { childOf, nameOf, parentOf } from './paths.js';
import { OWNER, READ, WRITE, rightsOf, type Permissions } from './permissions.js';
import { NODES_MAX, PERMISSIONS_MAX, VALUE_MAX } from './quotas.js';

const EMPTY = new Uint8Array(0);

/** All paths are absolute and valid. Throws StoreError. */
export class Operations {
  constructor(
    private readonly view: NodeView,
    private readonly domid: number,
  ) {}

  read(path: string): Uint8Array {
    return this.find(path, READ, 'read').value;
  }

  directory(path: string): string[] {
    return [...this.find(path, READ, 'directory').children];
  }

  generation(path: string): number {
    return this.find(path, READ, 'directory').generation;
  }

  getPermissions(path: string): Permissions {
    return this.find(path, READ, 'get_perms').permissions;
  }

  write(path: string, value: Uint8Array): void {
    const limit = this.domid === 0 ? XENSTORE_PAYLOAD_MAX : VALUE_MAX;
    if (value.length > limit) {
      const code = this.domid === 0 ? 'E2BIG' : 'ENOSPC';
      throw new StoreError(code, `write ${path}: ${value.length} bytes, at most ${limit}`);
    }
    const node = this.view.get(path);
    if (node === undefined) {
      this.create(path, value, 'write');
    } else {
      this.check(node, path, WRITE, 'write');
      this.view.set(path, { ...node, value });
    }
    this.changed(path);
  }

  mkdir(path: string): void {
    const node = this.view.get(path);
    if (node !== undefined) return this.check(node, path, WRITE, 'mkdir');
    this.create(path, EMPTY, 'mkdir');
    this.changed(path);
  }

  /** Removes a subtree. An absent node below an existing one counts as removed. */
  rm(path: string): void {
    if (path === '/') throw new StoreError('EINVAL', 'rm /: the root stays');
    const parentPath = parentOf(path);
    const parent = this.view.get(parentPath);
    const node = this.view.get(path);
    if (node === undefined || parent === undefined) {
      const error = this.missing(path, WRITE, 'rm');
      if (parent !== undefined && error.code === 'ENOENT') return;
      throw error;
    }
    this.check(node, path, WRITE, 'rm');
    this.changed(path);
    const children = new Set(parent.children);
    children.delete(nameOf(path));
    this.view.set(parentPath, { ...parent, children });
    this.removeChildren(path, node);
    this.view.delete(path);
  }

  setPermissions(path: string, permissions: Permissions): void {
    const node = this.find(path, WRITE | OWNER, 'set_perms');
    if (permissions.length === 0) throw new StoreError('EINVAL', `set_perms ${path}: none given`);
    if (this.domid !== 0) {
      if (permissions[0]!.domid !== node.permissions[0]!.domid) {
        throw new StoreError('EPERM', `set_perms ${path}: only domain 0 gives nodes away`);
      }
      if (permissions.length > PERMISSIONS_MAX) {
        throw new StoreError('ENOSPC', `set_perms ${path}: at most ${PERMISSIONS_MAX} entries`);
      }
    }
    this.view.set(path, { ...node, permissions });
    this.changed(path);
  }

  private find(path: string, want: number, operation: string): StoreNode {
    const node = this.view.get(path);
    if (node === undefined) throw this.missing(path, want, operation);
    this.check(node, path, want, operation);
    return node;
  }

  private check(node: StoreNode, path: string, want: number, operation: string): void {
    if ((rightsOf(node.permissions, this.domid) & want) === want) return;
    throw new StoreError('EACCES', `${operation} ${path}: domain ${this.domid} may not`);
  }

  private missing(path: string, want: number, operation: string): StoreError {
    const [, above] = this.nearest(path);
    const mayKnow = (rightsOf(above.permissions, this.domid) & want) !== 0;
    return mayKnow
      ? new StoreError('ENOENT', `${operation} ${path}: there is no such node`)
      : new StoreError('EACCES', `${operation} ${path}: domain ${this.domid} may not`);
  }

  /** The nearest node above an absent path. */
  private nearest(path: string): [string, StoreNode] {
    for (let above = parentOf(path); ; above = parentOf(above)) {
      const node = this.view.get(above);
      if (node !== undefined) return [above, node];
    }
  }

  /** Makes a node and its parents, with the permissions of the nearest node above. */
  private create(path: string, value: Uint8Array, operation: string): void {
    const [top, above] = this.nearest(path);
    this.check(above, top, WRITE, operation);
    const names = path.slice(top === '/' ? 1 : top.length + 1).split('/');
    const [first, ...others] = above.permissions;
    const owner = this.domid === 0 ? first!.domid : this.domid;
    const permissions = [{ ...first!, domid: owner }, ...others];
    if (this.domid !== 0 && this.view.ownedBy(owner) + names.length > NODES_MAX) {
      throw new StoreError(
        'ENOSPC',
        `${operation} ${path}: domain ${owner} has ${NODES_MAX} nodes`,
      );
    }
    this.view.set(top, { ...above, children: new Set(above.children).add(names[0]!) });
    let at = top;
    names.forEach((name, depth) => {
      at = childOf(at, name);
      const child = names[depth + 1];
      const children = new Set(child === undefined ? [] : [child]);
      this.view.set(at, { value: child === undefined ? value : EMPTY, permissions, children });
    });
  }

  private removeChildren(path: string, node: StoreNode): void {
    for (const name of node.children) {
      const at = childOf(path, name);
      const child = this.view.get(at);
      if (child === undefined) continue;
      const readable = [child.permissions, node.permissions];
      this.view.changed({ path: at, exact: true, readable });
      this.removeChildren(at, child);
      this.view.delete(at);
    }
  }

  private changed(path: string): void {
    const readable = [this.view.get(path), this.view.get(parentOf(path))]
      .filter((node) => node !== undefined)
      .map((node) => node.permissions);
    this.view.changed({ path, exact: false, readable });
  }
}
