/**
 * The backend as it should be: takes requests, answers them, moves bytes, lets go. It goes by what
 * the core has really done and not by the pages, so that what the mutator does hits the core alone.
 */
import { IN_ERROR, IN_PROD, OUT_CONS, OUT_ERROR } from '../../assembly/wire/data-ring.js';
import {
  EACCES,
  EAGAIN,
  EADDRINUSE,
  ECONNABORTED,
  ECONNREFUSED,
  EINTR,
  EINVAL,
  ENOTCONN,
  ENOTSUP,
  ERESTARTSYS,
  ETIMEDOUT,
} from '../../assembly/wire/errno.js';
import * as wire from '../../assembly/wire/pvcalls.js';
import { RSP_PROD } from '../../assembly/wire/ring.js';
import type { Request } from './commands.js';
import type { Actions } from './ops.js';
import type { Ring } from './ring.js';
import { STORE_PORT, type World } from './world.js';

const ERRNOS = [EACCES, EADDRINUSE, ECONNREFUSED, ETIMEDOUT, ENOTSUP, ERESTARTSYS, EAGAIN, EINTR];
const ENDS = [ENOTCONN, ENOTCONN, ETIMEDOUT, EACCES];

export class Peer {
  /** Rings of sockets that are connected, by the socket's id. */
  private readonly live = new Map<number, Ring>();

  constructor(private readonly world: World) {}

  readonly actions: Pick<
    Actions,
    'answer' | 'produce' | 'consume' | 'end' | 'notify' | 'unmap' | 'die' | 'store' | 'follow'
  > = {
    answer: (a, b) => this.answer(a, b),
    produce: (a, b) => this.withRing(a, (ring) => this.produce(ring, b)),
    consume: (a, b) => this.withRing(a, (ring) => this.consume(ring, b)),
    end: (a, b) => this.withRing(a, (ring) => this.end(ring, b)),
    notify: (a) => this.notify(a),
    unmap: (a) => this.unmap(a),
    die: (a) => this.die((a & 1) === 0),
    store: () => this.world.store?.serve(),
    follow: () => this.world.store?.follow(),
  };

  /** The backend is gone; with `unmaps` all its mappings are, too. */
  die(unmaps: boolean): void {
    this.live.clear();
    this.world.commands.pending.length = 0;
    if (unmaps) this.world.hypervisor.unmapAll();
  }

  /** Publishes a response whose words are given. */
  respond(words: readonly number[]): void {
    const { commands, hypervisor, memory, info } = this.world;
    if (!hypervisor.commandGranted) return;
    const at = commands.slot(commands.rspProd);
    words.forEach((word, i) => memory.setWord(at + i * 4, word));
    commands.rspProd = (commands.rspProd + 1) >>> 0;
    memory.setWord(hypervisor.commandPage + RSP_PROD, commands.rspProd);
    if (hypervisor.commandPort !== 0) info.raise(hypervisor.commandPort);
  }

  /** Takes a request out of those that wait. */
  take(a: number): Request | undefined {
    const { pending } = this.world.commands;
    return pending.splice(a % (pending.length || 1), 1)[0];
  }

  ring(a: number): Ring | undefined {
    let left = a % (this.live.size || 1);
    for (const ring of this.live.values()) if (left-- === 0) return ring;
    return undefined;
  }

  private answer(a: number, b: number): void {
    const request = this.take(a);
    if (request === undefined) return;
    const ret = b % 32 === 0 ? -ERRNOS[(b >>> 5) % ERRNOS.length]! : 0;
    if (request.cmd === wire.PVCALLS_RELEASE) this.abandon(request.id);
    const done = this.act(request, ret, (b & 0x10000) !== 0);
    this.respond([request.reqId, request.cmd, done, 0, request.id, 0]);
  }

  /** A CONNECT that is still to be answered when its socket is released. */
  private abandon(id: number): void {
    const { pending } = this.world.commands;
    const at = pending.findIndex(
      ({ cmd, id: other }) => cmd === wire.PVCALLS_CONNECT && other === id,
    );
    const [connect] = at < 0 ? [] : pending.splice(at, 1);
    if (connect !== undefined) {
      this.respond([connect.reqId, connect.cmd, -ECONNABORTED, 0, id, 0]);
    }
  }

  /** Does what the request asks for, if it is to succeed. Result: ret of the response. */
  act(request: Request, ret: number, keeps: boolean): number {
    const { hypervisor } = this.world;
    const { cmd, id, ring } = request;
    if (cmd === wire.PVCALLS_RELEASE) {
      const mine = this.live.get(id);
      this.live.delete(id);
      if (mine !== undefined && !(request.reuse && keeps)) hypervisor.setMapped(mine, false);
      return ret;
    }
    if (ring === undefined || ret !== 0) return ret;
    if (!hypervisor.rings.has(ring.port)) return -EINVAL;
    ring.attach();
    hypervisor.setMapped(ring, true);
    this.live.set(cmd === wire.PVCALLS_ACCEPT ? request.idNew : id, ring);
    return 0;
  }

  private produce(ring: Ring, b: number): void {
    const { memory } = this.world;
    const used = (ring.inProd - ring.inCons) >>> 0;
    if (used >= ring.size) return;
    const size = 1 + (b % (ring.size - used));
    ring.inProd = (ring.inProd + size) >>> 0;
    memory.setWord(ring.page + IN_PROD, ring.inProd);
    this.raise(ring);
  }

  private consume(ring: Ring, b: number): void {
    const { memory } = this.world;
    const ready = (ring.outProd - ring.outCons) >>> 0;
    if (ready === 0 || ready > ring.size) return;
    ring.outCons = (ring.outCons + (b & 1 ? ready : 1 + (b % ready))) >>> 0;
    memory.setWord(ring.page + OUT_CONS, ring.outCons);
    this.raise(ring);
  }

  private end(ring: Ring, b: number): void {
    const { memory } = this.world;
    const error = -ENDS[(b >>> 1) % ENDS.length]!;
    memory.setWord(ring.page + (b & 1 ? IN_ERROR : OUT_ERROR), error);
    this.raise(ring);
  }

  private notify(a: number): void {
    const { hypervisor, info } = this.world;
    const ports = [STORE_PORT, hypervisor.commandPort, ...hypervisor.rings.keys()];
    const port = ports[a % ports.length]!;
    if (hypervisor.isOpen(port)) info.raise(port);
  }

  private unmap(a: number): void {
    const { hypervisor } = this.world;
    const idle = [...hypervisor.strays, ...hypervisor.rings.values()].filter(
      (ring) => ring.mapped && ![...this.live.values()].includes(ring),
    );
    const ring = idle[a % (idle.length || 1)];
    if (ring !== undefined) hypervisor.setMapped(ring, false);
  }

  private withRing(a: number, use: (ring: Ring) => void): void {
    const ring = this.ring(a);
    if (ring !== undefined) use(ring);
  }

  private raise(ring: Ring): void {
    if (this.world.hypervisor.isOpen(ring.port)) this.world.info.raise(ring.port);
  }
}
