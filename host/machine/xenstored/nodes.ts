/**
 * The tree: a map from absolute path to node. Nodes are immutable; a change makes a new one with
 * a new generation. A transaction is a layer over the tree that remembers the generation of
 * everything it looked at: it commits only if all of that is still the same, else EAGAIN.
 */
import { StoreError } from './errors.js';
import { isWithin } from './paths.js';
import type { Permissions } from './permissions.js';
import { NODES_MAX, TRANSACTION_NODES_MAX } from './quotas.js';
import { WatchIndex } from './watch-index.js';

export interface StoreNode {
  readonly value: Uint8Array;
  readonly permissions: Permissions;
  readonly children: ReadonlySet<string>;
  /** Changes with value, permissions and list of children, not with what is inside the children. */
  readonly generation: number;
}

/** A change to tell watches of. */
export interface Change {
  readonly path: string;
  /** Only for watches on that very path: it went with a node above it. */
  readonly exact: boolean;
  /** Who may hear of it: whoever may read the node or its parent. */
  readonly readable: readonly Permissions[];
}

/** What operations work on: the tree itself or a transaction. */
export interface NodeView {
  get(path: string): StoreNode | undefined;
  set(path: string, node: Omit<StoreNode, 'generation'>): void;
  delete(path: string): void;
  /** Nodes that a domain owns. */
  ownedBy(domid: number): number;
  changed(change: Change): void;
}

const EMPTY = new Uint8Array(0);

export class NodeTree implements NodeView {
  private readonly nodes = new Map<string, StoreNode>();
  private readonly owned = new Map<number, number>();
  private generation = 0;
  readonly watches = new WatchIndex();

  constructor() {
    const permissions = [{ domid: 0, access: 'n' }] as const;
    this.set('/', { value: EMPTY, permissions, children: new Set() });
  }

  get(path: string): StoreNode | undefined {
    return this.nodes.get(path);
  }

  set(path: string, node: Omit<StoreNode, 'generation'>): void {
    this.account(this.nodes.get(path), -1);
    const next = { ...node, generation: ++this.generation };
    this.nodes.set(path, next);
    this.account(next, 1);
  }

  delete(path: string): void {
    this.account(this.nodes.get(path), -1);
    this.nodes.delete(path);
  }

  ownedBy(domid: number): number {
    return this.owned.get(domid) ?? 0;
  }

  changed(change: Change): void {
    this.watches.fire(change);
  }

  /** Paths of a subtree, for listings; parents first. */
  paths(top: string): string[] {
    return [...this.nodes.keys()].filter((path) => isWithin(path, top)).sort();
  }

  private account(node: StoreNode | undefined, change: number): void {
    const owner = node?.permissions[0]?.domid;
    if (owner !== undefined) this.owned.set(owner, this.ownedBy(owner) + change);
  }
}

export class TransactionView implements NodeView {
  private readonly seen = new Map<string, StoreNode | undefined>();
  private readonly written = new Map<string, StoreNode | undefined>();
  private readonly ownedChange = new Map<number, number>();
  private readonly changes = new Map<string, Change>();

  constructor(
    private readonly tree: NodeTree,
    private readonly domid: number,
  ) {}

  get(path: string): StoreNode | undefined {
    if (this.written.has(path)) return this.written.get(path);
    if (this.seen.has(path)) return this.seen.get(path);
    if (this.domid !== 0 && this.seen.size >= TRANSACTION_NODES_MAX) {
      throw new StoreError('ENOSPC', `transaction: more than ${TRANSACTION_NODES_MAX} nodes`);
    }
    const node = this.tree.get(path);
    this.seen.set(path, node);
    return node;
  }

  set(path: string, node: Omit<StoreNode, 'generation'>): void {
    this.account(this.get(path), -1);
    const next = { ...node, generation: 0 };
    this.written.set(path, next);
    this.account(next, 1);
  }

  delete(path: string): void {
    this.account(this.get(path), -1);
    this.written.set(path, undefined);
  }

  ownedBy(domid: number): number {
    return this.tree.ownedBy(domid) + (this.ownedChange.get(domid) ?? 0);
  }

  changed(change: Change): void {
    this.changes.set(`${change.exact ? '=' : ''}${change.path}`, change);
  }

  /** Puts the changes into the tree, all or none. Throws EAGAIN after a conflict, or ENOSPC. */
  commit(): void {
    for (const [path, node] of this.seen) {
      if (this.tree.get(path)?.generation === node?.generation) continue;
      throw new StoreError('EAGAIN', `${path} changed during the transaction`);
    }
    const more = this.ownedChange.get(this.domid) ?? 0;
    if (this.domid !== 0 && more > 0 && this.ownedBy(this.domid) > NODES_MAX) {
      throw new StoreError('ENOSPC', `transaction: domain ${this.domid} has ${NODES_MAX} nodes`);
    }
    for (const [path, node] of this.written) {
      if (node === undefined) this.tree.delete(path);
      else this.tree.set(path, node);
    }
    for (const change of this.changes.values()) this.tree.changed(change);
  }

  private account(node: StoreNode | undefined, change: number): void {
    const owner = node?.permissions[0]?.domid;
    if (owner === undefined) return;
    this.ownedChange.set(owner, (this.ownedChange.get(owner) ?? 0) + change);
  }
}
