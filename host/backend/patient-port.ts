/**
 * Events of one port, within limits: what Linux calls lateeoi. A guest may notify as often as it
 * likes, and each event costs us an upcall. One that keeps notifying for nothing has its port
 * masked for a while, longer each time, and loses nothing by it: what comes meanwhile is pending
 * when the mask goes, and the first event that has a reason ends the matter.
 * Invariant: a port is masked exactly while it has no handler or its guest is being waited out.
 */
import type { Scheduler } from '../machine/scheduler.js';
import type { DomainView } from './machine-view.js';

/** Events in a row without a reason that cost nothing: they may cross with our own work. */
const IDLE_FREE = 64;
const DELAY_MAX_MS = 64;

export class PatientPort {
  private idle = 0;
  private cancel: (() => void) | undefined;

  /** Takes a port that was just bound, and masks it. */
  constructor(
    private readonly domain: DomainView,
    private readonly scheduler: Scheduler,
    readonly port: number,
  ) {
    domain.hypercalls.evtchn_mask(port);
  }

  /** Starts events. `handler` says whether there was a reason for it. */
  listen(handler: () => boolean): void {
    this.domain.events.on(this.port, () => {
      if (handler()) this.idle = 0;
      else this.suffer();
    });
    this.domain.hypercalls.evtchn_unmask(this.port);
  }

  /** Stops events. */
  hush(): void {
    this.cancel?.();
    this.cancel = undefined;
    this.idle = 0;
    this.domain.events.off(this.port);
    this.domain.hypercalls.evtchn_mask(this.port);
  }

  send(): void {
    this.domain.hypercalls.evtchn_send(this.port);
  }

  close(): void {
    this.hush();
    this.domain.hypercalls.evtchn_close(this.port);
    this.domain.hypercalls.evtchn_unmask(this.port); // for whoever gets this number next
  }

  private suffer(): void {
    this.idle += 1;
    // A handler may have closed or hushed the port.
    if (this.idle <= IDLE_FREE || this.cancel !== undefined) return;
    const delayMs = Math.min(2 ** Math.min(this.idle - IDLE_FREE - 1, 30), DELAY_MAX_MS);
    this.domain.hypercalls.evtchn_mask(this.port);
    this.cancel = this.scheduler.after(delayMs, () => {
      this.cancel = undefined;
      this.domain.hypercalls.evtchn_unmask(this.port);
    });
  }
}
