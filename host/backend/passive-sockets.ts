/**
 * BIND, LISTEN, ACCEPT, POLL, and RELEASE of passive sockets.
 * Spec: pvcalls, "Bind", "Listen", "Accept", "Poll". node:net reports EADDRINUSE only when it
 * listens, so BIND listens on the host at once; until LISTEN, connections are reset. The backlog
 * is a cap of ours: a connection beyond it is reset. ACCEPT and POLL are answered only when a
 * connection is there; any number may wait, first come, first served.
 */
import {
  EBADF,
  ECONNABORTED,
  EDESTADDRREQ,
  EEXIST,
  EINTR,
  EINVAL,
  EMFILE,
  ENOBUFS,
  EOPNOTSUPP,
} from '../../assembly/wire/errno.js';
import type { ActiveSockets } from './active-sockets.js';
import { errnoOf } from './errors.js';
import type { Guest } from './guest.js';
import type { Request } from './requests.js';
import type { InetAddress, Listener, PendingStream } from './socket-layer.js';
import type { Binding, Passive, Socket } from './sockets.js';

export class PassiveSockets {
  /** ACCEPT and POLL requests that wait, on all sockets. */
  private waiting = 0;

  constructor(
    private readonly guest: Guest,
    private readonly active: ActiveSockets,
  ) {}

  bind(request: Request, address: InetAddress): void {
    const { guest } = this;
    const known = guest.sockets.get(request.id);
    const refusal = this.bindRefusal(known);
    if (refusal !== 0) return guest.answer(request, refusal);
    const socket = known ?? guest.sockets.add(request.id, { kind: 'created' });
    try {
      const cancel = guest.layer.bind(
        address,
        (stream) => this.offered(socket, stream),
        (result) => this.bound(socket, request, result),
      );
      socket.state = { kind: 'binding', request, address, cancel };
    } catch (error) {
      this.failed(socket, request, errnoOf(error));
    }
  }

  /** POSIX, listen(): EDESTADDRREQ when not bound; again when listening sets the backlog anew. */
  listen(request: Request): void {
    const { guest } = this;
    const state = guest.sockets.get(request.id)?.state;
    if (state?.kind === 'passive') {
      state.listening = true;
      const backlog = Math.min(Math.max(request.listen.backlog, 1), guest.quotas.backlog);
      state.listener.listen(backlog);
      return guest.answer(request, 0);
    }
    if (state === undefined || !guest.rules.remembersSockets) {
      return guest.answer(request, guest.rules.unknownSocket);
    }
    const unbound = state.kind === 'created' || state.kind === 'binding';
    guest.answer(request, unbound ? -EDESTADDRREQ : -EINVAL);
  }

  accept(request: Request): void {
    const { guest } = this;
    const socket = guest.sockets.get(request.id);
    const state = socket?.state;
    if (state?.kind !== 'passive') return this.refuseWaiter(request, state?.kind);
    if (!state.listening) return guest.answer(request, -EINVAL);
    const duplicate = guest.sockets.get(request.accept.idNew) !== undefined;
    if (duplicate && guest.rules.remembersSockets) return guest.answer(request, -EEXIST);
    const refusal = this.waiterRefusal(state);
    if (refusal !== 0) return guest.answer(request, refusal);
    state.accepts.push(request);
    this.waiting += 1;
    this.serve(state);
  }

  poll(request: Request): void {
    const { guest } = this;
    const state = guest.sockets.get(request.id)?.state;
    if (state?.kind !== 'passive') return this.refuseWaiter(request, state?.kind);
    if (!state.listening) return guest.answer(request, -EINVAL);
    const refusal = this.waiterRefusal(state);
    if (refusal !== 0) return guest.answer(request, refusal);
    state.polls.push(request);
    this.waiting += 1;
    this.serve(state);
  }

  /** RELEASE before BIND was answered: BIND is answered first. */
  cancel(state: Binding): void {
    state.cancel();
    this.guest.answer(state.request, -ECONNABORTED);
  }

  /** RELEASE: connections not accepted are reset, waiting requests answered as on a closed fd. */
  release(state: Passive): void {
    state.listener.close();
    const waiting = [...state.accepts.splice(0), ...state.polls.splice(0)];
    this.waiting -= waiting.length;
    state.pending.length = 0;
    if (!this.guest.rules.answersWaiters) return;
    for (const request of waiting) this.guest.answer(request, -EBADF);
  }

  private bindRefusal(known: Socket | undefined): number {
    const { sockets, quotas, rules } = this.guest;
    if (rules.remembersSockets) {
      if (known === undefined) return rules.unknownSocket;
      if (known.state.kind !== 'created') return -EINVAL;
    } else if (known !== undefined) {
      return -EEXIST;
    } else if (sockets.count >= quotas.sockets) {
      return -EMFILE;
    }
    return sockets.passives < quotas.passiveSockets ? 0 : -EMFILE;
  }

  private bound(socket: Socket, request: Request, result: Listener | number): void {
    const { state } = socket;
    if (state.kind !== 'binding' || state.request !== request) {
      if (typeof result !== 'number') result.close();
      return;
    }
    if (typeof result === 'number') return this.failed(socket, request, result);
    socket.state = {
      kind: 'passive',
      address: result.address,
      listener: result,
      listening: false,
      pending: [],
      accepts: [],
      polls: [],
    };
    this.guest.answer(request, 0);
  }

  private failed(socket: Socket, request: Request, error: number): void {
    socket.state = { kind: 'created' };
    if (!this.guest.rules.remembersSockets) this.guest.sockets.remove(socket);
    this.guest.answer(request, error);
  }

  private offered(socket: Socket, stream: PendingStream): void {
    const { state } = socket;
    if (state.kind !== 'passive' || !state.listening) return stream.reject();
    state.pending.push(stream);
    this.serve(state);
  }

  /** A connection goes to the oldest ACCEPT; one that nobody takes answers every POLL. */
  private serve(state: Passive): void {
    const { guest } = this;
    while (state.pending.length > 0 && state.accepts.length > 0) {
      const request = state.accepts.shift()!;
      this.waiting -= 1;
      const start = this.active.adopt(request, state.pending[0]!);
      if (typeof start === 'number') {
        guest.answer(request, start); // the connection waits for the next ACCEPT
        continue;
      }
      state.pending.shift();
      guest.answer(request, 0);
      start();
    }
    if (state.pending.length === 0) return;
    this.waiting -= state.polls.length;
    for (const request of state.polls.splice(0)) guest.answer(request, 0);
  }

  /** ACCEPT or POLL on what is no passive socket. */
  private refuseWaiter(request: Request, kind: string | undefined): void {
    const { guest } = this;
    const { rules } = guest;
    if (kind === undefined || !rules.remembersSockets) {
      const ret = request.command === 'poll' ? rules.unknownPoll : rules.unknownSocket;
      if (ret !== undefined) guest.answer(request, ret);
      return;
    }
    guest.answer(request, kind === 'active' || kind === 'connecting' ? -EOPNOTSUPP : -EINVAL);
  }

  private waiterRefusal(state: Passive): number {
    const { rules, quotas } = this.guest;
    const busy = state.accepts.length + state.polls.length > 0;
    if (busy && !rules.queuesWaiters) return -EINTR;
    return this.waiting < quotas.waiting ? 0 : -ENOBUFS;
  }
}
