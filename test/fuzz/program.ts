/**
 * The embedder: socket calls of all kinds, in any order, on handles that fit and on those that do
 * not. Every result is held against what docs/abi.md allows.
 */
import {
  DEVICE_CONNECTED,
  DEVICE_CONNECTING,
  DEVICE_FAILED,
  FEATURE_RESET,
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLOUT,
} from '../../assembly/wire/abi.js';
import { EINPROGRESS, ERRNO_MAX } from '../../assembly/wire/errno.js';
import { ADDR_SIZE, AF_INET, AF_INET6, SOCKADDR_IN_SIZE } from '../../assembly/wire/inet.js';
import { XS_READ } from '../../assembly/wire/xenstore.js';
import { Violation } from './hypervisor.js';
import { ADDRESS_AT, COUNTERS_AT } from './memory.js';
import type { Actions } from './ops.js';
import {
  BINDING,
  BOUND,
  BROKEN,
  CLOSING,
  CONNECTED,
  CONNECTING,
  FRESH,
  LISTENING,
  type Socket,
} from './sockets.js';
import { STORE_PORT, type World } from './world.js';

/** One in so many picks a socket that does not fit, or a handle that is none. */
const ASTRAY = 16;
const NOBODY: Socket = { handle: 0x2a000001, stage: CLOSING, ring: undefined };
const SIZES = [0, 1, 7, 64, 500, 2047, 2048, 4096, 5000, 8192];

export class Program {
  constructor(private readonly world: World) {}

  readonly actions: Pick<
    Actions,
    | 'socket'
    | 'connect'
    | 'bind'
    | 'listen'
    | 'accept'
    | 'poll'
    | 'close'
    | 'abort'
    | 'send'
    | 'recv'
    | 'order'
    | 'upcall'
    | 'event'
    | 'time'
    | 'events'
    | 'start'
    | 'stop'
    | 'ask'
    | 'refuse'
  > = {
    socket: (a) => this.socket(a),
    connect: (a, b) => this.connect(a, b),
    bind: (a, b) => this.bind(a, b),
    listen: (a, b) => this.listen(a, b),
    accept: (a) => this.accept(a),
    poll: (a) => this.poll(a),
    close: (a) => this.close(a, 'close'),
    abort: (a) => this.close(a, 'abort'),
    send: (a, b, c) => this.send(a, b, c),
    recv: (a, b, c) => this.recv(a, b, c),
    order: (a, b) => this.order(a, b),
    upcall: () => this.upcall(),
    event: (a) => this.event(a),
    time: (a) => this.time(a),
    events: () => this.world.events.drain(),
    start: (a, b) => this.start(a, b),
    stop: () => this.stop(),
    ask: (a) => this.ask(a),
    refuse: (a) => this.refuse(a),
  };

  /** The device, from where it can be started. */
  start(a: number, b: number): void {
    const { world } = this;
    const { core, device, store } = world;
    if (device === DEVICE_CONNECTED || device === DEVICE_CONNECTING) return;
    world.coverage.restarts++;
    if (store !== undefined) {
      world.enter(false, () => core.xenbus_start());
      return;
    }
    if (device === DEVICE_FAILED) this.stop();
    if ((a & 0x30) !== 0) this.abortAll();
    world.peer.die((a & 3) !== 0);
    world.enter(false, () => {
      const ref = core.attach_offer(0);
      this.check('attach_offer', ref);
      if (ref >= 0) core.attach_connected((a & 4) === 0 ? 4 : b % 12, a & 8 && FEATURE_RESET);
    });
    world.events.drain();
  }

  private abortAll(): void {
    const { core, sockets, events } = this.world;
    for (const handle of sockets.keys()) core.abort(handle);
    events.drain();
  }

  private stop(): void {
    const { core, store, events } = this.world;
    this.world.enter(false, () => {
      if (store === undefined) core.attach_detached();
      else core.xenbus_stop();
    });
    events.drain();
  }

  private socket(a: number): void {
    const { world } = this;
    const domain = a % 64 === 0 ? AF_INET6 : AF_INET;
    const type = a % 64 === 1 ? 2 : 1;
    const protocol = a % 64 === 2 ? 17 : (a & 1) * 6;
    const handle = this.call('socket', () => world.core.socket(domain, type, protocol));
    if (handle > 0) this.adopt(handle, FRESH);
  }

  private connect(a: number, b: number): void {
    const { core } = this.world;
    const socket = this.pick(a, FRESH);
    const size = this.address(b);
    const { handle } = socket;
    const result = this.call('connect', () => core.connect(handle, ADDRESS_AT, size));
    if (result === -EINPROGRESS) socket.stage = CONNECTING;
  }

  private bind(a: number, b: number): void {
    const { core } = this.world;
    const socket = this.pick(a, FRESH);
    const size = this.address(b);
    const result = this.call('bind', () => core.bind(socket.handle, ADDRESS_AT, size));
    if (result === -EINPROGRESS) socket.stage = BINDING;
  }

  private listen(a: number, b: number): void {
    const { handle } = this.pick(a, BOUND);
    this.call('listen', () => this.world.core.listen(handle, b));
  }

  private accept(a: number): void {
    const { world } = this;
    const { handle } = this.pick(a, LISTENING);
    const fresh = this.call('accept', () => world.core.accept(handle));
    if (fresh <= 0) return;
    const ring = world.offered.get(fresh);
    if (ring === undefined) throw new Violation(`accept: ${fresh} was never offered`);
    this.adopt(fresh, CONNECTED).ring = ring;
    world.offered.delete(fresh);
  }

  private poll(a: number): void {
    const { handle } = this.pick(a, a & 0x100 ? LISTENING : CONNECTED);
    const mask = this.call('poll', () => this.world.core.poll(handle));
    if (mask > (POLLIN | POLLOUT | POLLERR | POLLHUP)) throw new Violation(`poll: ${mask}`);
  }

  private close(a: number, how: 'close' | 'abort'): void {
    const { core } = this.world;
    const stages = [FRESH, CONNECTING, CONNECTED, CONNECTED, BINDING, BOUND, LISTENING, CLOSING];
    const broken = this.pick(a, BROKEN);
    const socket = broken === NOBODY ? this.pick(a, stages[(a >>> 8) % stages.length]!) : broken;
    const result = this.call(how, () => core[how](socket.handle));
    if (result === 0) socket.stage = CLOSING;
  }

  private send(a: number, b: number, c: number): void {
    const { world } = this;
    const socket = this.pick(a, CONNECTED);
    const size = SIZES[b % SIZES.length]!;
    this.call('send', () => world.data.send(socket, size, c % 3));
  }

  private recv(a: number, b: number, c: number): void {
    const { world } = this;
    const socket = this.pick(a, CONNECTED);
    const size = SIZES[b % SIZES.length]!;
    this.call('recv', () => world.data.recv(socket, size, c % 3, (c >>> 8) & 2));
  }

  private order(a: number, b: number): void {
    const { handle } = this.pick(a, a & 0x100 ? LISTENING : FRESH);
    this.call('set_ring_order', () => this.world.core.set_ring_order(handle, b % 11));
  }

  /** All ports that are due: by a scan of the core's, or by one of ours. */
  private upcall(): void {
    const { core, info, commands, hypervisor, setup } = this.world;
    const { commandPort } = hypervisor;
    if (setup.upcalls) {
      this.world.enter(commandPort !== 0 && info.due(commandPort), () => core.handle_upcall());
      commands.settle(false);
      return;
    }
    for (const port of [STORE_PORT, commandPort, ...hypervisor.rings.keys()]) {
      if (port !== 0 && !hypervisor.isMasked(port) && info.take(port)) this.handleEvent(port);
    }
  }

  private event(a: number): void {
    const { commandPort, rings } = this.world.hypervisor;
    const ports = [STORE_PORT, commandPort, a & 0xfff, a, ...rings.keys()];
    this.handleEvent(ports[(a >>> 16) % ports.length]!);
  }

  private handleEvent(port: number): void {
    const { core, hypervisor } = this.world;
    if (hypervisor.isMasked(port)) return; // a kernel does not tell of it
    const looks = port !== 0 && port === hypervisor.commandPort;
    this.world.enter(looks, () => core.handle_event(port));
  }

  private time(a: number): void {
    const { world } = this;
    world.nowMs = (world.nowMs + (a % 8 === 0 ? (a >>> 8) % 3000 : (a >>> 8) % 5)) >>> 0;
    world.pass();
    world.core.poll_timeout();
  }

  /** The embedder's own question to xenstore; or the counters, where it has none. */
  private ask(a: number): void {
    const { core, memory, store } = this.world;
    if (store === undefined) return core.counters(COUNTERS_AT);
    const at = core.store_buffer();
    if (at === 0) return;
    const size = (a >>> 8) % (a % 16 === 0 ? 5000 : 40);
    memory.u8.fill(0x61, at, at + Math.min(size, 4096));
    this.check('store_request', core.store_request(XS_READ, 0, size));
  }

  private refuse(a: number): void {
    if (a & 1) this.world.hypervisor.refuseGrants = 1 + ((a >>> 1) % 8);
    else this.world.hypervisor.refusePorts = 1 + ((a >>> 1) % 2);
  }

  /** A call that may send requests; its result must be one that the ABI has. */
  private call(name: string, call: () => number): number {
    const result = this.world.enter(false, call);
    this.check(name, result);
    return result;
  }

  private check(name: string, result: number): void {
    if (result < -ERRNO_MAX)
      throw new Violation(`${name} answered ${result}: neither value nor errno`);
    this.world.coverage.result(name, result);
  }

  private adopt(handle: number, stage: number): Socket {
    const { sockets, stale } = this.world;
    if (sockets.has(handle)) throw new Violation(`handle ${handle} is given out twice`);
    const at = stale.indexOf(handle);
    if (at >= 0) throw new Violation(`handle ${handle} is given out again at once`);
    const socket: Socket = { handle, stage, ring: undefined };
    sockets.set(handle, socket);
    return socket;
  }

  /** A socket at this stage, if there is one; now and then any, or a handle that is stale. */
  private pick(a: number, stage: number): Socket {
    const { sockets, stale } = this.world;
    if (a % ASTRAY === 0) {
      const handle = stale[(a >>> 4) % 8];
      if (handle !== undefined && a & 0x10) return { ...NOBODY, handle };
      const all = [...sockets.values()];
      return all[(a >>> 4) % (all.length + 1)] ?? NOBODY;
    }
    let fitting = 0;
    for (const socket of sockets.values()) if (socket.stage === stage) fitting++;
    if (fitting === 0) return this.prepare(a, stage);
    let left = (a >>> 4) % fitting;
    for (const socket of sockets.values()) {
      if (socket.stage === stage && left-- === 0) return socket;
    }
    return NOBODY;
  }

  /** There is no socket at this stage: takes one a step nearer to it. Result: nobody. */
  private prepare(a: number, stage: number): Socket {
    if (this.world.device !== DEVICE_CONNECTED) return NOBODY;
    if (stage === CONNECTED) this.connect(a | 1, a);
    else if (stage === BOUND) this.bind(a | 1, a);
    else if (stage === LISTENING) this.listen(a | 1, 5);
    else if (stage === FRESH) this.socket(a | 3);
    return NOBODY;
  }

  /** Writes an address. Result: its size. */
  private address(b: number): number {
    const { memory } = this.world;
    const family = b % 32 === 0 ? AF_INET6 : AF_INET;
    memory.setWord(ADDRESS_AT, family | (0x5000 << 16));
    memory.setWord(ADDRESS_AT + 4, b);
    if (b % 32 === 1) return (b >>> 8) % 64;
    return (b & 0x20) === 0 ? SOCKADDR_IN_SIZE : ADDR_SIZE;
  }
}
