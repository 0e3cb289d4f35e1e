/**
 * The connected half of a device: the command ring, its event channel, and all sockets of one
 * guest. Made when the frontend has published its ring, closed in the order of the protocol's
 * shutdown: sockets, mappings, event channels.
 * Invariant: after `close` nothing of the guest's memory is touched and none of its ports is held.
 * Trust: a command ring that lies ends this connection, with one fault, and no other guest's.
 */
import diagnostics from 'node:diagnostics_channel';
import { RING_SIZE } from '../../assembly/wire/ring.js';
import { Channels } from './channels.js';
import { CommandRing } from './command-ring.js';
import { addRingCount, CommandCounts, newRingCount, type RingCount } from './counters.js';
import type { RingRules } from './data-ring.js';
import { Dispatcher } from './dispatcher.js';
import { GrantMapper } from './grants.js';
import type { Guest, Quotas } from './guest.js';
import { isErrno, type DomainView, type MachineView } from './machine-view.js';
import { PatientPort } from './patient-port.js';
import type { PolicyCall } from './policy.js';
import { encodeResponse, Request } from './requests.js';
import type { Rules } from './rules.js';
import type { SocketLayer } from './socket-layer.js';
import { SocketTable } from './sockets.js';

export interface ConnectionOptions {
  readonly machine: MachineView;
  readonly domain: DomainView;
  /** The guest. */
  readonly domid: number;
  readonly layer: SocketLayer;
  readonly rules: Rules;
  readonly ringRules: RingRules;
  readonly quotas: Quotas;
  readonly keepsReused: boolean;
  readonly decide: (call: PolicyCall) => number;
  /** The whole connection is at fault; its owner closes it. */
  readonly failed: (reason: string) => void;
  /** One socket is, and has been dealt with. */
  readonly socketFault: (id: bigint, reason: string) => void;
}

/** Message: `{ event: 'answer', domid, command, id, ret, elapsedMs }`; the others: backend.ts. */
const channel = diagnostics.channel('pvcalls:backend');

/** Requests handled before others get their turn. */
const BATCH = RING_SIZE;

export class Connection implements Guest {
  readonly domid: number;
  readonly rules: Rules;
  readonly quotas: Quotas;
  readonly keepsReused: boolean;
  readonly layer: SocketLayer;
  readonly channels: Channels;
  readonly sockets = new SocketTable();
  readonly commands = new CommandCounts();
  /** Notifications of the command ring. */
  readonly notifications = { sent: 0, received: 0 };
  /** Of sockets that were released. */
  private readonly past = newRingCount();
  private readonly dispatcher: Dispatcher;
  /** Requests, ever, and as it was at the last event. */
  private taken = 0;
  private takenBefore = 0;
  private running = false;
  private blocked = false;
  private closed = false;

  private constructor(
    private readonly options: ConnectionOptions,
    private readonly grants: GrantMapper,
    private readonly frame: number,
    private readonly port: PatientPort,
    private readonly ring: CommandRing,
  ) {
    this.domid = options.domid;
    this.rules = options.rules;
    this.quotas = options.quotas;
    this.keepsReused = options.keepsReused;
    this.layer = options.layer;
    this.channels = new Channels(
      options.domain,
      options.machine.scheduler,
      options.quotas.sockets,
      options.domid,
      grants,
      options.ringRules,
    );
    this.channels.closed = (channel) => addRingCount(this.past, channel.counts);
    this.dispatcher = new Dispatcher(this, options.decide);
  }

  /** Maps the command ring and binds its port; a sentence when the frontend's numbers are bad. */
  static open(options: ConnectionOptions, ringRef: number, port: number): Connection | string {
    const { machine, domain, domid, quotas } = options;
    const grants = new GrantMapper(
      domain.hypercalls,
      domid,
      machine.memory.buffer,
      quotas.mappedPages,
    );
    const frame = grants.map(ringRef);
    if (frame < 0) return `cannot map ring-ref ${ringRef}: result ${frame}`;
    const local = domain.hypercalls.evtchn_bind_interdomain(domid, port);
    if (isErrno(local)) {
      grants.unmap(frame);
      return `cannot bind port ${port}: result ${local}`;
    }
    const ring = new CommandRing(machine.memory.buffer, frame);
    const patient = new PatientPort(domain, machine.scheduler, local);
    const connection = new Connection(options, grants, frame, patient, ring);
    patient.listen(() => connection.handleEvent());
    return connection;
  }

  get mappedPages(): number {
    return this.grants.mapped;
  }

  /** Requests taken and not answered. */
  get outstanding(): number {
    return this.closed ? 0 : this.ring.outstanding;
  }

  /** Of all data rings, past and present. */
  ringTotals(): RingCount {
    const total = { ...this.past };
    for (const { state } of this.sockets) {
      if (state.kind === 'active') addRingCount(total, state.channel.counts);
    }
    return total;
  }

  answer(request: Request, ret: number): void {
    if (this.closed) return;
    this.ring.push(encodeResponse(request, ret));
    const elapsedMs = this.options.machine.scheduler.now() - request.seenMs;
    this.commands.answered(request.command, ret, elapsedMs);
    if (channel.hasSubscribers) {
      const { command, id } = request;
      channel.publish({ event: 'answer', domid: this.domid, command, id, ret, elapsedMs });
    }
    if (!this.running) this.publish();
  }

  socketFault(id: bigint, reason: string): void {
    this.options.socketFault(id, reason);
  }

  block(blocked: boolean): void {
    this.blocked = blocked;
    if (!blocked) this.defer();
  }

  /** Sockets first, then mappings and the event channel. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.dispatcher.closeAll();
    this.grants.unmap(this.frame);
    this.port.close();
  }

  /** Result: whether requests were taken since the last event, by this one or meanwhile. */
  private handleEvent(): boolean {
    this.notifications.received += 1;
    this.run();
    const before = this.takenBefore;
    this.takenBefore = this.taken;
    return this.taken !== before;
  }

  private run(): void {
    if (this.closed || this.running) return;
    this.running = true;
    const fault = this.takeRequests();
    this.running = false;
    if (this.closed) return;
    this.publish();
    if (fault !== undefined) this.options.failed(fault);
  }

  /** Handles what is there, a batch at most; a sentence when the ring is broken. */
  private takeRequests(): string | undefined {
    let left = BATCH;
    while (!this.blocked && !this.closed) {
      if (left-- === 0) {
        this.defer();
        return undefined;
      }
      const slot = this.ring.take();
      if (slot === 'overflow') return 'req_prod is further ahead than the command ring holds';
      if (slot !== undefined) {
        this.taken += 1;
        this.dispatcher.handle(new Request(slot, this.options.machine.scheduler.now()));
      } else if (!this.ring.finalCheck()) {
        return undefined;
      }
    }
    return undefined;
  }

  private defer(): void {
    this.options.machine.scheduler.defer(() => this.run());
  }

  private publish(): void {
    if (!this.ring.publish()) return;
    this.notifications.sent += 1;
    this.port.send();
  }
}
