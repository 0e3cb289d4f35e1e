/**
 * The sockets as the embedder knows them, and what every call on a data ring must answer, from what
 * stands on the indexes page when it is made. Written from docs/abi.md, "Bytes".
 */
import { MSG_PEEK, SPAN_ADDRESS, SPAN_BYTES, SPAN_SIZE } from '../../assembly/wire/abi.js';
import { IN_CONS, IN_PROD, OUT_CONS, OUT_PROD } from '../../assembly/wire/data-ring.js';
import { EAGAIN } from '../../assembly/wire/errno.js';
import type { CoreExports } from '../../host/core/exports.js';
import { Violation } from './hypervisor.js';
import {
  INTO_AT,
  INTO_SIZE,
  SOURCE_AT,
  SOURCE_SIZE,
  SPANS_AT,
  WINDOW_AT,
  type FuzzMemory,
} from './memory.js';
import type { Ring } from './ring.js';

export const FRESH = 0;
export const CONNECTING = 1;
export const CONNECTED = 2;
export const BINDING = 3;
export const BOUND = 4;
export const LISTENING = 5;
export const CLOSING = 6;
/** It has an error for good, or its device is gone: nothing is left but to close it. */
export const BROKEN = 7;

export interface Socket {
  readonly handle: number;
  stage: number;
  ring: Ring | undefined;
}

/** Ways to move bytes: as is, by spans, by window. */
const PLAIN = 0;
const SPANS = 1;

/** Calls that move bytes, each held against the ring. */
export class DataCalls {
  constructor(
    private readonly core: CoreExports,
    private readonly memory: FuzzMemory,
  ) {}

  send(socket: Socket, size: number, way: number): number {
    const { core, memory } = this;
    const { ring, handle } = socket;
    const wanted = Math.min(size, SOURCE_SIZE);
    const from = SOURCE_AT + SOURCE_SIZE - wanted;
    const cons = ring === undefined ? 0 : memory.word(ring.page + OUT_CONS);
    if (way > SPANS) return this.sendWindow(socket, size, cons);
    const result =
      way === PLAIN
        ? core.send(handle, from, wanted)
        : core.sendv(handle, SPANS_AT, this.writeSpans(from, wanted));
    if (result > 0 || result === -EAGAIN) {
      const room = this.sendRoom(ring, cons);
      this.expect('send', result, room === 0 ? -EAGAIN : Math.min(wanted, room));
      if (result > 0) this.published(ring!, from, result);
    }
    return result;
  }

  private sendWindow({ handle, ring }: Socket, size: number, cons: number): number {
    const { core } = this;
    const window = core.send_window(handle, WINDOW_AT);
    if (window <= 0) return window;
    this.expect('send_window', window, this.sendRoom(ring, cons));
    const base = ring!.data + ring!.size;
    this.checkWindow(
      base,
      base + (ring!.outProd & (ring!.size - 1)),
      window,
      ring!.size,
      base + ring!.size,
    );
    const taken = core.send_commit(handle, size);
    this.expect('send_commit', taken, size <= window ? size : -22);
    if (taken > 0) this.published(ring!, 0, taken);
    return taken;
  }

  recv(socket: Socket, size: number, way: number, flags: number): number {
    const { core, memory } = this;
    const { ring, handle } = socket;
    const wanted = Math.min(size, INTO_SIZE);
    const to = INTO_AT + INTO_SIZE - wanted; // what comes after is guarded
    const prod = ring === undefined ? 0 : memory.word(ring.page + IN_PROD);
    if (way > SPANS) return this.recvWindow(socket, size, prod);
    const result =
      way === PLAIN
        ? core.recv(handle, to, wanted, flags)
        : core.recvv(handle, SPANS_AT, this.writeSpans(to, wanted), flags);
    if (result >= 0 || result === -EAGAIN) {
      const ready = this.recvReady(ring, prod);
      const ended = ready === 0 && result === 0;
      const nothing = ended ? 0 : -EAGAIN;
      this.expect('recv', result, ready === 0 ? nothing : Math.min(wanted, ready));
      if (result > 0) {
        this.compare('recv', ring!.data, ring!.inCons, ring!.size, to, result);
        if ((flags & MSG_PEEK) === 0) this.consumed(ring!, result);
      }
    }
    return result;
  }

  private recvWindow({ handle, ring }: Socket, size: number, prod: number): number {
    const { core } = this;
    const window = core.recv_window(handle, WINDOW_AT);
    if (window <= 0) return window;
    this.expect('recv_window', window, this.recvReady(ring, prod));
    const start = ring!.data + (ring!.inCons & (ring!.size - 1));
    this.checkWindow(ring!.data, start, window, ring!.size, ring!.data + ring!.size);
    const taken = core.recv_commit(handle, size);
    this.expect('recv_commit', taken, size <= window ? size : -22);
    if (taken > 0) this.consumed(ring!, taken);
    return taken;
  }

  /** What may be sent, by an out_cons that the core has just accepted. */
  private sendRoom(ring: Ring | undefined, cons: number): number {
    if (ring === undefined) throw new Violation('bytes go through a socket that has no ring');
    const used = (ring.outProd - cons) >>> 0;
    if (used > (ring.outProd - ring.outSeen) >>> 0) {
      throw new Violation(
        `out_cons ${cons} accepted: out_prod ${ring.outProd}, seen ${ring.outSeen}`,
      );
    }
    ring.outSeen = cons;
    return ring.size - used;
  }

  private recvReady(ring: Ring | undefined, prod: number): number {
    if (ring === undefined) throw new Violation('bytes come from a socket that has no ring');
    const ready = (prod - ring.inCons) >>> 0;
    if (ready > ring.size || ready < (ring.inSeen - ring.inCons) >>> 0) {
      throw new Violation(`in_prod ${prod} accepted: in_cons ${ring.inCons}, seen ${ring.inSeen}`);
    }
    ring.inSeen = prod;
    return ready;
  }

  private published(ring: Ring, from: number, size: number): void {
    const base = ring.data + ring.size;
    if (from !== 0) this.compare('send', base, ring.outProd, ring.size, from, size);
    ring.outProd = (ring.outProd + size) >>> 0;
    this.expect('out_prod', this.memory.word(ring.page + OUT_PROD), ring.outProd);
  }

  private consumed(ring: Ring, size: number): void {
    ring.inCons = (ring.inCons + size) >>> 0;
    this.expect('in_cons', this.memory.word(ring.page + IN_CONS), ring.inCons);
  }

  private compare(
    call: string,
    base: number,
    index: number,
    length: number,
    at: number,
    size: number,
  ): void {
    const start = index & (length - 1);
    const head = Math.min(size, length - start);
    const { memory } = this;
    if (memory.same(base + start, at, head) && memory.same(base, at + head, size - head)) return;
    throw new Violation(`${call}: ${size} bytes at index ${index} are not those of the ring`);
  }

  private checkWindow(base: number, start: number, sum: number, size: number, end: number): void {
    const word = (at: number): number => this.memory.word(WINDOW_AT + at);
    const head = Math.min(sum, end - start);
    this.expect('window', word(SPAN_ADDRESS), start);
    this.expect('window', word(SPAN_BYTES), head);
    this.expect('window', word(SPAN_SIZE + SPAN_BYTES), sum - head);
    if (sum > head) this.expect('window', word(SPAN_SIZE + SPAN_ADDRESS), base);
    if (sum > size) throw new Violation(`a window of ${sum} bytes in a ring of ${size}`);
  }

  /** Three spans that follow each other. Result: their number. */
  private writeSpans(at: number, size: number): number {
    const part = size >>> 2;
    [part, 0, size - part].reduce((address, bytes, i) => {
      this.memory.setWord(SPANS_AT + i * SPAN_SIZE + SPAN_ADDRESS, address);
      this.memory.setWord(SPANS_AT + i * SPAN_SIZE + SPAN_BYTES, bytes);
      return address + bytes;
    }, at);
    return 3;
  }

  private expect(what: string, actual: number, expected: number): void {
    if (actual !== expected) throw new Violation(`${what} is ${actual}, and should be ${expected}`);
  }
}
