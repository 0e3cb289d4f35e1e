/**
 * xenstored behind the guest's ring page, the toolstack's nodes, and the backend's half of xenbus.
 * The store is host/machine's own; it takes the mutator's lies as it takes a guest's.
 */
import { PAGE_SIZE } from '../../assembly/wire/page.js';
import {
  XENBUS_STATE_CLOSED,
  XENBUS_STATE_CLOSING,
  XENBUS_STATE_CONNECTED,
  XENBUS_STATE_INIT_WAIT,
  XENBUS_STATE_INITIALISED,
  XENBUS_STATE_INITIALISING,
} from '../../assembly/wire/xenbus.js';
import { XENSTORE_RING_SIZE, XS_RSP_CONS, XS_RSP_PROD } from '../../assembly/wire/xenstore.js';
import { Connection } from '../../host/machine/xenstored/connection.js';
import { NodeTree } from '../../host/machine/xenstored/nodes.js';
import { RingConnection } from '../../host/machine/xenstored/ring-connection.js';
import { FAR, STORE_AT } from './memory.js';
import { STORE_PORT, type World } from './world.js';

const DOMID = 7;
const FRONTEND = `/local/domain/${DOMID}/device/pvcalls/0`;
const BACKEND = `/local/domain/0/backend/pvcalls/${DOMID}/0`;
/** Rounds of service that the store gets at once. */
const ROUNDS = 4;

/** Nodes that the mutator writes, and what it writes there. */
const NODES = [
  `${BACKEND}/versions`,
  `${BACKEND}/version`,
  `${BACKEND}/max-page-order`,
  `${BACKEND}/function-calls`,
  `${BACKEND}/feature-reset`,
  `${BACKEND}/state`,
  `${BACKEND}/state`,
  `${FRONTEND}/backend`,
  `${FRONTEND}/backend-id`,
  `${FRONTEND}/state`,
];
const VALUES = ['1', '2', '1,2', '', '0', '9', '10', '4294967296', 'abc', ' 1', '4', '5', '6', '3'];

export class StorePeer {
  /** Whether the mutator has written in the ring page, and in the store. */
  pageTouched = false;
  nodesTouched = false;
  /** rsp_cons as the core last wrote it. */
  rspCons = 0;
  private readonly tree = new NodeTree();
  private readonly ring: RingConnection;
  private readonly toolstack: Connection;
  private tasks: (() => void)[] = [];

  constructor(private readonly world: World) {
    this.ring = new RingConnection(this.tree, DOMID, {
      page: new Uint8Array(world.memory.memory.buffer, STORE_AT, PAGE_SIZE),
      notify: () => world.info.raise(STORE_PORT),
      defer: (task) => void this.tasks.push(task),
    });
    this.toolstack = new Connection(this.tree, 0, () => undefined);
    this.attach();
  }

  /** Before the mutator writes, and after the core has: what the core wrote is far from any lie. */
  observe(): void {
    const cons = this.world.memory.word(STORE_AT + XS_RSP_CONS);
    if ((cons - this.rspCons) >>> 0 < FAR) this.rspCons = cons;
  }

  /** Whether rsp_prod claims more than the ring holds. */
  get overflows(): boolean {
    const prod = this.world.memory.word(STORE_AT + XS_RSP_PROD);
    return (prod - this.rspCons) >>> 0 > XENSTORE_RING_SIZE;
  }

  /** xenstored gets its turn. */
  serve(): void {
    for (let round = 0; round < ROUNDS; round++) {
      this.ring.service();
      const { tasks } = this;
      this.tasks = [];
      for (const task of tasks) task();
      if (this.tasks.length === 0) return;
    }
  }

  /** The backend looks where the frontend is, and moves. */
  follow(): void {
    const frontend = Number(this.read(`${FRONTEND}/state`) ?? 0);
    const state = Number(this.read(`${BACKEND}/state`) ?? 0);
    const starting =
      frontend === XENBUS_STATE_INITIALISING || frontend === XENBUS_STATE_INITIALISED;
    const ready = frontend === XENBUS_STATE_INITIALISED || frontend === XENBUS_STATE_CONNECTED;
    if (state === XENBUS_STATE_INIT_WAIT && ready) this.become(XENBUS_STATE_CONNECTED);
    else if (state === XENBUS_STATE_CONNECTED && frontend >= XENBUS_STATE_CLOSING) this.leave();
    else if (state === XENBUS_STATE_CONNECTED && starting) this.leave();
    else if (state === XENBUS_STATE_CLOSING) this.become(XENBUS_STATE_CLOSED);
    else if (state >= XENBUS_STATE_CLOSED || state <= XENBUS_STATE_INITIALISING) this.publish();
  }

  /** Writes a node, or takes it away. */
  mutate(a: number, b: number): true {
    const path = NODES[a % NODES.length]!;
    this.nodesTouched = true;
    const operations = this.toolstack.operations(0);
    if (b % 16 === 0) operations.rm(path);
    else operations.write(path, Buffer.from(VALUES[(b >>> 4) % VALUES.length]!));
    return true;
  }

  /** The device is there again as xl makes it. */
  attach(): void {
    const operations = this.toolstack.operations(0);
    operations.mkdir(`/local/domain/${DOMID}`);
    operations.setPermissions(`/local/domain/${DOMID}`, [
      { domid: 0, access: 'n' },
      { domid: DOMID, access: 'r' },
    ]);
    operations.mkdir(FRONTEND);
    operations.setPermissions(FRONTEND, [
      { domid: DOMID, access: 'n' },
      { domid: 0, access: 'r' },
    ]);
    operations.mkdir(BACKEND);
    operations.setPermissions(BACKEND, [
      { domid: 0, access: 'n' },
      { domid: DOMID, access: 'r' },
    ]);
    this.write(`${FRONTEND}/backend`, BACKEND);
    this.write(`${FRONTEND}/backend-id`, '0');
    this.write(`${FRONTEND}/state`, String(XENBUS_STATE_INITIALISING));
    this.publish();
  }

  private publish(): void {
    this.write(`${BACKEND}/${this.world.setup.v7 ? 'version' : 'versions'}`, '1');
    this.write(`${BACKEND}/max-page-order`, '4');
    this.write(`${BACKEND}/function-calls`, '1');
    this.write(`${BACKEND}/feature-reset`, '1');
    this.become(XENBUS_STATE_INIT_WAIT);
  }

  private leave(): void {
    this.world.peer.die(true);
    this.become(XENBUS_STATE_CLOSED);
  }

  private become(state: number): void {
    this.write(`${BACKEND}/state`, String(state));
  }

  private write(path: string, value: string): void {
    this.toolstack.operations(0).write(path, Buffer.from(value));
  }

  private read(path: string): string | undefined {
    try {
      return Buffer.from(this.toolstack.operations(0).read(path)).toString();
    } catch {
      return undefined; // the mutator took it away
    }
  }
}
