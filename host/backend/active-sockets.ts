/**
 * CONNECT, what ACCEPT makes, and RELEASE of connected sockets.
 * Spec: pvcalls, "Connect", "Release". The ring is mapped before the connection is tried: a bad
 * reference costs no connection, and the first bytes have their place.
 * Invariant: a channel is open exactly while its socket is connecting or active.
 */
import {
  EALREADY,
  ECONNABORTED,
  EEXIST,
  EISCONN,
  EMFILE,
  EOPNOTSUPP,
} from '../../assembly/wire/errno.js';
import type { Channel } from './channels.js';
import { errnoOf } from './errors.js';
import type { Guest } from './guest.js';
import { Pump } from './pump.js';
import type { Request } from './requests.js';
import type { InetAddress, PendingStream, Stream } from './socket-layer.js';
import type { Active, Connecting, Socket } from './sockets.js';

export class ActiveSockets {
  constructor(private readonly guest: Guest) {}

  connect(request: Request, address: InetAddress): void {
    const { guest } = this;
    const known = guest.sockets.get(request.id);
    const refusal = guest.rules.remembersSockets ? this.refusal(known) : this.overQuota();
    if (refusal !== 0) return guest.answer(request, refusal);
    const { ref, evtchn } = request.connect;
    const channel = guest.channels.open(ref, evtchn);
    if (typeof channel === 'number') return guest.answer(request, channel);

    const socket =
      guest.rules.remembersSockets && known !== undefined
        ? known
        : guest.sockets.add(request.id, { kind: 'created' });
    const pump = this.newPump(request.id, channel);
    if (guest.rules.connectBlocks) guest.block(true);
    try {
      const cancel = guest.layer.connect(address, pump, (result) => {
        this.connected(socket, request, result);
      });
      socket.state = { kind: 'connecting', request, address, channel, pump, cancel };
    } catch (error) {
      guest.channels.close(channel);
      this.failed(socket, request, errnoOf(error));
    }
  }

  /** Makes the socket of an ACCEPT: a negative errno, or the start of its traffic. */
  adopt(request: Request, pending: PendingStream): number | (() => void) {
    const { guest } = this;
    const { idNew, ref, evtchn } = request.accept;
    if (guest.rules.remembersSockets && guest.sockets.get(idNew) !== undefined) return -EEXIST;
    const refusal = this.overQuota();
    if (refusal !== 0) return refusal;
    const channel = guest.channels.open(ref, evtchn);
    if (typeof channel === 'number') return channel;
    const pump = this.newPump(idNew, channel);
    const stream = pending.accept(pump);
    guest.sockets.add(idNew, { kind: 'active', address: pending.remote, channel, pump });
    return () => this.start(channel, pump, stream);
  }

  /** RELEASE of a socket that is still connecting: the CONNECT is answered first. */
  cancel(state: Connecting): void {
    this.abandon(state);
    this.guest.answer(state.request, -ECONNABORTED);
  }

  /**
   * RELEASE of a connected socket. What the guest had not read makes it a reset, as a kernel does;
   * so does what it had written and the kernel not taken: that is dropped, and a stream that was
   * cut off must not look whole. Linux's backend ends it in order. A spliced stream takes the rest.
   */
  release(state: Active, wish: { reuse: boolean; reset: boolean }): void {
    const { guest } = this;
    const extensions = guest.rules.extensions;
    if (extensions && !wish.reset) state.pump.sendLast();
    const { unread, unsent } = state.pump.unfinished;
    const reset = unread || (extensions && (wish.reset || unsent));
    state.pump.close(reset);
    if (extensions && wish.reuse && guest.keepsReused) guest.channels.keep(state.channel);
    else guest.channels.close(state.channel);
  }

  /** Frees a socket of a device that closes; an unfinished transfer must not look finished. */
  abandon(state: Connecting | Active): void {
    if (state.kind === 'connecting') {
      state.cancel();
      state.pump.close(true);
    } else {
      const { unread, unsent } = state.pump.unfinished;
      state.pump.close(unread || unsent);
    }
    this.guest.channels.close(state.channel);
  }

  /** POSIX, connect(): EISCONN, EALREADY; a bound or listening socket cannot connect here. */
  private refusal(known: Socket | undefined): number {
    if (known === undefined) return this.guest.rules.unknownSocket;
    switch (known.state.kind) {
      case 'created':
        return 0;
      case 'connecting':
        return -EALREADY;
      case 'active':
        return -EISCONN;
      default:
        return -EOPNOTSUPP;
    }
  }

  private overQuota(): number {
    return this.guest.sockets.count < this.guest.quotas.sockets ? 0 : -EMFILE;
  }

  private connected(socket: Socket, request: Request, result: Stream | number): void {
    const { state } = socket;
    if (state.kind !== 'connecting' || state.request !== request) {
      if (typeof result !== 'number') result.close(true);
      return;
    }
    const { guest } = this;
    if (typeof result === 'number') {
      state.pump.close(true);
      guest.channels.close(state.channel);
      this.failed(socket, request, result);
      return;
    }
    const { address, channel, pump } = state;
    socket.state = { kind: 'active', address, channel, pump };
    guest.answer(request, 0);
    if (guest.rules.connectBlocks) guest.block(false);
    this.start(channel, pump, result);
  }

  /** A socket whose connect failed may try again; `linux` mode forgets it. */
  private failed(socket: Socket, request: Request, error: number): void {
    socket.state = { kind: 'created' };
    if (!this.guest.rules.remembersSockets) this.guest.sockets.remove(socket);
    this.guest.answer(request, error);
    if (this.guest.rules.connectBlocks) this.guest.block(false);
  }

  private start(channel: Channel, pump: Pump, stream: Stream): void {
    this.guest.channels.listen(channel, () => pump.handleEvent());
    pump.start(stream);
  }

  private newPump(id: bigint, channel: Channel): Pump {
    return new Pump(channel.ring, channel.counts, {
      notify: () => this.guest.channels.notify(channel),
      fault: (reason) => this.guest.socketFault(id, reason),
      notifiesAlways: this.guest.rules.notifiesAlways,
      looksOnce: this.guest.rules.looksOnce,
    });
  }
}
