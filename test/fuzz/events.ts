/** Takes the core's events and holds each against what it may say. docs/abi.md, "struct event". */
import {
  DEVICE_CONNECTED,
  DEVICE_FAILED,
  EVENT_A,
  EVENT_B,
  EVENT_C,
  EVENT_CLOSED,
  EVENT_DEVICE,
  EVENT_DONE,
  EVENT_HANDLE,
  EVENT_NONE,
  EVENT_READY,
  EVENT_STORE,
  FAULT_IN_PROD,
  FAULT_NONE,
  FAULT_OFFER,
  FAULT_OUT_CONS,
  FAULT_RET,
  FAULT_STORE,
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLOUT,
} from '../../assembly/wire/abi.js';
import { ERRNO_MAX, ETIMEDOUT } from '../../assembly/wire/errno.js';
import { PAGE_SIZE } from '../../assembly/wire/page.js';
import {
  PVCALLS_BIND,
  PVCALLS_CONNECT,
  PVCALLS_LISTEN,
  PVCALLS_SOCKET,
} from '../../assembly/wire/pvcalls.js';
import { XENSTORE_PAYLOAD_MAX } from '../../assembly/wire/xenstore.js';
import { Violation } from './hypervisor.js';
import { ARENA_AT, EVENT_AT } from './memory.js';
import { TOUCHED_ERRORS, TOUCHED_IN_PROD, TOUCHED_OUT_CONS } from './ring.js';
import { BOUND, BROKEN, CLOSING, CONNECTED, FRESH, LISTENING } from './sockets.js';
import type { World } from './world.js';

const ALL_BITS = POLLIN | POLLOUT | POLLERR | POLLHUP;
const STALE_KEPT = 8;
/** A ring page of messages that have nothing but a header, and some. */
const MESSAGES_MAX = 128;

export class Events {
  /** Events of one drain: three for each socket, the device's, and what the store can hold. */
  private readonly most: number;

  constructor(private readonly world: World) {
    this.most = 4 * world.setup.sockets + MESSAGES_MAX;
  }

  /** Takes all events. */
  drain(): void {
    const { core, commands, store } = this.world;
    for (let count = 0; ; count++) {
      if (count > this.most) throw new Violation(`poll_event does not end: ${count} events`);
      const kind = core.poll_event(EVENT_AT);
      if (kind === EVENT_NONE) break;
      this.handle(kind);
    }
    commands.settle(false);
    store?.observe();
    const { over, device } = this.world;
    if (store?.overflows === true && !over && device !== DEVICE_FAILED) {
      throw new Violation('xenstore claims more bytes than its ring holds, and is believed');
    }
  }

  /** The command ring stood wrong when the core looked: it must say so. */
  expectFault(): void {
    const { world } = this;
    if (world.device !== DEVICE_CONNECTED) return this.drain();
    this.drain();
    if (world.device !== DEVICE_CONNECTED) return;
    const { fault, value } = world.commands;
    throw new Violation(`fault ${fault} with value ${value} on the command ring is not noticed`);
  }

  private handle(kind: number): void {
    const { memory, coverage } = this.world;
    const handle = memory.word(EVENT_AT + EVENT_HANDLE);
    const a = memory.word(EVENT_AT + EVENT_A);
    const b = memory.word(EVENT_AT + EVENT_B);
    const c = memory.word(EVENT_AT + EVENT_C);
    if (kind > EVENT_STORE) throw new Violation(`an event of kind ${kind}`);
    coverage.events[kind]!++;
    if (kind === EVENT_DEVICE) this.handleDevice(a, b, c);
    else if (kind === EVENT_STORE) this.handleStore(a, b);
    else this.handleSocket(kind, handle, a, b | 0);
  }

  private handleDevice(state: number, fault: number, value: number): void {
    const { world } = this;
    if (state > DEVICE_FAILED) throw new Violation(`device state ${state}`);
    world.coverage.states[state]!++;
    world.device = state;
    if (state !== DEVICE_CONNECTED) {
      for (const socket of world.sockets.values()) {
        if (socket.stage !== CLOSING) socket.stage = BROKEN;
      }
    }
    if (fault === FAULT_NONE) return;
    world.coverage.fault(fault);
    world.over ||= fault === FAULT_STORE;
    if (state === DEVICE_FAILED) this.checkFault(fault, value);
    else if (state !== DEVICE_CONNECTED) this.checkCause(fault);
  }

  /** Nobody may be accused who has done nothing, nor of something else. */
  private checkFault(fault: number, value: number): void {
    const { commands } = this.world;
    if (fault <= FAULT_RET) {
      if (fault === commands.fault && value === commands.value) return;
      throw new Violation(
        `fault ${fault} with value ${value}, and should be ${commands.fault}, ${commands.value}`,
      );
    }
    this.checkCause(fault);
  }

  private checkCause(fault: number): void {
    const { touched, store } = this.world;
    if (fault <= FAULT_RET || fault === FAULT_OFFER) return;
    const done =
      fault === FAULT_IN_PROD
        ? touched & TOUCHED_IN_PROD
        : fault === FAULT_OUT_CONS
          ? touched & TOUCHED_OUT_CONS
          : fault < FAULT_STORE
            ? touched & TOUCHED_ERRORS
            : store?.pageTouched === true || (fault > FAULT_STORE && store?.nodesTouched === true);
    if (done) return;
    throw new Violation(`fault ${fault}, and the peer has done nothing of the kind`);
  }

  private handleStore(address: number, size: number): void {
    const end = ARENA_AT + this.world.setup.frames * PAGE_SIZE;
    if (size <= XENSTORE_PAYLOAD_MAX && address >= ARENA_AT && address + size <= end) return;
    throw new Violation(`EVENT_STORE: ${size} bytes at ${address}`);
  }

  private handleSocket(kind: number, handle: number, a: number, result: number): void {
    const { world } = this;
    const socket = world.sockets.get(handle);
    if (socket === undefined) throw new Violation(`event ${kind} for unknown handle ${handle}`);
    if (kind === EVENT_READY) {
      if ((a & ~ALL_BITS) !== 0) throw new Violation(`EVENT_READY with ${a}`);
      return;
    }
    if (result > 0 || result < -ERRNO_MAX)
      throw new Violation(`event ${kind} with result ${result}`);
    world.coverage.result(kind === EVENT_DONE ? 'DONE' : 'CLOSED', result);
    if (kind === EVENT_CLOSED) {
      world.sockets.delete(handle);
      world.stale.push(handle);
      if (world.stale.length > STALE_KEPT) world.stale.shift();
    } else if (a === PVCALLS_CONNECT) {
      socket.stage = result === 0 ? CONNECTED : FRESH;
    } else if (a === PVCALLS_BIND) {
      socket.stage = result === 0 ? BOUND : FRESH;
    } else if (a === PVCALLS_LISTEN) {
      socket.stage = result === 0 ? LISTENING : BOUND;
    } else if (a !== PVCALLS_SOCKET) {
      throw new Violation(`EVENT_DONE of command ${a}`);
    }
    if (result === -ETIMEDOUT || a === PVCALLS_SOCKET) socket.stage = BROKEN;
  }
}
