/**
 * The command ring as it must be: what the core has sent, what it has taken, and what it must say
 * of the responses that stand there. Written from ring.h and the protocol, not from the core.
 * Spec: pvcalls, "Commands Ring". Requests are read right after the core put them, before anybody
 * else can write.
 */
import {
  FAULT_CMD,
  FAULT_ID,
  FAULT_NONE,
  FAULT_REQ_ID,
  FAULT_RET,
  FAULT_RSP_PROD,
} from '../../assembly/wire/abi.js';
import { ERRNO_MAX } from '../../assembly/wire/errno.js';
import * as wire from '../../assembly/wire/pvcalls.js';
import {
  REQ_PROD,
  RING_SIZE,
  RSP_EVENT,
  RSP_PROD,
  SLOT_SIZE,
  SRING_SLOTS,
} from '../../assembly/wire/ring.js';
import { type Hypervisor, Violation } from './hypervisor.js';
import type { FuzzMemory } from './memory.js';
import type { Ring } from './ring.js';

export interface Request {
  readonly reqId: number;
  readonly cmd: number;
  /** The socket's handle. */
  readonly id: number;
  /** Of ACCEPT: the handle that the connection will have. */
  readonly idNew: number;
  readonly ring: Ring | undefined;
  readonly reuse: boolean;
}

/** Fields of a request, as bits over its 16 words; every other byte must be 0. */
const USED = [
  [0, 1, 2, 4, 5, 6],
  [0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14],
  [0, 1, 2, 4],
  [0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11],
  [0, 1, 2, 4],
  [0, 1, 2, 4, 6, 7], // the high half of id_new stays 0
  [0, 1, 2],
].map((words) => words.reduce((bits, word) => bits | (1 << word), 0));

export class Commands {
  /** Sent and not answered by the backend; answered ones wait in the ring for the core. */
  readonly pending: Request[] = [];
  /** The backend's own. */
  rspProd = 0;
  /** What the core must say, when it next looks at the ring: a fault and its value. */
  fault = FAULT_NONE as number;
  value = 0;
  private readonly inFlight = new Map<number, Request>();
  private reqProd = 0;
  private rspCons = 0;
  private walked: number[] = [];

  /** `told` hears of every request when it is sent. */
  constructor(
    private readonly memory: FuzzMemory,
    private readonly hypervisor: Hypervisor,
    private readonly told: (request: Request) => void,
  ) {}

  reset(): void {
    this.pending.length = 0;
    this.inFlight.clear();
    this.reqProd = this.rspCons = this.rspProd = 0;
    this.fault = FAULT_NONE;
    this.walked.length = 0;
  }

  /** Requests whose response the core has not taken. */
  get outstanding(): number {
    return (this.reqProd - this.rspCons) >>> 0;
  }

  get reqProdNow(): number {
    return this.reqProd;
  }

  slot(index: number): number {
    return this.hypervisor.commandPage + SRING_SLOTS + (index & (RING_SIZE - 1)) * SLOT_SIZE;
  }

  /** Any request in flight, for lies about it. */
  someReqId(choice: number): number {
    const ids = [...this.inFlight.keys()];
    return ids.length === 0 ? 0 : ids[choice % ids.length]!;
  }

  /** Before an entry that may look at the ring: what it must find. */
  predict(): void {
    this.fault = FAULT_NONE;
    this.walked.length = 0;
    const prod = this.memory.word(this.hypervisor.commandPage + RSP_PROD);
    if ((prod - this.rspCons) >>> 0 > this.outstanding) return this.expect(FAULT_RSP_PROD, prod);
    for (let index = this.rspCons; index !== prod; index = (index + 1) >>> 0) {
      if (!this.judge(this.slot(index))) return;
    }
  }

  /** After an entry: takes in the requests that it sent, and whether it took the responses. */
  settle(lookedAt: boolean): void {
    if (!this.hypervisor.commandGranted) return;
    const { memory } = this;
    const page = this.hypervisor.commandPage;
    if (lookedAt && this.fault === FAULT_NONE) {
      const taken = (this.rspCons + this.walked.length) >>> 0;
      if (memory.word(page + RSP_EVENT) === (taken + 1) >>> 0) {
        this.rspCons = taken;
        for (const reqId of this.walked) this.inFlight.delete(reqId);
      }
    }
    const before = this.reqProd;
    const prod = memory.word(page + REQ_PROD);
    const more = (prod - before) >>> 0;
    if (more === 0 || more > RING_SIZE) return; // the mutator's: it keeps away from what may be
    if (more > RING_SIZE - this.outstanding) {
      throw new Violation(`${more} requests pushed while ${this.outstanding} are outstanding`);
    }
    this.reqProd = prod;
    for (let index = before; index !== prod; index = (index + 1) >>> 0) this.learn(index);
  }

  /** One response; false when the core must stop there. */
  private judge(at: number): boolean {
    const { memory } = this;
    const reqId = memory.word(at + wire.RESPONSE_REQ_ID);
    const request = this.inFlight.get(reqId);
    const ret = memory.word(at + wire.RESPONSE_RET) | 0;
    const [id, high] = [memory.word(at + wire.RESPONSE_ID), memory.word(at + wire.RESPONSE_ID + 4)];
    const cmd = memory.word(at + wire.RESPONSE_CMD);
    if (request === undefined || this.walked.includes(reqId)) this.expect(FAULT_REQ_ID, reqId);
    else if (cmd !== request.cmd) this.expect(FAULT_CMD, cmd);
    else if (id !== request.id || high !== 0) this.expect(FAULT_ID, id);
    else if (ret > 0 || ret < -ERRNO_MAX) this.expect(FAULT_RET, ret);
    else this.walked.push(reqId);
    return this.fault === FAULT_NONE;
  }

  private expect(fault: number, value: number): void {
    this.fault = fault;
    this.value = value >>> 0;
  }

  private learn(index: number): void {
    const at = this.slot(index);
    const word = (offset: number): number => this.memory.word(at + offset);
    const cmd = word(wire.REQUEST_CMD);
    const used = USED[cmd];
    if (used === undefined) throw new Violation(`a request with cmd ${cmd}`);
    for (let i = 0; i < SLOT_SIZE / 4; i++) {
      if ((used & (1 << i)) === 0 && word(i * 4) !== 0) {
        throw new Violation(`request ${cmd}: word ${i} is ${word(i * 4)}, not 0`);
      }
    }
    const reqId = word(wire.REQUEST_REQ_ID);
    if (reqId === 0 || this.inFlight.has(reqId)) throw new Violation(`req_id ${reqId} sent again`);
    const connects = cmd === wire.PVCALLS_CONNECT;
    const accepts = cmd === wire.PVCALLS_ACCEPT;
    const ring = connects
      ? this.offered(word(wire.CONNECT_REF), word(wire.CONNECT_EVTCHN))
      : accepts
        ? this.offered(word(wire.ACCEPT_REF), word(wire.ACCEPT_EVTCHN))
        : undefined;
    const request: Request = {
      reqId,
      cmd,
      id: word(wire.REQUEST_ID),
      idNew: accepts ? word(wire.ACCEPT_ID_NEW) : 0,
      ring,
      reuse: cmd === wire.PVCALLS_RELEASE && (word(wire.RELEASE_REUSE) & 0xff) === 1,
    };
    this.inFlight.set(reqId, request);
    this.pending.push(request);
    this.told(request);
  }

  /** The ring behind a reference and a port that the core offers: they must belong together. */
  private offered(ref: number, port: number): Ring {
    const ring = this.hypervisor.rings.get(port);
    const frame = this.hypervisor.frame(ref);
    if (ring !== undefined && frame === ring.page >>> 12) return ring;
    throw new Violation(`ref ${ref} (frame ${frame}) and port ${port} are no ring`);
  }
}
