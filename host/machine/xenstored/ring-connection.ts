/**
 * xenstored's end of a guest's ring page, `struct xenstore_domain_interface`. Spec: xenstore ring.
 *
 * The page is the guest's: every index is read once and checked, requests are copied out before
 * they are parsed, own indices are kept here. Malformed requests are answered; a lying index or an
 * impossible length ends this connection only, until the guest asks for a reconnection. Replies
 * and events queue when the guest does not take them; then its requests wait, too.
 */
import { debuglog } from 'node:util';
import {
  MSG_LEN,
  MSG_REQ_ID,
  MSG_SIZE,
  MSG_TX_ID,
  MSG_TYPE,
  XENSTORE_CONNECTED,
  XENSTORE_PAYLOAD_MAX,
  XENSTORE_RECONNECT,
  XENSTORE_RING_SIZE,
  XS_CONNECTION,
  XS_ERROR,
  XS_ERROR_FIELD,
  XS_REQ,
  XS_REQ_CONS,
  XS_REQ_PROD,
  XS_RSP,
  XS_RSP_CONS,
  XS_RSP_PROD,
  XS_SERVER_FEATURES,
  XS_WATCH_EVENT,
} from '../../../assembly/wire/xenstore.js';
import { Connection } from './connection.js';
import { StoreError } from './errors.js';
import { encodeStrings, handleRequest } from './messages.js';
import type { NodeTree } from './nodes.js';
import { QUEUED_EVENTS_MAX } from './quotas.js';

const log = debuglog('xenstored');

/** Bits of server_features and values of error. C reference: public/io/xs_wire.h. */
const XENSTORE_SERVER_FEATURE_RECONNECTION = 1;
const XENSTORE_SERVER_FEATURE_ERROR = 2;
const XENSTORE_ERROR_NONE = 0;
const XENSTORE_ERROR_RINGIDX = 2;
const XENSTORE_ERROR_PROTO = 3;

const REQUESTS_PER_PASS = 64;
/** Replies that may wait for room before requests do. */
const QUEUED_REPLIES_MAX = 20;

interface Outgoing {
  readonly bytes: Buffer;
  /** Identity of a watch event, so that the same one does not queue twice. */
  readonly event: string | undefined;
}

export interface RingChannel {
  readonly page: Uint8Array;
  /** Tells the guest that something moved. */
  notify(): void;
  /** Comes back to `service` later. */
  defer(task: () => void): void;
}

export class RingConnection {
  readonly connection: Connection;
  private readonly words: Int32Array;
  private reqCons = 0;
  private rspProd = 0;
  private readonly incoming = Buffer.alloc(MSG_SIZE + XENSTORE_PAYLOAD_MAX);
  private incomingSize = 0;
  private queue: Outgoing[] = [];
  private sent = 0; // bytes of the queue's head that are out
  private queuedReplies = 0;
  private readonly queuedEvents = new Set<string>();
  private flushing = false;
  private dead = false;
  private closed = false;

  constructor(
    tree: NodeTree,
    domid: number,
    private readonly channel: RingChannel,
  ) {
    const { page } = channel;
    this.words = new Int32Array(page.buffer, page.byteOffset, page.length / 4);
    this.connection = new Connection(tree, domid, (path, { token }) => this.event(path, token));
    const features = XENSTORE_SERVER_FEATURE_RECONNECTION | XENSTORE_SERVER_FEATURE_ERROR;
    this.store(XS_SERVER_FEATURES, features);
    this.store(XS_CONNECTION, XENSTORE_CONNECTED);
  }

  /** The guest has sent an event: takes what it wrote, gives what it has room for. */
  service(): void {
    if (this.closed) return;
    if (this.load(XS_CONNECTION) === XENSTORE_RECONNECT) this.reconnect();
    if (this.dead) return;
    let moved = this.flush();
    let requests = 0;
    while (!this.dead && this.queuedReplies < QUEUED_REPLIES_MAX) {
      if (requests++ === REQUESTS_PER_PASS) {
        this.channel.defer(() => this.service()); // others first
        break;
      }
      if (!this.receive()) break;
      moved = true;
      this.flush();
    }
    if (moved) this.channel.notify();
  }

  close(): void {
    this.closed = true;
    this.connection.reset();
    this.queue = [];
  }

  /** Takes bytes up to the end of one header or message. False when there are none. */
  private receive(): boolean {
    const prod = this.load(XS_REQ_PROD);
    const available = (prod - this.reqCons) >>> 0;
    if (available > XENSTORE_RING_SIZE) {
      this.fail(XENSTORE_ERROR_RINGIDX, `req_prod is ${prod} with req_cons at ${this.reqCons}`);
      return false;
    }
    if (available === 0) return false;
    const wanted = this.incomingSize < MSG_SIZE ? MSG_SIZE : MSG_SIZE + this.field(MSG_LEN);
    const size = Math.min(available, wanted - this.incomingSize);
    for (let done = 0; done < size; done++) {
      const slot = (this.reqCons + done) % XENSTORE_RING_SIZE;
      this.incoming[this.incomingSize + done] = this.channel.page[XS_REQ + slot]!;
    }
    this.incomingSize += size;
    this.reqCons = (this.reqCons + size) >>> 0;
    this.store(XS_REQ_CONS, this.reqCons); // the bytes are ours before the guest reuses them
    if (this.incomingSize >= MSG_SIZE) this.complete();
    return true;
  }

  private complete(): void {
    const size = this.field(MSG_LEN);
    if (size > XENSTORE_PAYLOAD_MAX) {
      this.fail(XENSTORE_ERROR_PROTO, `a request of ${size} bytes`);
    } else if (this.incomingSize === MSG_SIZE + size) {
      this.incomingSize = 0;
      this.answer(Buffer.from(this.incoming.subarray(MSG_SIZE, MSG_SIZE + size)));
    }
  }

  private answer(payload: Buffer): void {
    const type = this.field(MSG_TYPE);
    const transaction = this.field(MSG_TX_ID);
    const requestId = this.field(MSG_REQ_ID);
    const place = this.queue.length;
    let reply: Buffer;
    try {
      const result = handleRequest(this.connection, type, transaction, payload);
      reply = message(type, requestId, transaction, result);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      log('domain %d: %s', this.connection.domid, error.message);
      reply = message(XS_ERROR, requestId, transaction, encodeStrings([error.code]));
    }
    this.queue.splice(place, 0, { bytes: reply, event: undefined }); // before its own events
    this.queuedReplies++;
  }

  private event(path: string, token: string): void {
    const payload = encodeStrings([path, token]);
    const event = payload.toString('latin1');
    if (this.dead || this.closed || this.queuedEvents.has(event)) return;
    if (this.queuedEvents.size >= QUEUED_EVENTS_MAX) {
      // not from inside the operation that fired: it is walking over the connections
      this.channel.defer(() => this.fail(XENSTORE_ERROR_PROTO, 'watch events that nobody takes'));
      return;
    }
    this.queue.push({ bytes: message(XS_WATCH_EVENT, 0, 0, payload), event });
    this.queuedEvents.add(event);
    if (this.flushing) return;
    this.flushing = true;
    this.channel.defer(() => {
      this.flushing = false;
      if (!this.dead && !this.closed && this.flush()) this.channel.notify();
    });
  }

  /** Writes what the guest has room for. False when nothing went out. */
  private flush(): boolean {
    let moved = false;
    for (let head = this.queue[0]; head !== undefined; head = this.queue[0]) {
      const cons = this.load(XS_RSP_CONS);
      const used = (this.rspProd - cons) >>> 0;
      if (used > XENSTORE_RING_SIZE) {
        this.fail(XENSTORE_ERROR_RINGIDX, `rsp_cons is ${cons} with rsp_prod at ${this.rspProd}`);
        return moved;
      }
      const size = Math.min(XENSTORE_RING_SIZE - used, head.bytes.length - this.sent);
      if (size === 0) return moved;
      this.send(head, size);
      moved = true;
    }
    return moved;
  }

  private send(head: Outgoing, size: number): void {
    for (let done = 0; done < size; done++) {
      const slot = (this.rspProd + done) % XENSTORE_RING_SIZE;
      this.channel.page[XS_RSP + slot] = head.bytes[this.sent + done]!;
    }
    if (this.sent === 0 && head.event !== undefined) this.queuedEvents.delete(head.event);
    this.sent += size;
    this.rspProd = (this.rspProd + size) >>> 0;
    this.store(XS_RSP_PROD, this.rspProd); // the guest sees the bytes before the index
    if (this.sent < head.bytes.length) return;
    this.queue.shift();
    this.sent = 0;
    if (head.event === undefined) this.queuedReplies--;
  }

  private fail(error: number, reason: string): void {
    if (this.dead || this.closed) return;
    log('domain %d: disconnected: %s', this.connection.domid, reason);
    this.dead = true;
    this.forget();
    this.store(XS_ERROR_FIELD, error);
    this.channel.notify();
  }

  /** The guest starts over: as if it had just been introduced. */
  private reconnect(): void {
    this.forget();
    this.reqCons = 0;
    this.rspProd = 0;
    for (const index of [XS_REQ_CONS, XS_REQ_PROD, XS_RSP_CONS, XS_RSP_PROD]) this.store(index, 0);
    this.store(XS_ERROR_FIELD, XENSTORE_ERROR_NONE);
    this.dead = false;
    this.store(XS_CONNECTION, XENSTORE_CONNECTED);
    this.channel.notify();
  }

  private forget(): void {
    this.connection.reset();
    this.queue = [];
    this.sent = 0;
    this.queuedReplies = 0;
    this.queuedEvents.clear();
    this.incomingSize = 0;
  }

  private field(offset: number): number {
    return this.incoming.readUInt32LE(offset);
  }

  private load(offset: number): number {
    return Atomics.load(this.words, offset / 4) >>> 0;
  }

  private store(offset: number, value: number): void {
    Atomics.store(this.words, offset / 4, value);
  }
}

function message(
  type: number,
  requestId: number,
  transaction: number,
  payload: Uint8Array,
): Buffer {
  const bytes = Buffer.alloc(MSG_SIZE + payload.length);
  bytes.writeUInt32LE(type, MSG_TYPE);
  bytes.writeUInt32LE(requestId, MSG_REQ_ID);
  bytes.writeUInt32LE(transaction, MSG_TX_ID);
  bytes.writeUInt32LE(payload.length, MSG_LEN);
  bytes.set(payload, MSG_SIZE);
  return bytes;
}
