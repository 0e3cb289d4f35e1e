/**
 * A guest's end of the xenstore ring, as plain as can be, and able to lie: what the tests of
 * xenstored speak. Spec: xenstore ring.
 */
import * as xs from '../../../assembly/wire/xenstore.js';
import type { Domain, Machine } from '../../../host/machine/index.js';
import { until } from './support.js';

export interface Message {
  type: number;
  requestId: number;
  transaction: number;
  payload: Buffer;
}

export class RingClient {
  readonly words: Int32Array;
  readonly events: string[][] = [];
  /** While false, replies stay on the ring. */
  taking = true;
  private readonly page: Uint8Array;
  private received = Buffer.alloc(0);
  private readonly replies: Message[] = [];
  private lastId = 0;

  constructor(
    machine: Machine,
    private readonly guest: Domain,
  ) {
    this.page = new Uint8Array(machine.memory.buffer, guest.storePage, 4096);
    this.words = new Int32Array(machine.memory.buffer, guest.storePage, 1024);
    guest.events.on(guest.storePort, () => this.take());
  }

  /** Sends a request and waits for its reply: the payload, or the error's name in brackets. */
  async call(type: number, payload: string | Buffer, transaction = 0): Promise<string> {
    const id = ++this.lastId;
    await this.send(encode(type, id, transaction, Buffer.from(payload)));
    return this.reply(id);
  }

  /** Waits for the reply with this id. */
  async reply(id: number): Promise<string> {
    const find = (): number => this.replies.findIndex(({ requestId }) => requestId === id);
    await until(() => find() >= 0);
    const [reply] = this.replies.splice(find(), 1);
    const text = reply!.payload.toString('latin1');
    return reply!.type === xs.XS_ERROR ? `[${text.slice(0, -1)}]` : text;
  }

  /** Writes raw bytes, as fast as the ring takes them. */
  async send(bytes: Buffer): Promise<void> {
    for (let sent = 0; sent < bytes.length;) {
      const prod = this.index(xs.XS_REQ_PROD);
      const room = xs.XENSTORE_RING_SIZE - ((prod - this.index(xs.XS_REQ_CONS)) >>> 0);
      const size = Math.min(room, bytes.length - sent);
      for (let at = 0; at < size; at++) {
        this.page[xs.XS_REQ + ((prod + at) % xs.XENSTORE_RING_SIZE)] = bytes[sent + at]!;
      }
      sent += size;
      this.setIndex(xs.XS_REQ_PROD, prod + size);
      this.kick();
      if (size === 0) await until(() => this.index(xs.XS_REQ_CONS) !== prod - 1024);
    }
  }

  kick(): void {
    this.guest.hypercalls.evtchn_send(this.guest.storePort);
  }

  index(offset: number): number {
    return Atomics.load(this.words, offset / 4) >>> 0;
  }

  setIndex(offset: number, value: number): void {
    Atomics.store(this.words, offset / 4, value);
  }

  /** Takes what has come; called by the event, or by hand. */
  take(): void {
    if (!this.taking) return;
    const prod = this.index(xs.XS_RSP_PROD);
    const bytes: number[] = [];
    for (let cons = this.index(xs.XS_RSP_CONS); cons !== prod; cons = (cons + 1) >>> 0) {
      bytes.push(this.page[xs.XS_RSP + (cons % xs.XENSTORE_RING_SIZE)]!);
    }
    if (bytes.length === 0) return;
    this.setIndex(xs.XS_RSP_CONS, prod);
    this.received = Buffer.concat([this.received, Buffer.from(bytes)]);
    this.kick();
    this.parse();
  }

  private parse(): void {
    while (this.received.length >= xs.MSG_SIZE) {
      const end = xs.MSG_SIZE + this.received.readUInt32LE(xs.MSG_LEN);
      if (this.received.length < end) return;
      const message = {
        type: this.received.readUInt32LE(xs.MSG_TYPE),
        requestId: this.received.readUInt32LE(xs.MSG_REQ_ID),
        transaction: this.received.readUInt32LE(xs.MSG_TX_ID),
        payload: this.received.subarray(xs.MSG_SIZE, end),
      };
      this.received = this.received.subarray(end);
      if (message.type !== xs.XS_WATCH_EVENT) this.replies.push(message);
      else this.events.push(message.payload.toString('latin1').split('\0').slice(0, -1));
    }
  }
}

export function encode(type: number, id: number, transaction: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(xs.MSG_SIZE);
  header.writeUInt32LE(type, xs.MSG_TYPE);
  header.writeUInt32LE(id, xs.MSG_REQ_ID);
  header.writeUInt32LE(transaction, xs.MSG_TX_ID);
  header.writeUInt32LE(payload.length, xs.MSG_LEN);
  return Buffer.concat([header, payload]);
}
