/**
 * A backend that does what a test tells it and nothing else: real nodes in xenstore, real grants,
 * real event channels, raw bytes. It reaches the guest's memory only through what it has mapped.
 */
import { PAGE_SIZE } from '../../assembly/wire/page.js';
import * as wire from '../../assembly/wire/pvcalls.js';
import * as sring from '../../assembly/wire/ring.js';
import {
  XENBUS_STATE_CLOSED,
  XENBUS_STATE_CONNECTED,
  XENBUS_STATE_INIT_WAIT,
} from '../../assembly/wire/xenbus.js';
import {
  attachPvcalls,
  type Domain,
  type Machine,
  type StoreClient,
} from '../../host/machine/index.js';
import { HostileRing } from './hostile-ring.js';
import type { StepScheduler } from './step-scheduler.js';

/** A request as it stood in its slot. */
export interface Request {
  readonly bytes: Buffer;
  readonly slot: number;
  readonly reqId: number;
  readonly cmd: number;
  readonly id: bigint;
}

/** Nodes of a backend that is in order. */
export const NODES = { versions: '1', 'max-page-order': '4', 'function-calls': '1' } as const;

export type Nodes = Readonly<Record<string, string | Uint8Array | undefined>>;

export class HostileBackend {
  readonly path: string;
  readonly frontendPath: string;
  readonly store: StoreClient;
  /** Rings that are mapped. */
  readonly rings = new Set<HostileRing>();
  /** Events on the command ring. */
  events = 0;
  private words: Int32Array | undefined;
  private bytes: Buffer | undefined;
  /** Where the command ring is mapped. */
  frame = 0;
  private port = 0;
  private reqCons = 0;
  rspProd = 0;

  constructor(
    machine: Machine,
    private readonly scheduler: StepScheduler,
    readonly domain: Domain,
    readonly guest: number,
  ) {
    const paths = attachPvcalls(machine, { frontend: guest, backend: domain.domid });
    this.path = paths.backend;
    this.frontendPath = paths.frontend;
    this.store = machine.store.connect(domain.domid);
  }

  // xenbus.

  setState(state: number | string): void {
    this.store.write(`${this.path}/state`, String(state));
  }

  frontendState(): number {
    return Number(this.store.read(`${this.frontendPath}/state`));
  }

  /** Writes what it offers; a node that is undefined is absent. */
  publish(nodes: Nodes = NODES): void {
    for (const node of Object.keys(NODES)) {
      if (this.store.exists(`${this.path}/${node}`)) this.store.rm(`${this.path}/${node}`);
    }
    for (const [node, value] of Object.entries(nodes)) {
      if (value !== undefined) this.store.write(`${this.path}/${node}`, value);
    }
  }

  /** The whole way up, in order. */
  comeUp(nodes: Nodes = NODES): void {
    this.publish(nodes);
    this.setState(XENBUS_STATE_INIT_WAIT);
    this.scheduler.settle();
    this.attach();
    this.setState(XENBUS_STATE_CONNECTED);
    this.scheduler.settle();
  }

  /** Maps the command ring that the frontend has published. */
  attach(): void {
    const { hypercalls, events } = this.domain;
    const node = (name: string): number => Number(this.store.read(`${this.frontendPath}/${name}`));
    this.frame = hypercalls.gnttab_map(this.guest, node('ring-ref'), 1);
    if (this.frame < 0) throw new Error(`the command ring does not map: ${this.frame}`);
    const page = this.domain.bytes(this.frame);
    this.words = new Int32Array(page.buffer, page.byteOffset, PAGE_SIZE / 4);
    this.bytes = Buffer.from(page.buffer, page.byteOffset, PAGE_SIZE);
    this.port = hypercalls.evtchn_bind_interdomain(this.guest, node('port'));
    if (this.port < 0) throw new Error(`the command port does not bind: ${this.port}`);
    events.on(this.port, () => (this.events += 1));
    this.reqCons = 0;
    this.rspProd = 0;
  }

  get attached(): boolean {
    return this.words !== undefined;
  }

  /** Lets go of everything it has mapped or bound. */
  letGo(): void {
    for (const ring of this.rings) ring.unmap();
    this.rings.clear();
    this.detach();
  }

  /** Lets go of the command ring alone. */
  detach(): void {
    if (this.words === undefined) return;
    this.words = undefined;
    this.bytes = undefined;
    this.domain.events.off(this.port);
    this.domain.hypercalls.evtchn_close(this.port);
    this.domain.hypercalls.gnttab_unmap(this.frame);
  }

  /** Lets go, and says so. */
  goDown(): void {
    this.letGo();
    this.setState(XENBUS_STATE_CLOSED);
    this.scheduler.settle();
  }

  // Command ring.

  /** The page as it stands. */
  page(): Buffer {
    return Buffer.from(this.mapped());
  }

  load(offset: number): number {
    return Atomics.load(this.words!, offset / 4) >>> 0;
  }

  /** Stores a word of the page, whatever it means there. */
  put(offset: number, value: number): void {
    Atomics.store(this.words!, offset / 4, value | 0);
  }

  kick(): void {
    this.domain.hypercalls.evtchn_send(this.port);
  }

  /** Requests published and not taken. */
  waiting(): number {
    return (this.load(sring.REQ_PROD) - this.reqCons) >>> 0;
  }

  /** Takes the next request, which must be this command if one is named; asks for an event. */
  take(cmd?: number): Request {
    if (this.waiting() === 0) throw new Error('the frontend has published no request');
    const slot = sring.SRING_SLOTS + (this.reqCons & (sring.RING_SIZE - 1)) * sring.SLOT_SIZE;
    const bytes = Buffer.from(this.mapped().subarray(slot, slot + sring.SLOT_SIZE));
    this.reqCons = (this.reqCons + 1) >>> 0;
    this.put(sring.REQ_EVENT, this.reqCons + 1);
    const request = {
      bytes,
      slot,
      reqId: bytes.readUInt32LE(wire.REQUEST_REQ_ID),
      cmd: bytes.readUInt32LE(wire.REQUEST_CMD),
      id: bytes.readBigUInt64LE(wire.REQUEST_ID),
    };
    if (cmd !== undefined && request.cmd !== cmd) {
      throw new Error(`the frontend sent command ${request.cmd}, not ${cmd}`);
    }
    return request;
  }

  takeAll(): Request[] {
    return Array.from({ length: this.waiting() }, () => this.take());
  }

  /** Writes an answer, all of it or with lies in it, without publishing it. Result: its slot. */
  write(
    { reqId, cmd, id }: Pick<Request, 'reqId' | 'cmd' | 'id'>,
    ret: number,
    index = this.rspProd,
  ): number {
    const slot = sring.SRING_SLOTS + (index & (sring.RING_SIZE - 1)) * sring.SLOT_SIZE;
    const bytes = this.mapped().subarray(slot, slot + wire.RESPONSE_SIZE);
    bytes.fill(0xa5); // the padding says anything
    bytes.writeUInt32LE(reqId >>> 0, wire.RESPONSE_REQ_ID);
    bytes.writeUInt32LE(cmd >>> 0, wire.RESPONSE_CMD);
    bytes.writeInt32LE(ret, wire.RESPONSE_RET);
    bytes.writeBigUInt64LE(id, wire.RESPONSE_ID);
    return slot;
  }

  /** Writes an answer and publishes it, and the guest takes it. */
  answer(request: Pick<Request, 'reqId' | 'cmd' | 'id'>, ret: number): void {
    this.write(request, ret);
    this.rspProd = (this.rspProd + 1) >>> 0;
    this.put(sring.RSP_PROD, this.rspProd);
    this.kick();
    this.scheduler.settle();
  }

  /** Takes the next request and answers it. */
  serve(cmd: number, ret = 0): Request {
    const request = this.take(cmd);
    this.answer(request, ret);
    return request;
  }

  /** Takes a CONNECT or ACCEPT and maps its ring, without an answer. */
  ringOf(request: Request): HostileRing {
    const connect = request.cmd === wire.PVCALLS_CONNECT;
    const ref = request.bytes.readUInt32LE(connect ? wire.CONNECT_REF : wire.ACCEPT_REF);
    const port = request.bytes.readUInt32LE(connect ? wire.CONNECT_EVTCHN : wire.ACCEPT_EVTCHN);
    const ring = new HostileRing(this.domain, this.guest, ref, port);
    this.rings.add(ring);
    return ring;
  }

  unmap(ring: HostileRing): void {
    ring.unmap();
    this.rings.delete(ring);
  }

  private mapped(): Buffer {
    if (this.bytes === undefined) throw new Error('the command ring is not mapped');
    return this.bytes;
  }
}
