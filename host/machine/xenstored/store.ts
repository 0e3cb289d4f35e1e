/**
 * xenstored, run by domain 0 on the thread that created the machine. Guests speak to it over their
 * ring pages; the toolstack and backends in TypeScript have local connections.
 * Watches fire after the change, never inside the operation that made it.
 */
import { PAGE_SHIFT } from '../../../assembly/wire/page.js';
import { GNTTAB_RESERVED_XENSTORE } from '../../../assembly/wire/grant-table.js';
import type { Domain } from '../domain.js';
import type { Scheduler } from '../scheduler.js';
import { StoreClient } from './client.js';
import type { Connection } from './connection.js';
import { NodeTree } from './nodes.js';
import { domainPath } from './paths.js';
import { RingConnection } from './ring-connection.js';

interface Introduced {
  readonly ring: RingConnection;
  readonly frame: number;
  readonly port: number;
}

export class XenStore {
  private readonly tree = new NodeTree();
  private readonly guests = new Map<number, Introduced>();
  private readonly clients = new Set<StoreClient>();

  /** `domain0` does the hypercalls. */
  constructor(
    private readonly domain0: Domain,
    private readonly scheduler: Scheduler,
  ) {}

  /** A local connection that speaks as a domain; any but 0 is subject to permissions. */
  connect(domid: number): StoreClient {
    const client = new StoreClient(this.tree, domid, this.scheduler, (closed) => {
      this.clients.delete(closed);
    });
    this.clients.add(client);
    return client;
  }

  /** All paths, for listings. */
  paths(top = '/'): string[] {
    return this.tree.paths(top);
  }

  /** Connects a new domain's ring page. Result: domain 0's port. For the machine. */
  introduce(domain: Domain): number {
    const { hypercalls } = this.domain0;
    const { domid } = domain;
    const frame = expect('gnttab_map', hypercalls.gnttab_map(domid, GNTTAB_RESERVED_XENSTORE, 1));
    const port = expect(
      'evtchn_bind_interdomain',
      hypercalls.evtchn_bind_interdomain(domid, domain.storePort),
    );
    const ring = new RingConnection(this.tree, domid, {
      page: this.domain0.bytes(domain.storePage >>> PAGE_SHIFT),
      notify: () => hypercalls.evtchn_send(port),
      defer: (task) => this.scheduler.defer(task),
    });
    this.domain0.events.on(port, () => ring.service());
    this.guests.set(domid, { ring, frame, port });
    this.describe(domid, domain.name);
    this.fireSpecial('@introduceDomain');
    return port;
  }

  /** Writes a domain's own directory, as xl does. */
  describe(domid: number, name: string): void {
    const toolstack = this.connect(0);
    const path = domainPath(domid);
    const readable = ['n0', `r${domid}`];
    toolstack.transaction((transaction) => {
      transaction.mkdir(path);
      transaction.setPerms(path, readable);
      transaction.write(`${path}/name`, name);
      transaction.write(`${path}/domid`, String(domid));
      for (const directory of ['device', 'backend', 'control']) {
        transaction.mkdir(`${path}/${directory}`);
      }
      transaction.mkdir(`${path}/data`);
      for (const own of ['backend', 'data']) transaction.setPerms(`${path}/${own}`, [`n${domid}`]);
    });
    toolstack.close();
  }

  /** Forgets a domain that is being destroyed: ring, watches, transactions, local connections. */
  release(domid: number): void {
    const guest = this.guests.get(domid);
    if (guest !== undefined) {
      this.guests.delete(domid);
      guest.ring.close();
      this.domain0.events.off(guest.port);
      this.domain0.hypercalls.evtchn_close(guest.port);
      this.domain0.hypercalls.gnttab_unmap(guest.frame);
    }
    for (const client of this.clients) if (client.domid === domid) client.close();
  }

  /** Tells the world that a domain is gone, and removes its directory. */
  announceRelease(domid: number): void {
    this.fireSpecial('@releaseDomain');
    const toolstack = this.connect(0);
    toolstack.rm(domainPath(domid));
    toolstack.close();
  }

  /** Names the watches and transactions that are left. */
  leaks(): string[] {
    const leaks: string[] = [];
    for (const connection of this.connections()) {
      const who = `domain ${connection.domid}`;
      for (const { given, token } of connection.watches) {
        leaks.push(`${who}: xenstore watch on ${given} with token "${token}"`);
      }
      if (connection.openTransactions > 0) {
        leaks.push(`${who}: ${connection.openTransactions} xenstore transactions`);
      }
    }
    return leaks;
  }

  close(): void {
    for (const client of this.clients) client.close();
    for (const { ring } of this.guests.values()) ring.close();
  }

  private *connections(): Iterable<Connection> {
    for (const { ring } of this.guests.values()) yield ring.connection;
    for (const client of this.clients) yield client.inner;
  }

  private fireSpecial(path: string): void {
    this.tree.changed({ path, exact: true, readable: [] });
  }
}

function expect(operation: string, result: number): number {
  if (result >= 0) return result;
  throw new Error(`xenstored: ${operation} failed with ${result}`);
}
