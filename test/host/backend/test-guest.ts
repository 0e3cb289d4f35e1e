/**
 * A small PV Calls frontend for these tests, written by hand from the specification: it holds one
 * granted page for its command ring, makes data rings, and can lie wherever a guest can.
 */
import { PAGE_SIZE } from '../../../assembly/wire/page.js';
import * as wire from '../../../assembly/wire/pvcalls.js';
import * as sring from '../../../assembly/wire/ring.js';
import { createBackend, type Backend, type BackendOptions } from '../../../host/backend/index.js';
import {
  attachPvcalls,
  createMachine,
  Random,
  type Domain,
  type Machine,
  type StoreClient,
} from '../../../host/machine/index.js';
import { TestRing } from './test-ring.js';
import { until } from './until.js';

export interface Response {
  readonly cmd: number;
  readonly ret: number;
  readonly id: bigint;
}

export type Fields = Record<number, number | bigint>;

/** sockaddr_in in the 28 bytes of a request. */
export function sockaddr(host: string, port: number, family = 2): Uint8Array {
  const bytes = new Uint8Array(28);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, family, true);
  view.setUint16(2, port, false);
  bytes.set(host.split('.').map(Number), 4);
  return bytes;
}

export class TestGuest {
  readonly domain: Domain;
  readonly store: StoreClient;
  readonly path: string;
  readonly backendPath: string;
  private readonly free: number[];
  private readonly random = new Random(7);
  private readonly waiting = new Map<number, (response: Response) => void>();
  /** Every req_id in the order of the answers. */
  readonly answered: number[] = [];
  ringFrame = 0;
  ringRef = 0;
  port = 0;
  reqProd = 0;
  private rspCons = 0;
  private nextReqId = 1000;

  constructor(
    readonly machine: Machine,
    readonly backend: Backend,
    frames = 1200,
  ) {
    this.domain = machine.createDomain({ name: 'guest', frames });
    const { frontend, backend: backendPath } = attachPvcalls(machine, {
      frontend: this.domain.domid,
      backend: 0,
    });
    this.path = frontend;
    this.backendPath = backendPath;
    this.store = machine.store.connect(this.domain.domid);
    this.free = Array.from({ length: frames }, (_, i) => this.domain.firstFrame + i);
  }

  get hypercalls(): Domain['hypercalls'] {
    return this.domain.hypercalls;
  }

  words(frame: number): Int32Array {
    return new Int32Array(this.machine.memory.buffer, frame * PAGE_SIZE, PAGE_SIZE / 4);
  }

  /** Takes frames, in no order. */
  takeFrames(count: number): number[] {
    return Array.from({ length: count }, () => {
      const at = this.random.below(this.free.length);
      const frame = this.free.splice(at, 1)[0];
      if (frame === undefined) throw new Error('the test guest has no frames left');
      this.words(frame).fill(0);
      return frame;
    });
  }

  giveFrames(frames: readonly number[]): void {
    this.free.push(...frames);
  }

  backendState(): number {
    return Number(this.store.read(`${this.backendPath}/state`));
  }

  backendReaches(state: number): Promise<void> {
    return until(() => this.backendState() === state, `backend state ${state}`);
  }

  setState(state: number): void {
    this.store.write(`${this.path}/state`, String(state));
  }

  /** Makes the command ring and goes through initialisation; indices may start anywhere. */
  async connect(nodes: Record<string, string> = { version: '1' }, start = 0): Promise<void> {
    await this.backendReaches(2);
    this.publish(nodes, start);
    await this.backendReaches(4);
    this.setState(4);
  }

  publish(nodes: Record<string, string> = { version: '1' }, start = 0): void {
    [this.ringFrame] = this.takeFrames(1) as [number];
    this.reqProd = start;
    this.rspCons = start;
    const words = this.words(this.ringFrame);
    Atomics.store(words, sring.REQ_PROD / 4, start | 0);
    Atomics.store(words, sring.RSP_PROD / 4, start | 0);
    Atomics.store(words, sring.REQ_EVENT / 4, (start + 1) | 0);
    Atomics.store(words, sring.RSP_EVENT / 4, (start + 1) | 0);
    this.ringRef = this.hypercalls.gnttab_grant_access(0, this.ringFrame, 0);
    this.port = this.hypercalls.evtchn_alloc_unbound(0);
    this.domain.events.on(this.port, () => this.takeResponses());
    const all = { 'ring-ref': String(this.ringRef), port: String(this.port), ...nodes };
    for (const [node, value] of Object.entries(all)) {
      this.store.write(`${this.path}/${node}`, value);
    }
    this.setState(3);
  }

  /** Ends what `publish` made; the backend must have let go. */
  unpublish(): number {
    this.domain.events.off(this.port);
    this.hypercalls.evtchn_close(this.port);
    this.giveFrames([this.ringFrame]);
    return this.hypercalls.gnttab_end_access(this.ringRef);
  }

  /** Puts a request into the ring without telling anyone. Result: its req_id. */
  put(cmd: number, id: bigint, fields: Fields = {}, addr?: Uint8Array): number {
    const slot = this.ringFrame * PAGE_SIZE + sring.SRING_SLOTS + (this.reqProd & 31) * 64;
    const view = new DataView(this.machine.memory.buffer, slot, 64);
    for (let at = 0; at < 64; at += 8) view.setBigUint64(at, 0n);
    const reqId = this.nextReqId++;
    view.setUint32(wire.REQUEST_REQ_ID, reqId, true);
    view.setUint32(wire.REQUEST_CMD, cmd, true);
    view.setBigUint64(wire.REQUEST_ID, id, true);
    addr?.forEach((byte, i) => view.setUint8(wire.CONNECT_ADDR + i, byte));
    for (const [offset, value] of Object.entries(fields)) {
      if (typeof value === 'bigint') view.setBigUint64(Number(offset), value, true);
      else view.setUint32(Number(offset), value, true);
    }
    this.reqProd = (this.reqProd + 1) >>> 0;
    return reqId;
  }

  /** RING_PUSH_REQUESTS_AND_CHECK_NOTIFY. */
  push(): void {
    const words = this.words(this.ringFrame);
    const before = Atomics.load(words, sring.REQ_PROD / 4) >>> 0;
    Atomics.store(words, sring.REQ_PROD / 4, this.reqProd | 0);
    const event = Atomics.load(words, sring.REQ_EVENT / 4) >>> 0;
    if ((this.reqProd - event) >>> 0 < (this.reqProd - before) >>> 0) {
      this.hypercalls.evtchn_send(this.port);
    }
  }

  answer(reqId: number): Promise<Response> {
    return new Promise((resolve) => this.waiting.set(reqId, resolve));
  }

  call(cmd: number, id: bigint, fields: Fields = {}, addr?: Uint8Array): Promise<Response> {
    const answer = this.answer(this.put(cmd, id, fields, addr));
    this.push();
    return answer;
  }

  private takeResponses(): void {
    const words = this.words(this.ringFrame);
    for (;;) {
      const rspProd = Atomics.load(words, sring.RSP_PROD / 4) >>> 0;
      while (this.rspCons !== rspProd) this.takeResponse();
      Atomics.store(words, sring.RSP_EVENT / 4, (this.rspCons + 1) | 0);
      if (Atomics.load(words, sring.RSP_PROD / 4) >>> 0 === this.rspCons) return;
    }
  }

  private takeResponse(): void {
    const slot = this.ringFrame * PAGE_SIZE + sring.SRING_SLOTS + (this.rspCons & 31) * 64;
    const view = new DataView(this.machine.memory.buffer, slot, wire.RESPONSE_SIZE);
    this.rspCons = (this.rspCons + 1) >>> 0;
    const reqId = view.getUint32(wire.RESPONSE_REQ_ID, true);
    this.answered.push(reqId);
    const resolve = this.waiting.get(reqId);
    this.waiting.delete(reqId);
    resolve?.({
      cmd: view.getUint32(wire.RESPONSE_CMD, true),
      ret: view.getInt32(wire.RESPONSE_RET, true),
      id: view.getBigUint64(wire.RESPONSE_ID, true),
    });
  }

  // The seven commands.

  async socket(id: bigint, domain = 2, type = 1, protocol = 0): Promise<number> {
    const fields = {
      [wire.SOCKET_DOMAIN]: domain,
      [wire.SOCKET_TYPE]: type,
      [wire.SOCKET_PROTOCOL]: protocol,
    };
    return (await this.call(wire.PVCALLS_SOCKET, id, fields)).ret;
  }

  async connectTo(id: bigint, ring: TestRing, port: number, host = '127.0.0.1'): Promise<number> {
    const fields = {
      [wire.CONNECT_LEN]: 16,
      [wire.CONNECT_REF]: ring.ref,
      [wire.CONNECT_EVTCHN]: ring.port,
    };
    return (await this.call(wire.PVCALLS_CONNECT, id, fields, sockaddr(host, port))).ret;
  }

  async release(id: bigint, reuse = 0, reset = 0): Promise<number> {
    const fields = { [wire.RELEASE_REUSE]: reuse | (reset << 8) };
    return (await this.call(wire.PVCALLS_RELEASE, id, fields)).ret;
  }

  async bind(id: bigint, port: number, host = '127.0.0.1'): Promise<number> {
    const address = sockaddr(host, port);
    return (await this.call(wire.PVCALLS_BIND, id, { [wire.BIND_LEN]: 16 }, address)).ret;
  }

  async listen(id: bigint, backlog = 8): Promise<number> {
    return (await this.call(wire.PVCALLS_LISTEN, id, { [wire.LISTEN_BACKLOG]: backlog })).ret;
  }

  async accept(id: bigint, idNew: bigint, ring: TestRing): Promise<number> {
    const fields = {
      [wire.ACCEPT_ID_NEW]: idNew,
      [wire.ACCEPT_REF]: ring.ref,
      [wire.ACCEPT_EVTCHN]: ring.port,
    };
    return (await this.call(wire.PVCALLS_ACCEPT, id, fields)).ret;
  }

  async poll(id: bigint): Promise<number> {
    return (await this.call(wire.PVCALLS_POLL, id)).ret;
  }

  /** SOCKET and CONNECT; throws when either fails. */
  async open(id: bigint, port: number, order = 1): Promise<TestRing> {
    const ring = new TestRing(this, order);
    const ret = (await this.socket(id)) || (await this.connectTo(id, ring, port));
    if (ret !== 0) throw new Error(`cannot open socket ${id}: ${ret}`);
    return ring;
  }

  /** The port that the host gave a socket bound to port 0. */
  boundPort(id: bigint): number {
    const device = this.backend.devices().find((info) => info.domid === this.domain.domid);
    const socket = device?.sockets.find((info) => info.id === String(id));
    if (socket?.address === undefined) throw new Error(`socket ${id} is not bound`);
    return socket.address.port;
  }

  /** Shutdown from the frontend's side. */
  async close(): Promise<void> {
    this.setState(5);
    await until(() => this.backendState() >= 5, 'backend Closing');
    const left = this.unpublish();
    if (left !== 0) throw new Error(`the backend still maps the command ring: ${left}`);
    this.setState(6);
    await this.backendReaches(6);
  }
}

export interface World {
  readonly machine: Machine;
  readonly backend: Backend;
  readonly guest: TestGuest;
}

/** A machine, a backend that allows all, and a connected guest; checked for leaks at the end. */
export async function withGuest(
  test: (world: World) => Promise<void>,
  options: BackendOptions = {},
): Promise<void> {
  const machine = createMachine({ memoryMiB: 16, maxDomains: 8, maxGrantFrames: 8 });
  const backend = createBackend(machine, { policy: () => 'allow', ...options });
  try {
    const guest = new TestGuest(machine, backend);
    await guest.connect(options.layout === 'v7' ? {} : { version: '1' });
    await test({ machine, backend, guest });
    if (guest.backendState() === 4) await guest.close();
    guest.store.close();
  } finally {
    await backend.close();
    machine.close();
  }
  machine.assertCleanedUp();
}
