/**
 * A local connection to xenstored, for the toolstack and for backends in TypeScript: the same
 * operations as over a ring, as plain synchronous calls. Watch callbacks come later, through the
 * scheduler, in the order of the changes. Values are UTF-8 text or bytes. Throws StoreError.
 */
import type { Scheduler } from '../scheduler.js';
import { Connection, type Watch } from './connection.js';
import { StoreError } from './errors.js';
import type { NodeTree } from './nodes.js';
import { formatPermissions, parsePermissions } from './permissions.js';

const COMMITS_MAX = 100;

export type WatchCallback = (path: string, token: string) => void;

/** Operations on nodes, outside or inside a transaction. */
abstract class StoreOperations {
  constructor(protected readonly connection: Connection) {}

  protected abstract readonly transactionId: number;

  /** The value as text. */
  read(path: string): string {
    return new TextDecoder().decode(this.readBytes(path));
  }

  readBytes(path: string): Uint8Array {
    return this.operations().read(this.connection.absolute(path)).slice();
  }

  write(path: string, value: string | Uint8Array): void {
    const bytes = typeof value === 'string' ? new TextEncoder().encode(value) : value.slice();
    this.operations().write(this.connection.absolute(path), bytes);
  }

  /** Names of the children. */
  directory(path: string): string[] {
    return this.operations().directory(this.connection.absolute(path));
  }

  mkdir(path: string): void {
    this.operations().mkdir(this.connection.absolute(path));
  }

  /** Removes a node and all below; one that is absent already is no error. */
  rm(path: string): void {
    this.operations().rm(this.connection.absolute(path));
  }

  exists(path: string): boolean {
    try {
      this.readBytes(path);
      return true;
    } catch (error) {
      if (error instanceof StoreError && error.code === 'ENOENT') return false;
      throw error;
    }
  }

  /** For example `['n1', 'r0']`: owner 1, others nothing, domain 0 may read. */
  getPerms(path: string): string[] {
    return formatPermissions(this.operations().getPermissions(this.connection.absolute(path)));
  }

  setPerms(path: string, permissions: readonly string[]): void {
    const parsed = parsePermissions(permissions);
    this.operations().setPermissions(this.connection.absolute(path), parsed);
  }

  private operations() {
    return this.connection.operations(this.transactionId);
  }
}

export class StoreTransaction extends StoreOperations {
  constructor(
    connection: Connection,
    protected readonly transactionId: number,
  ) {
    super(connection);
  }

  /** Throws EAGAIN after a conflict: do it all again. */
  commit(): void {
    this.connection.end(this.transactionId, true);
  }

  abort(): void {
    this.connection.end(this.transactionId, false);
  }
}

export class StoreClient extends StoreOperations {
  protected readonly transactionId = 0;
  private readonly callbacks = new Map<Watch, WatchCallback>();
  private readonly pending: { path: string; watch: Watch }[] = [];
  private starting: WatchCallback | undefined;
  private scheduled = false;

  constructor(
    tree: NodeTree,
    readonly domid: number,
    private readonly scheduler: Scheduler,
    private readonly onClose: (client: StoreClient) => void,
  ) {
    super(new Connection(tree, domid, (path, watch) => this.event(path, watch)));
  }

  /** For xenstored itself. */
  get inner(): Connection {
    return this.connection;
  }

  /** `callback` is called once soon, then after every change at the path or below. */
  watch(path: string, token: string, callback: WatchCallback): void {
    this.starting = callback;
    try {
      this.connection.watch(path, token);
    } finally {
      this.starting = undefined;
    }
  }

  /** No callback comes after this. */
  unwatch(path: string, token: string): void {
    const before = new Set(this.connection.watches);
    this.connection.unwatch(path, token);
    for (const watch of this.connection.watches) before.delete(watch);
    for (const watch of before) this.callbacks.delete(watch);
  }

  /** An explicit transaction; commit or abort it. */
  begin(): StoreTransaction {
    return new StoreTransaction(this.connection, this.connection.begin());
  }

  /** Runs `change` in a transaction, again after every conflict; an exception aborts. */
  transaction<T>(change: (transaction: StoreTransaction) => T): T {
    for (let attempt = 1; ; attempt++) {
      const transaction = this.begin();
      let result: T;
      try {
        result = change(transaction);
      } catch (error) {
        transaction.abort();
        throw error;
      }
      try {
        transaction.commit();
        return result;
      } catch (error) {
        const conflict = error instanceof StoreError && error.code === 'EAGAIN';
        if (!conflict || attempt === COMMITS_MAX) throw error;
      }
    }
  }

  /** Drops watches and transactions. */
  close(): void {
    this.connection.reset();
    this.callbacks.clear();
    this.onClose(this);
  }

  private event(path: string, watch: Watch): void {
    if (this.starting !== undefined) this.callbacks.set(watch, this.starting);
    this.starting = undefined;
    this.pending.push({ path, watch });
    this.schedule();
  }

  private schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    this.scheduler.defer(() => {
      this.scheduled = false;
      const next = this.pending.shift();
      if (this.pending.length > 0) this.schedule(); // one at a time: changes may come between
      if (next !== undefined) this.callbacks.get(next.watch)?.(next.path, next.watch.token);
    });
  }
}
