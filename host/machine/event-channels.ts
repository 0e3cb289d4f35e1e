/**
 * Event channels, 2-level ABI. C reference: public/event_channel.h, public/xen.h.
 *
 * A port is one word, so that sending needs no lock:
 *
 *   31         16 15        4 3     0
 *   | remote     | remote    | state |      virq: the number stands in place of the remote port
 *   | domid      | port      |       |
 *
 * Order of delivery, as in Xen: the pending bit, then pending_sel, then the upcall byte; only the
 * step that turns the byte from 0 to 1 wakes anybody, so events coalesce by themselves. Nothing a
 * domain writes into its shared_info can do more than lose or invent its own events.
 */
import { EEXIST, EINVAL, ENOSPC, ESRCH } from '../../assembly/wire/errno.js';
import { DOMID_FIRST_RESERVED, DOMID_SELF } from '../../assembly/wire/grant-table.js';
import {
  EVTCHN_2L_NR_CHANNELS,
  EVTCHN_PENDING_SEL,
  EVTCHN_UPCALL_PENDING,
} from '../../assembly/wire/shared-info.js';
import {
  DOMAIN_FREE_PORTS,
  DOMAIN_VIRQ_PORTS,
  NR_VIRQS,
  type MachineState,
} from './machine-state.js';
import { COALESCED, LOST, SENDS, type ThreadHost } from './thread-host.js';

export const PORT_CLOSED = 0;
export const PORT_UNBOUND = 1;
export const PORT_INTERDOMAIN = 2;
export const PORT_VIRQ = 4;

const STATE_BITS = 15;
const REMOTE_PORT_SHIFT = 4;
const REMOTE_DOMID_SHIFT = 16;

export interface PortStatus {
  readonly port: number;
  readonly state: 'unbound' | 'interdomain' | 'virq';
  /** The domain at the other end, or the one that may bind; the domain itself for a virq. */
  readonly remote: number;
  /** The other end's port when interdomain, the number of a virq, else 0. */
  readonly remotePort: number;
  /** evtchn_send calls on this port since it was allocated. */
  readonly sends: number;
}

function portWord(state: number, remote: number, remotePort: number): number {
  return state | (remotePort << REMOTE_PORT_SHIFT) | (remote << REMOTE_DOMID_SHIFT);
}

const remoteDomid = (word: number): number => word >>> REMOTE_DOMID_SHIFT;
const remotePortOf = (word: number): number =>
  (word >>> REMOTE_PORT_SHIFT) & (EVTCHN_2L_NR_CHANNELS - 1);

/** All but `send`, `mask` and `unmask` want the lock held. Results are ports or negative errnos. */
export class EventChannels {
  private readonly i32: Int32Array;
  private readonly u8: Uint8Array;

  constructor(
    private readonly state: MachineState,
    private readonly threads: ThreadHost,
  ) {
    this.i32 = state.i32;
    this.u8 = state.u8;
  }

  /** Makes all ports of a new domain free. */
  initialise(domid: number): void {
    const { i32, u16 } = this.state;
    const words = this.state.portWords(domid);
    i32.fill(0, words, words + 2 * EVTCHN_2L_NR_CHANNELS);
    const free = this.state.freePorts(domid);
    u16.fill(0, free, free + EVTCHN_2L_NR_CHANNELS);
    const record = this.state.domainRecord(domid);
    i32[record + DOMAIN_FREE_PORTS] = EVTCHN_2L_NR_CHANNELS - 1; // port 0 is never handed out
    i32.fill(0, record + DOMAIN_VIRQ_PORTS, record + DOMAIN_VIRQ_PORTS + NR_VIRQS);
  }

  allocUnbound(domid: number, remote: number): number {
    const other = remote === DOMID_SELF ? domid : remote;
    if (other >= DOMID_FIRST_RESERVED) return -EINVAL;
    return this.open(domid, portWord(PORT_UNBOUND, other, 0));
  }

  bindInterdomain(domid: number, remote: number, remotePort: number): number {
    const other = remote === DOMID_SELF ? domid : remote;
    if (!this.state.isAlive(other)) return -ESRCH;
    if (remotePort >= EVTCHN_2L_NR_CHANNELS) return -EINVAL;
    const theirs = this.state.portWords(other) + remotePort;
    if (this.i32[theirs] !== portWord(PORT_UNBOUND, domid, 0)) return -EINVAL;
    const port = this.open(domid, portWord(PORT_INTERDOMAIN, other, remotePort));
    if (port < 0) return port;
    Atomics.store(this.i32, theirs, portWord(PORT_INTERDOMAIN, domid, port));
    this.setPending(domid, port); // events sent before the bind were lost: look once
    return port;
  }

  bindVirq(domid: number, virq: number): number {
    if (virq >= NR_VIRQS) return -EINVAL;
    const at = this.state.domainRecord(domid) + DOMAIN_VIRQ_PORTS + virq;
    if (this.i32[at] !== 0) return -EEXIST;
    const port = this.open(domid, portWord(PORT_VIRQ, domid, virq));
    if (port > 0) this.i32[at] = port;
    return port;
  }

  /** Sets a bound virq pending. False when the domain does not listen to it. */
  raiseVirq(domid: number, virq: number): boolean {
    if (!this.state.isAlive(domid) || virq >= NR_VIRQS) return false;
    const port = this.i32[this.state.domainRecord(domid) + DOMAIN_VIRQ_PORTS + virq]!;
    if (port === 0) return false;
    this.setPending(domid, port);
    return true;
  }

  send(domid: number, port: number): number {
    if (port >= EVTCHN_2L_NR_CHANNELS) return -EINVAL;
    const words = this.state.portWords(domid);
    const word = Atomics.load(this.i32, words + port);
    const state = word & STATE_BITS;
    if (state !== PORT_INTERDOMAIN && state !== PORT_UNBOUND) return -EINVAL;
    this.i32[words + EVTCHN_2L_NR_CHANNELS + port]!++; // only this domain's thread writes it
    this.threads.count(SENDS);
    if (state === PORT_UNBOUND) this.threads.count(LOST);
    else this.setPending(remoteDomid(word), remotePortOf(word));
    return 0;
  }

  mask(domid: number, port: number): number {
    if (port >= EVTCHN_2L_NR_CHANNELS) return -EINVAL;
    Atomics.or(this.i32, this.maskWord(domid, port), 1 << (port & 31));
    return 0;
  }

  unmask(domid: number, port: number): number {
    if (port >= EVTCHN_2L_NR_CHANNELS) return -EINVAL;
    const bit = 1 << (port & 31);
    const was = Atomics.and(this.i32, this.maskWord(domid, port), ~bit);
    const pending = Atomics.load(this.i32, this.pendingWord(domid, port));
    if ((was & bit) !== 0 && (pending & bit) !== 0) this.raiseUpcall(domid, port);
    return 0;
  }

  close(domid: number, port: number): number {
    if (port >= EVTCHN_2L_NR_CHANNELS) return -EINVAL;
    const at = this.state.portWords(domid) + port;
    const word = this.i32[at]!;
    const state = word & STATE_BITS;
    if (state === PORT_CLOSED) return -EINVAL;
    if (state === PORT_VIRQ) {
      this.i32[this.state.domainRecord(domid) + DOMAIN_VIRQ_PORTS + remotePortOf(word)] = 0;
    }
    Atomics.store(this.i32, at, PORT_CLOSED);
    if (state === PORT_INTERDOMAIN) {
      const theirs = this.state.portWords(remoteDomid(word)) + remotePortOf(word);
      Atomics.store(this.i32, theirs, portWord(PORT_UNBOUND, domid, 0));
    }
    this.clearPending(domid, port);
    this.release(domid, port);
    return 0;
  }

  closeAll(domid: number): void {
    for (let port = 1; port < EVTCHN_2L_NR_CHANNELS; port++) this.close(domid, port);
  }

  /** The open ports of a domain, in no order that means anything. */
  list(domid: number): PortStatus[] {
    const words = this.state.portWords(domid);
    const ports: PortStatus[] = [];
    for (let port = 1; port < EVTCHN_2L_NR_CHANNELS; port++) {
      const word = this.i32[words + port]!;
      const state = word & STATE_BITS;
      if (state === PORT_CLOSED) continue;
      ports.push({
        port,
        state: state === PORT_VIRQ ? 'virq' : state === PORT_UNBOUND ? 'unbound' : 'interdomain',
        remote: remoteDomid(word),
        remotePort: remotePortOf(word),
        sends: this.state.u32[words + EVTCHN_2L_NR_CHANNELS + port]!,
      });
    }
    return ports;
  }

  private open(domid: number, word: number): number {
    const port = this.take(domid);
    if (port === 0) return -ENOSPC;
    this.clearPending(domid, port); // a sender that lost a race with close may have set it
    this.i32[this.state.sendCounts(domid) + port] = 0;
    Atomics.store(this.i32, this.state.portWords(domid) + port, word);
    return port;
  }

  /** Takes a random free port. A zero slot of the list stands for its own index plus 1. */
  private take(domid: number): number {
    const countAt = this.state.domainRecord(domid) + DOMAIN_FREE_PORTS;
    const count = this.i32[countAt]!;
    if (count === 0) return 0;
    const { u16 } = this.state;
    const free = this.state.freePorts(domid);
    const slot = this.state.random(count);
    const port = u16[free + slot]! || slot + 1;
    u16[free + slot] = u16[free + count - 1]! || count;
    this.i32[countAt] = count - 1;
    return port;
  }

  private release(domid: number, port: number): void {
    const countAt = this.state.domainRecord(domid) + DOMAIN_FREE_PORTS;
    const count = this.i32[countAt]!;
    this.state.u16[this.state.freePorts(domid) + count] = port;
    this.i32[countAt] = count + 1;
  }

  private setPending(domid: number, port: number): void {
    const bit = 1 << (port & 31);
    if ((Atomics.or(this.i32, this.pendingWord(domid, port), bit) & bit) !== 0) {
      this.threads.count(COALESCED);
    } else if ((Atomics.load(this.i32, this.maskWord(domid, port)) & bit) === 0) {
      this.raiseUpcall(domid, port);
    }
  }

  private raiseUpcall(domid: number, port: number): void {
    const info = this.state.sharedInfo(domid);
    const sel = (info + EVTCHN_PENDING_SEL) / 4 + (port >>> 11);
    Atomics.or(this.i32, sel, 1 << ((port >>> 6) & 31));
    if (Atomics.exchange(this.u8, info + EVTCHN_UPCALL_PENDING, 1) === 0) this.threads.wake(domid);
  }

  private clearPending(domid: number, port: number): void {
    Atomics.and(this.i32, this.pendingWord(domid, port), ~(1 << (port & 31)));
  }

  private pendingWord(domid: number, port: number): number {
    return (this.state.sharedInfo(domid) + this.state.pendingOffset) / 4 + (port >>> 5);
  }

  private maskWord(domid: number, port: number): number {
    return (this.state.sharedInfo(domid) + this.state.maskOffset) / 4 + (port >>> 5);
  }
}
