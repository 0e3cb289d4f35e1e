/**
 * The core without a machine: real exports over a memory of our own, an offer taken at once, and
 * hypercalls that only count. Both ends of its command ring look at the indices; the minimal peer
 * is the other end.
 */
import { readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import {
  ABI_VERSION,
  EVENT_NONE,
  INIT_ARENA,
  INIT_FRAMES,
  INIT_SOCKETS,
} from '../../assembly/wire/abi.js';
import { AF_INET } from '../../assembly/wire/inet.js';
import {
  PVCALLS_BIND,
  REQUEST_CMD,
  RESPONSE_CMD,
  RESPONSE_ID,
} from '../../assembly/wire/pvcalls.js';
import * as ring from '../../assembly/wire/ring.js';
import type { CoreExports } from '../../host/core/exports.js';

const CONFIG = 4096;
export const EVENT = 8192;
export const ADDRESS = 12288;
const ARENA = 65536;
const PAGES = 64;
const SPARE_FRAMES = ARENA / 4096;

export interface PolledCore {
  readonly core: CoreExports;
  readonly memory: WebAssembly.Memory;
  /** The command ring's page, and the port of its events. */
  readonly page: number;
  readonly port: number;
}

/** The optimised code at once: how soon V8 has it is not what is measured. */
setFlagsFromString('--no-liftoff');

interface Instance {
  readonly core: CoreExports;
  readonly memory: WebAssembly.Memory;
  readonly frameOf: Map<number, number>;
  /** What init() left for rings. */
  readonly frames: number;
}

function instantiate(sockets: number): Instance {
  const memory = new WebAssembly.Memory({ initial: PAGES, maximum: 65536, shared: true });
  const binary = readFileSync(new URL('../core.wasm', import.meta.url));
  const frameOf = new Map<number, number>();
  let next = 8;
  const hypercalls = {
    evtchn_alloc_unbound: () => next++,
    evtchn_send: () => 0,
    evtchn_mask: () => 0,
    evtchn_unmask: () => 0,
    evtchn_close: () => 0,
    gnttab_grant_access: (_remote: number, frame: number) => (frameOf.set(next, frame), next++),
    gnttab_end_access: () => 0,
  };
  const module = new WebAssembly.Module(binary);
  const { exports } = new WebAssembly.Instance(module, { env: { memory }, hypercalls });
  const core = exports as unknown as CoreExports;
  if (core.abi_version() !== ABI_VERSION) throw new Error('core.wasm has another ABI; rebuild it');
  const words = new Int32Array(memory.buffer);
  words[(CONFIG + INIT_ARENA) >>> 2] = ARENA;
  words[(CONFIG + INIT_FRAMES) >>> 2] = PAGES * 16 - SPARE_FRAMES;
  words[(CONFIG + INIT_SOCKETS) >>> 2] = sockets;
  const frames = core.init(CONFIG);
  if (frames < 0) throw new Error(`init() answers ${frames}`);
  return { core, memory, frameOf, frames };
}

/** Frames that an arena of one size leaves for rings, with a table of so many sockets. */
export function framesOf(sockets: number): number {
  return instantiate(sockets).frames;
}

/** A connected core of `sockets` sockets. */
export function startPolledCore(sockets: number): PolledCore {
  const { core, memory, frameOf } = instantiate(sockets);
  const page = frameOf.get(core.attach_offer(0))! * 4096;
  core.attach_connected(1, 0);
  if (core.poll_event(EVENT) === EVENT_NONE) throw new Error('the core did not connect');
  new Uint8Array(memory.buffer).set([AF_INET, 0, 0, 80, 127, 0, 0, 1], ADDRESS);
  return { core, memory, page, port: core.attach_port() };
}

/**
 * The other end: answers every request, BIND with an error so that it can be asked again. It leaves
 * req_event where it is: who looks needs no notification.
 */
export class MinimalPeer {
  private readonly words: Int32Array;
  private readonly header: number;
  private cons = 0;

  constructor(memory: WebAssembly.Memory, page: number) {
    this.words = new Int32Array(memory.buffer);
    this.header = page >>> 2;
  }

  /** Answers what has been published, and publishes the answers at once. Result: how many. */
  serve(): number {
    const { words, header } = this;
    const prod = Atomics.load(words, header + (ring.REQ_PROD >>> 2));
    const count = (prod - this.cons) | 0;
    if (count === 0) return 0;
    for (; this.cons !== prod; this.cons = (this.cons + 1) | 0) {
      const slot = (this.cons & (ring.RING_SIZE - 1)) * ring.SLOT_SIZE + ring.SRING_SLOTS;
      const at = header + (slot >>> 2); // req_id, cmd and id of the response take their places
      const command = words[at + (REQUEST_CMD >>> 2)]!;
      const id = words[at + 2]!;
      words[at + (RESPONSE_CMD >>> 2)] = command;
      words[at + 2] = command === PVCALLS_BIND ? -98 : 0;
      words[at + (RESPONSE_ID >>> 2)] = id;
      words[at + (RESPONSE_ID >>> 2) + 1] = 0;
    }
    Atomics.store(words, header + (ring.RSP_PROD >>> 2), prod);
    return count;
  }
}
