/**
 * One client of xenstored, whichever way it came: its watches and its transactions. Spec:
 * xenstore, "Watches" and "Transactions". Paths are as the client gave them. Throws StoreError.
 */
import { StoreError } from './errors.js';
import { TransactionView, type Change, type NodeTree } from './nodes.js';
import { Operations } from './operations.js';
import { absolutePath, domainPath, watchPath } from './paths.js';
import { READ, rightsOf } from './permissions.js';
import { TRANSACTIONS_MAX, WATCHES_MAX } from './quotas.js';
import type { Watcher } from './watch-index.js';

export interface Watch {
  /** In the tree's index. */
  readonly watcher: Watcher;
  /** As the client gave it, and absolute. */
  readonly given: string;
  readonly path: string;
  readonly token: string;
}

export class Connection {
  private readonly direct: Operations;
  private readonly transactions = new Map<number, TransactionView>();
  private watchList: Watch[] = [];
  private lastTransaction = 0;

  /** `deliver` gets the events, at once; it must not call back into xenstored. */
  constructor(
    private readonly tree: NodeTree,
    readonly domid: number,
    private readonly deliver: (path: string, watch: Watch) => void,
  ) {
    this.direct = new Operations(tree, domid);
  }

  get watches(): readonly Watch[] {
    return this.watchList;
  }

  get openTransactions(): number {
    return this.transactions.size;
  }

  /** Operations on the tree, or inside a transaction when the id is not 0. */
  operations(transaction: number): Operations {
    if (transaction === 0) return this.direct;
    return new Operations(this.view(transaction), this.domid);
  }

  absolute(path: string): string {
    return absolutePath(path, this.domid);
  }

  watch(path: string, token: string): void {
    const watch: Watch = {
      watcher: (change) => this.notify(change, watch),
      given: path,
      path: watchPath(path, this.domid),
      token,
    };
    if (this.watchList.some((other) => other.path === watch.path && other.token === token)) {
      throw new StoreError('EEXIST', `watch ${path}: set already with this token`);
    }
    if (this.domid !== 0 && this.watchList.length >= WATCHES_MAX) {
      throw new StoreError('E2BIG', `watch ${path}: domain ${this.domid} has ${WATCHES_MAX}`);
    }
    this.watchList.push(watch);
    this.tree.watches.add(watch.path, watch.watcher);
    this.deliver(path, watch); // always once, so that clients need not look first
  }

  unwatch(path: string, token: string): void {
    const absolute = watchPath(path, this.domid);
    const at = this.watchList.findIndex((one) => one.path === absolute && one.token === token);
    if (at < 0) throw new StoreError('ENOENT', `unwatch ${path}: not set with this token`);
    const [watch] = this.watchList.splice(at, 1);
    this.tree.watches.remove(absolute, watch!.watcher);
  }

  /** Result: the id of the transaction. */
  begin(): number {
    if (this.domid !== 0 && this.transactions.size >= TRANSACTIONS_MAX) {
      throw new StoreError('ENOSPC', `transaction: domain ${this.domid} has ${TRANSACTIONS_MAX}`);
    }
    do {
      this.lastTransaction = (this.lastTransaction + 1) >>> 0;
    } while (this.lastTransaction === 0 || this.transactions.has(this.lastTransaction));
    this.transactions.set(this.lastTransaction, new TransactionView(this.tree, this.domid));
    return this.lastTransaction;
  }

  /** Ends a transaction; EAGAIN when it conflicted: start again. */
  end(transaction: number, commit: boolean): void {
    const view = this.view(transaction);
    this.transactions.delete(transaction);
    if (commit) view.commit();
  }

  /** Forgets watches and transactions. */
  reset(): void {
    for (const { path, watcher } of this.watchList) this.tree.watches.remove(path, watcher);
    this.watchList = [];
    this.transactions.clear();
  }

  /** Tells this client of a change, if it may know. */
  private notify(change: Change, watch: Watch): void {
    const mayKnow = change.readable.some((one) => (rightsOf(one, this.domid) & READ) !== 0);
    if (mayKnow || this.domid === 0) this.deliver(this.eventPath(watch, change.path), watch);
  }

  /** The path in the form that the watch used: relative stays relative. */
  private eventPath(watch: Watch, path: string): string {
    if (watch.given === watch.path) return path;
    return path.slice(domainPath(this.domid).length + 1);
  }

  private view(transaction: number): TransactionView {
    const view = this.transactions.get(transaction);
    if (view !== undefined) return view;
    throw new StoreError('ENOENT', `transaction ${transaction} does not exist`);
  }
}
