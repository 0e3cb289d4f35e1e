/**
 * One guest's program, written against the bindings of the component: bytes there and back over a
 * ring that wraps, a connect that is refused, a listener that is dialled. It runs on either build,
 * with the real backend on scripted sockets and virtual time, and writes down every call, every
 * result and every event: the same seed must read the same on both.
 */
import {
  DEVICE_CLOSED,
  DEVICE_CONNECTED,
  EVENT_A,
  EVENT_B,
  EVENT_C,
  EVENT_CLOSED,
  EVENT_DEVICE,
  EVENT_DONE,
  EVENT_HANDLE,
  EVENT_READY,
  TIMEOUT_NONE,
} from '../../../assembly/wire/abi.js';
import { AF_INET, SOCK_STREAM } from '../../../assembly/wire/inet.js';
import { PAGE_SIZE } from '../../../assembly/wire/page.js';
import { PVCALLS_BIND, PVCALLS_CONNECT, PVCALLS_LISTEN } from '../../../assembly/wire/pvcalls.js';
import {
  createBackend,
  echoScript,
  ScriptedLayer,
  sourceScript,
} from '../../../host/backend/index.js';
import { createComponentFrontend, type Frontend } from '../../../host/component/index.js';
import type { CoreHypercalls } from '../../../host/core/exports.js';
import { instantiateCore, loadCore } from '../../../host/core/load.js';
import { attachPvcalls, createMachine, SeededScheduler } from '../../../host/machine/index.js';
import type { Domain, Machine } from '../../../host/machine/index.js';

export type Build = 'native' | 'component';

export const ECHOED = 20_000;
export const DIALLED = 3_000;
const HOST = '10.0.0.1';
const [ECHO_PORT, CLOSED_PORT, OWN_PORT] = [80, 81, 8080];
const FRAMES = 512;
const MEMORY_MIB = 32;
const FIRST_INDEX = 0xffffe000; // wraps at 2^32 after 8 KiB
const byteAt = (i: number): number => (i * 31 + (i >>> 8)) & 0xff;

/** The core's exports under the names of the bindings. */
function asFrontend(core: object): Frontend {
  const camel = (name: string): string => name.replace(/_(.)/g, (_, c: string) => c.toUpperCase());
  const entries = Object.entries(core).map(([name, call]) => [camel(name), call]);
  return Object.fromEntries(entries) as Frontend;
}

/** A machine with this build of the core in domain 1. */
async function boot(build: Build, seed: number) {
  const scheduler = new SeededScheduler(seed);
  const options = { maxDomains: 2, maxGrantFrames: 4, seed, scheduler };
  if (build === 'component') {
    const hypercalls = {} as CoreHypercalls;
    const made = await createComponentFrontend({ hypercalls, memoryMiB: MEMORY_MIB });
    const machine = createMachine({ ...options, memory: made.memory });
    const domain = machine.createDomain({ name: 'guest', frames: FRAMES });
    Object.assign(hypercalls, domain.hypercalls);
    return { frontend: made.frontend, machine, domain, scheduler };
  }
  const machine = createMachine({ ...options, memoryMiB: MEMORY_MIB });
  const domain = machine.createDomain({ name: 'guest', frames: FRAMES });
  const core = instantiateCore(await loadCore(), machine.memory, domain.hypercalls);
  return { frontend: asFrontend(core), machine, domain, scheduler };
}

/** Addresses in the domain's first frame. */
const scratch = (domain: Domain) => {
  const base = domain.firstFrame * PAGE_SIZE;
  return {
    init: base,
    event: base + 64,
    address: base + 128,
    text: base + 1024,
    arena: base + 4096,
  };
};

class Program {
  readonly log: string[] = [];
  echoed = 0;
  dialled = 0;
  refusal = 0;
  over = false;
  private readonly core: Frontend;
  private readonly at: ReturnType<typeof scratch>;
  private readonly words: Int32Array;
  private readonly bytes: Uint8Array;
  private readonly open = new Set<number>();
  private handles = { echo: 0, refused: 0, listener: 0, accepted: 0 };
  private sent = 0;
  private cancelTimer = (): void => undefined;

  constructor(
    frontend: Frontend,
    private readonly machine: Machine,
    private readonly domain: Domain,
    private readonly layer: ScriptedLayer,
  ) {
    this.core = this.recorded(frontend);
    this.at = scratch(domain);
    this.words = new Int32Array(machine.memory.buffer);
    this.bytes = new Uint8Array(machine.memory.buffer);
  }

  start(): void {
    const { sharedInfo, storePage, storePort } = this.domain;
    const { init, arena } = this.at;
    const config = [arena, FRAMES - 1, 16, sharedInfo, 0, storePage, storePort, 0, 1];
    this.words.set([...config, 5000, 5000, FIRST_INDEX], init >>> 2);
    this.core.init(init);
    this.domain.start(() => this.turn(() => this.core.handleUpcall()));
    this.turn(() => this.core.xenbusStart());
  }

  /** The frontend, with every call and its result written down. */
  private recorded(frontend: Frontend): Frontend {
    const note = (name: string, args: number[], result: number | undefined): void => {
      const shown = result === undefined ? '' : ` = ${result | 0}`;
      this.log.push(`${this.machine.scheduler.now()}: ${name}(${args.join(', ')})${shown}`);
    };
    const entries = Object.entries(frontend).map(([name, call]) => [
      name,
      (...args: number[]) => {
        const result = (call as (...args: number[]) => number | undefined)(...args);
        note(name, args, result);
        return result;
      },
    ]);
    return Object.fromEntries(entries) as Frontend;
  }

  /** One entry, then every event, then the timer. */
  private turn(entry: () => void): void {
    this.core.handleTimeout(this.machine.scheduler.now());
    entry();
    while (this.core.pollEvent(this.at.event) !== 0) this.react();
    this.cancelTimer();
    const delayMs = this.core.pollTimeout() >>> 0;
    if (delayMs === TIMEOUT_NONE || this.over) return;
    this.cancelTimer = this.machine.scheduler.after(delayMs, () => this.turn(() => undefined));
  }

  private react(): void {
    const word = (offset: number): number => this.words[(this.at.event + offset) >>> 2]!;
    const [kind, handle, a, b, c] = [0, EVENT_HANDLE, EVENT_A, EVENT_B, EVENT_C].map(word);
    this.log.push(`event ${kind} ${handle} ${a} ${b} ${c}`);
    if (kind === EVENT_DEVICE && a === DEVICE_CONNECTED) this.openAll();
    if (kind === EVENT_DEVICE && a === DEVICE_CLOSED) this.over = true;
    if (kind === EVENT_DONE) this.done(handle!, a!, b!);
    if (kind === EVENT_READY) this.pump(handle!);
    if (kind !== EVENT_CLOSED) return;
    this.open.delete(handle!);
    if (this.open.size === 0) this.core.xenbusStop();
  }

  private openAll(): void {
    const open = (): number => {
      const handle = this.core.socket(AF_INET, SOCK_STREAM, 0);
      this.open.add(handle);
      return handle;
    };
    this.handles = { echo: open(), refused: open(), listener: open(), accepted: 0 };
    this.core.connect(this.handles.echo, this.sockaddr(ECHO_PORT), 16);
    this.core.connect(this.handles.refused, this.sockaddr(CLOSED_PORT), 16);
    this.core.bind(this.handles.listener, this.sockaddr(OWN_PORT), 16);
  }

  private sockaddr(port: number): number {
    const host = HOST.split('.').map(Number);
    this.bytes.set([AF_INET, 0, port >>> 8, port & 255, ...host], this.at.address);
    return this.at.address;
  }

  private done(handle: number, command: number, result: number): void {
    if (command === PVCALLS_CONNECT && result === 0) this.pump(handle);
    if (command === PVCALLS_CONNECT && result < 0) {
      this.refusal = result;
      this.core.close(handle);
    }
    if (command === PVCALLS_BIND) this.core.listen(handle, 8);
    if (command !== PVCALLS_LISTEN) return;
    const dialled = Uint8Array.from({ length: DIALLED }, (_, i) => byteAt(i));
    this.layer.dial({ host: HOST, port: OWN_PORT }, sourceScript(dialled));
    this.pump(handle);
  }

  private pump(handle: number): void {
    const { echo, listener, accepted } = this.handles;
    if (handle === echo) this.pumpEcho(echo);
    else if (handle === accepted) this.drain(accepted);
    else if (handle === listener && accepted === 0) {
      const connection = this.core.accept(listener);
      if (connection < 0) return;
      this.open.add(connection);
      this.handles.accepted = connection;
      this.drain(connection);
    }
  }

  private pumpEcho(handle: number): void {
    const { text } = this.at;
    while (this.sent < ECHOED) {
      const size = Math.min(1500, ECHOED - this.sent);
      for (let i = 0; i < size; i++) this.bytes[text + i] = byteAt(this.sent + i);
      const taken = this.core.send(handle, text, size);
      if (taken < 0) break;
      this.sent += taken;
    }
    this.echoed = this.receive(handle, this.echoed);
    if (this.echoed === ECHOED) this.core.close(handle);
  }

  private drain(handle: number): void {
    this.dialled = this.receive(handle, this.dialled);
    if (this.dialled < DIALLED) return;
    this.core.abort(handle);
    this.core.close(this.handles.listener);
  }

  /** Receives what is there of a stream of which `got` bytes came. Result: how many did by now. */
  private receive(handle: number, got: number): number {
    const { text } = this.at;
    for (;;) {
      const size = this.core.recv(handle, text, 2000, 0);
      if (size <= 0) return got;
      for (let i = 0; i < size; i++, got++) {
        if (this.bytes[text + i] !== byteAt(got)) throw new Error(`byte ${got} is wrong`);
      }
    }
  }
}

/** Holds the conversation. Nothing is left behind. */
export async function converse(build: Build, seed: number): Promise<Program> {
  const { frontend, machine, domain, scheduler } = await boot(build, seed);
  const layer = new ScriptedLayer({ scheduler, seed });
  layer.serve({ host: HOST, port: ECHO_PORT }, echoScript);
  const backend = createBackend(machine, { layer, policy: () => 'allow' });
  attachPvcalls(machine, { frontend: domain.domid, backend: 0 });
  const program = new Program(frontend, machine, domain, layer);
  program.start();
  await scheduler.run(() => program.over);
  let closed = false;
  const closing = backend.close().then(() => (closed = true));
  await scheduler.run(() => closed);
  await closing;
  domain.destroy();
  machine.assertCleanedUp();
  machine.close();
  return program;
}
