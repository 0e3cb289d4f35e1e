/**
 * Data channels of one guest: a mapped data ring and its event channel, opened for CONNECT and
 * ACCEPT, closed at RELEASE or kept for the next socket.
 * Spec: pvcalls, "Release": with `reuse` the mapping may stay; it is found again by `ref`.
 * Trust: ref and evtchn are the guest's numbers; the hypervisor checks them.
 */
import { EFAULT, ENFILE, ENOSPC } from '../../assembly/wire/errno.js';
import { newRingCount, type RingCount } from './counters.js';
import { DataRing, type RingRules } from './data-ring.js';
import type { GrantMapper } from './grants.js';
import { isErrno, type DomainView } from './machine-view.js';
import { PatientPort } from './patient-port.js';
import type { Scheduler } from '../machine/scheduler.js';

export interface Channel {
  readonly ref: number;
  /** The guest's port. */
  readonly evtchn: number;
  /** Ours. */
  readonly port: PatientPort;
  readonly ring: DataRing;
  readonly counts: RingCount;
}

export class Channels {
  /** By ref: mapped and bound, without a socket. */
  private readonly kept = new Map<number, Channel>();
  /** Told of every channel that no socket uses any more. */
  closed: (channel: Channel) => void = () => undefined;
  /** Open and kept ones. */
  private count = 0;

  /** Of more than `limit` channels, those that are only kept go, the oldest first. */
  constructor(
    private readonly domain: DomainView,
    private readonly scheduler: Scheduler,
    private readonly limit: number,
    private readonly remote: number,
    private readonly grants: GrantMapper,
    private readonly rules: RingRules,
  ) {}

  /**
   * Maps the ring and binds the port, or takes what was kept for this ref and port.
   * -EFAULT for a ref or port that is not ours to use, -ENOBUFS over quota, -ENFILE when our own
   * domain has no port left, or RingRules.badOrder.
   */
  open(ref: number, evtchn: number): Channel | number {
    const kept = this.kept.get(ref);
    if (kept !== undefined) {
      this.kept.delete(ref);
      if (kept.evtchn === evtchn && kept.ring.startIsValid()) {
        return { ...kept, counts: newRingCount() };
      }
      this.free(kept);
    }
    this.makePlace();
    const ring = DataRing.map(this.grants, ref, this.rules);
    if (typeof ring === 'number') return ring;
    const port = this.domain.hypercalls.evtchn_bind_interdomain(this.remote, evtchn);
    if (isErrno(port)) {
      ring.unmap();
      return (port | 0) === -ENOSPC ? -ENFILE : -EFAULT;
    }
    this.count += 1;
    const patient = new PatientPort(this.domain, this.scheduler, port);
    return { ref, evtchn, port: patient, ring, counts: newRingCount() };
  }

  /** Starts the events of a channel; `handler` says whether there was a reason for one. */
  listen(channel: Channel, handler: () => boolean): void {
    channel.port.listen(handler);
  }

  notify(channel: Channel): void {
    channel.counts.notificationsSent += 1;
    channel.port.send();
  }

  /** Keeps a channel, silent, until its ref is offered again. */
  keep(channel: Channel): void {
    channel.port.hush();
    const before = this.kept.get(channel.ref);
    if (before !== undefined) this.free(before);
    this.kept.set(channel.ref, channel);
    this.closed(channel);
  }

  /** Spec: pvcalls, "Release": unmaps buffers, then the interface, then unbinds the port. */
  close(channel: Channel): void {
    this.free(channel);
    this.closed(channel);
  }

  /** Closes everything that was kept. */
  closeKept(): void {
    for (const channel of this.kept.values()) this.free(channel);
    this.kept.clear();
  }

  private makePlace(): void {
    if (this.count < this.limit) return;
    for (const [ref, channel] of this.kept) {
      this.kept.delete(ref);
      this.free(channel);
      return;
    }
  }

  private free(channel: Channel): void {
    this.count -= 1;
    channel.ring.unmap();
    channel.port.close();
  }
}
