/**
 * Takes one decoded request to what it asks for: policy first, then the command.
 * Spec: pvcalls, "Commands Ring" and the section of each command. Every request is answered,
 * except where `linux` mode says otherwise; a slow one holds up none of the others.
 */
import { EACCES, EEXIST, EMFILE, ENOTSUP } from '../../assembly/wire/errno.js';
import { AF_INET, SOCK_STREAM } from '../../assembly/wire/inet.js';
import { ActiveSockets } from './active-sockets.js';
import type { Guest } from './guest.js';
import { PassiveSockets } from './passive-sockets.js';
import type { PolicyCall } from './policy.js';
import type { Request } from './requests.js';
import type { Socket } from './sockets.js';

export class Dispatcher {
  private readonly active: ActiveSockets;
  private readonly passive: PassiveSockets;

  /** `decide` is the policy, made safe: it answers 0 or a negative errno and does not throw. */
  constructor(
    private readonly guest: Guest,
    private readonly decide: (call: PolicyCall) => number,
  ) {
    this.active = new ActiveSockets(guest);
    this.passive = new PassiveSockets(guest, this.active);
  }

  handle(request: Request): void {
    const { command, id } = request;
    if (command === 'connect' || command === 'bind') {
      this.handleAddressed(request, command);
      return;
    }
    const verdict = this.decide({ domid: this.guest.domid, command, id });
    if (verdict !== 0) return this.guest.answer(request, verdict);
    switch (command) {
      case 'socket':
        return this.socket(request);
      case 'release':
        return this.release(request);
      case 'listen':
        return this.passive.listen(request);
      case 'accept':
        return this.passive.accept(request);
      case 'poll':
        return this.passive.poll(request);
      case 'unknown':
        return this.guest.answer(request, -ENOTSUP);
    }
  }

  /** Frees every socket without an answer: the device closes. */
  closeAll(): void {
    for (const socket of this.guest.sockets) {
      const { state } = socket;
      this.guest.sockets.remove(socket);
      socket.state = { kind: 'created' };
      if (state.kind === 'connecting' || state.kind === 'active') this.active.abandon(state);
      else if (state.kind === 'binding') state.cancel();
      else if (state.kind === 'passive') state.listener.close();
    }
    this.guest.channels.closeKept();
  }

  /** An address that cannot be decoded is refused before the policy: there is nothing to ask. */
  private handleAddressed(request: Request, command: 'connect' | 'bind'): void {
    const { guest } = this;
    const address = request.decodeAddress(guest.rules.unsupportedAddress);
    if (typeof address === 'number') return guest.answer(request, address);
    const verdict = this.decide({ domid: guest.domid, command, id: request.id, address });
    if (verdict !== 0) return guest.answer(request, verdict);
    if (command === 'connect') this.active.connect(request, address);
    else this.passive.bind(request, address);
  }

  /** Spec: pvcalls, "Socket". */
  private socket(request: Request): void {
    const { guest } = this;
    const { rules, sockets } = guest;
    const { domain, type, protocol } = request.socket;
    if (domain !== AF_INET || type !== SOCK_STREAM || !rules.protocols.includes(protocol)) {
      return guest.answer(request, rules.unsupportedSocket);
    }
    if (!rules.remembersSockets) return guest.answer(request, 0);
    if (sockets.get(request.id) !== undefined) return guest.answer(request, -EEXIST);
    if (sockets.count >= guest.quotas.sockets) return guest.answer(request, -EMFILE);
    sockets.add(request.id, { kind: 'created' });
    guest.answer(request, 0);
  }

  /** Spec: pvcalls, "Release". An unknown id is released already. */
  private release(request: Request): void {
    const socket = this.guest.sockets.get(request.id);
    if (socket !== undefined) this.free(socket, request);
    this.guest.answer(request, 0);
  }

  private free(socket: Socket, request: Request): void {
    const { state } = socket;
    this.guest.sockets.remove(socket);
    socket.state = { kind: 'created' };
    switch (state.kind) {
      case 'connecting':
        return this.active.cancel(state);
      case 'active':
        return this.active.release(state, request.release);
      case 'binding':
        return this.passive.cancel(state);
      case 'passive':
        return this.passive.release(state);
      case 'created':
        return;
    }
  }
}

/** Wraps a policy so that whatever it does, a verdict comes out: what is no verdict denies. */
export function safePolicy(
  policy: (call: PolicyCall) => 'allow' | number,
  threw: (error: unknown) => void,
): (call: PolicyCall) => number {
  return (call) => {
    try {
      const verdict = policy(call);
      if (verdict === 'allow') return 0;
      return Number.isInteger(verdict) && verdict < 0 && verdict >= -4095 ? verdict : -EACCES;
    } catch (error) {
      threw(error);
      return -EACCES;
    }
  };
}
