/**
 * One run: a fresh core, the peer it talks to, and the checks. `step` carries out an operation;
 * whatever the core then does wrong is thrown as a Violation, or is a trap.
 */
import {
  ARCHITECTURE_ARM64,
  ARCHITECTURE_X86_64,
  DEVICE_DOWN,
  INIT_ARCHITECTURE,
  INIT_ARENA,
  INIT_CLOSE_TIMEOUT_MS,
  INIT_COMMAND_TIMEOUT_MS,
  INIT_FIRST_INDEX,
  INIT_FLAGS,
  INIT_FRAMES,
  INIT_REUSE,
  INIT_RING_ORDER,
  INIT_SHARED_INFO,
  INIT_SOCKETS,
  INIT_STORE_PAGE,
  INIT_STORE_PORT,
  INIT_V7,
  COUNTER_FRAMES_FREE,
  COUNTER_PARKED,
  COUNTER_SOCKETS,
} from '../../assembly/wire/abi.js';
import { PVCALLS_ACCEPT, PVCALLS_CONNECT } from '../../assembly/wire/pvcalls.js';
import type { CoreExports } from '../../host/core/exports.js';
import { instantiateCore } from '../../host/core/load.js';
import { Commands, type Request } from './commands.js';
import type { Coverage } from './coverage.js';
import { Events } from './events.js';
import { Hypervisor, Violation } from './hypervisor.js';
import { SharedInfo } from './info.js';
import {
  ARENA_AT,
  COUNTERS_AT,
  INIT_AT,
  SHARED_INFO_AT,
  STORE_AT,
  type FuzzMemory,
} from './memory.js';
import { Mutator } from './mutator.js';
import { OPS, type Action, type Actions, type Setup } from './ops.js';
import { Peer } from './peer.js';
import { Program } from './program.js';
import type { Ring } from './ring.js';
import { DataCalls, type Socket } from './sockets.js';
import { StorePeer } from './store-peer.js';

export const STORE_PORT = 3;
const GUARDED_EVERY = 512; // operations

export class World {
  readonly core: CoreExports;
  readonly hypervisor: Hypervisor;
  readonly commands: Commands;
  readonly info: SharedInfo;
  readonly events: Events;
  readonly data: DataCalls;
  readonly store: StorePeer | undefined;
  readonly peer: Peer;
  /** By handle: those that the embedder knows. */
  readonly sockets = new Map<number, Socket>();
  /** Rings offered with ACCEPT, by the handle that the connection would have. */
  readonly offered = new Map<number, Ring>();
  /** Handles that are gone. */
  readonly stale: number[] = [];
  /** As last told. */
  device: number = DEVICE_DOWN;
  nowMs = 0xffff_f000; // wraps soon
  /** xenstore is lost, and with it all that this core can do. */
  over = false;
  /** TOUCHED_* of any ring of this run. */
  touched = 0;
  private readonly program: Program;
  private readonly actions: Action[];
  private readonly framesAtStart: number;
  private steps = 0;

  constructor(
    module: WebAssembly.Module,
    readonly memory: FuzzMemory,
    readonly setup: Setup,
    readonly coverage: Coverage,
  ) {
    memory.reset(setup.frames);
    this.hypervisor = new Hypervisor(
      memory,
      () => this.commands.reset(),
      (port, masked) => {
        this.info.setMask(port, masked);
        if (masked) coverage.masked++;
      },
    );
    this.hypervisor.reset(setup.frames, setup.xenbus ? STORE_PORT : 0);
    this.commands = new Commands(memory, this.hypervisor, (request) => this.sent(request));
    this.info = new SharedInfo(memory, setup.x86);
    this.core = instantiateCore(module, memory.memory, this.hypervisor.hypercalls);
    this.data = new DataCalls(this.core, memory);
    this.events = new Events(this);
    this.store = setup.xenbus ? new StorePeer(this) : undefined;
    this.peer = new Peer(this);
    this.program = new Program(this);
    const actions: Actions = {
      ...this.program.actions,
      ...this.peer.actions,
      ...new Mutator(this).actions,
    };
    this.actions = OPS.map((name) => actions[name]);
    const frames = this.init();
    if (frames < 0) throw new Violation(`init answered ${frames}`);
    this.core.handle_timeout(this.nowMs);
    this.framesAtStart = this.counter(COUNTER_FRAMES_FREE);
    if (this.store === undefined) this.program.start(0, 0);
    else this.core.xenbus_start();
  }

  /** Carries out one operation. Throws what it finds. */
  step(op: number, a: number, b: number, c: number): void {
    this.coverage.ops[op]!++;
    this.hypervisor.calls = 0;
    this.actions[op]!(a, b, c);
    this.hypervisor.calls = 0;
    if (++this.steps % GUARDED_EVERY === 0) this.checkGuards();
  }

  /** An entry that may look at the ports of `looks`; what follows from it is checked. */
  enter<T>(looksAtCommands: boolean, call: () => T): T {
    if (looksAtCommands) this.commands.predict();
    const result = call();
    this.commands.settle(looksAtCommands);
    if (looksAtCommands && this.commands.fault !== 0) this.events.expectFault();
    return result;
  }

  /** Time: a port that was masked is looked at when its mask goes. */
  pass(): void {
    const { core, commands, hypervisor } = this;
    const { commandPort } = hypervisor;
    const masked = hypervisor.isMasked(commandPort);
    if (masked) commands.predict();
    core.handle_timeout(this.nowMs);
    const looked = masked && !hypervisor.isMasked(commandPort);
    commands.settle(looked);
    if (looked && commands.fault !== 0) this.events.expectFault();
  }

  /** Ends the run: the peer goes, everything is closed, and nothing may be left. */
  finish(): void {
    this.hypervisor.calls = 0;
    this.peer.die(true);
    this.hypervisor.refuseGrants = this.hypervisor.refusePorts = 0;
    this.events.drain();
    this.core.attach_detached();
    for (let round = 0; round < 2; round++) {
      for (const handle of this.sockets.keys()) this.core.abort(handle);
      this.nowMs = (this.nowMs + 60_000) >>> 0;
      this.core.handle_timeout(this.nowMs);
      this.events.drain();
    }
    this.core.attach_detached(); // the core may have offered a new ring meanwhile
    this.checkGuards();
    const left = {
      sockets: this.counter(COUNTER_SOCKETS),
      parked: this.counter(COUNTER_PARKED),
      frames: this.framesAtStart - this.counter(COUNTER_FRAMES_FREE),
      grants: this.hypervisor.grants,
      ports: this.hypervisor.openPorts() - (this.store === undefined ? 0 : 1),
    };
    if (Object.values(left).some((count) => count !== 0)) {
      throw new Violation(`left behind: ${JSON.stringify(left)}`);
    }
  }

  counter(offset: number): number {
    this.core.counters(COUNTERS_AT);
    return this.memory.word(COUNTERS_AT + offset);
  }

  private checkGuards(): void {
    const at = this.memory.firstTouched();
    if (at !== undefined) throw new Violation(`byte ${at} was written: it is nobody's`);
  }

  /** The core has sent a request. */
  private sent({ cmd, id, idNew, ring }: Request): void {
    if (ring === undefined) return;
    ring.begin(this.setup.firstIndex);
    if (cmd === PVCALLS_ACCEPT) this.offered.set(idNew, ring);
    const socket = this.sockets.get(id);
    if (cmd === PVCALLS_CONNECT && socket !== undefined) socket.ring = ring;
  }

  private init(): number {
    const { memory, setup } = this;
    const write = (offset: number, value: number): void => memory.setWord(INIT_AT + offset, value);
    write(INIT_ARENA, ARENA_AT);
    write(INIT_FRAMES, setup.frames);
    write(INIT_SOCKETS, setup.sockets);
    write(INIT_SHARED_INFO, setup.upcalls ? SHARED_INFO_AT : 0);
    write(INIT_ARCHITECTURE, setup.x86 ? ARCHITECTURE_X86_64 : ARCHITECTURE_ARM64);
    write(INIT_STORE_PAGE, setup.xenbus ? STORE_AT : 0);
    write(INIT_STORE_PORT, setup.xenbus ? STORE_PORT : 0);
    write(INIT_FLAGS, (setup.v7 ? INIT_V7 : 0) | (setup.reuse ? INIT_REUSE : 0));
    write(INIT_RING_ORDER, setup.ringOrder);
    write(INIT_COMMAND_TIMEOUT_MS, setup.commandTimeoutMs);
    write(INIT_CLOSE_TIMEOUT_MS, setup.closeTimeoutMs);
    write(INIT_FIRST_INDEX, setup.firstIndex);
    return this.core.init(INIT_AT);
  }
}
