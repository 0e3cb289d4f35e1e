/** One end of a link in the simulated machine: build/dom0less.wasm over a domain, and its turns. */
import { readFileSync } from 'node:fs';

import {
  LINK_ARENA,
  LINK_FIRST_INDEX,
  LINK_FRAMES,
  LINK_INIT_SIZE,
  LINK_NOW_MS,
  LINK_PEER,
  LINK_RENDEZVOUS_REF,
  LINK_RING_ORDER,
  LINK_ROLE,
  LINK_SHARED_INFO,
  LINK_TIMEOUT_MS,
} from '../../../assembly/wire/dom0less.js';
import { PAGE_SHIFT, PAGE_SIZE } from '../../../assembly/wire/page.js';
import type { Domain, Machine, Scheduler } from '../../../host/machine/index.js';

const FILE = new URL('../../../build/dom0less.wasm', import.meta.url);
const compiled = new WebAssembly.Module(readFileSync(FILE));
const NEVER = 0xffffffff;

/** The exports of build/dom0less.wasm. */
interface LinkExports {
  init(config: number): number;
  handle_upcall(): void;
  handle_timeout(nowMs: number): void;
  poll_timeout(): number;
  state(): number;
  reason(): number;
  port(): number;
  send(from: number, size: number): number;
  recv(to: number, size: number): number;
  close(): void;
}

export interface EndOptions {
  role: number;
  peer: number;
  /** Of the rendezvous page; for a sender. */
  ref?: number;
  order?: number;
  first?: number;
  timeoutMs?: number;
}

export class End {
  readonly link: LinkExports;
  /** References granted and not ended, in the order of granting. */
  readonly granted = new Set<number>();
  /** Frames mapped and not unmapped. */
  readonly mapped = new Set<number>();
  readonly received: number[] = [];
  toSend: number[] = [];
  ended = false;
  /** The last errno of send() or recv(). */
  error = 0;
  private cancelTimer: (() => void) | undefined;
  private readonly bytes: Uint8Array;
  private readonly scratch: number;

  constructor(
    machine: Machine,
    readonly domain: Domain,
    private readonly scheduler: Scheduler,
  ) {
    this.bytes = new Uint8Array(machine.memory.buffer);
    this.scratch = domain.firstFrame << PAGE_SHIFT;
    const env = { memory: machine.memory };
    const instance = new WebAssembly.Instance(compiled, { env, hypercalls: this.counted() });
    this.link = instance.exports as unknown as LinkExports;
  }

  /** Starts the module on all of the domain's frames but the first. Result: that of init(). */
  start({ role, peer, ref = 0, order = 0, first = 0, timeoutMs = 1000 }: EndOptions): number {
    const words = new DataView(this.bytes.buffer, this.scratch, LINK_INIT_SIZE);
    const set = (field: number, value: number): void => words.setUint32(field, value, true);
    set(LINK_ARENA, this.scratch + PAGE_SIZE);
    set(LINK_FRAMES, this.domain.frameCount - 1);
    set(LINK_ROLE, role);
    set(LINK_PEER, peer);
    set(LINK_SHARED_INFO, this.domain.sharedInfo);
    set(LINK_RING_ORDER, order);
    set(LINK_RENDEZVOUS_REF, ref);
    set(LINK_TIMEOUT_MS, timeoutMs);
    set(LINK_FIRST_INDEX, first);
    set(LINK_NOW_MS, this.scheduler.now());
    const result = this.link.init(this.scratch);
    this.domain.start(() => {
      this.link.handle_upcall();
      this.turn();
    });
    this.turn();
    return result;
  }

  /** What the main loop of a guest does after every wake-up. */
  turn(): void {
    this.link.handle_timeout(this.scheduler.now());
    while (this.sendSome() || this.receiveSome());
    this.cancelTimer?.();
    const delayMs = this.link.poll_timeout() >>> 0;
    if (delayMs !== NEVER) this.cancelTimer = this.scheduler.after(delayMs, () => this.turn());
  }

  close(): void {
    this.link.close();
    this.turn();
  }

  private sendSome(): boolean {
    const chunk = this.toSend.slice(0, PAGE_SIZE / 2);
    if (chunk.length === 0) return false;
    this.bytes.set(chunk, this.scratch);
    const result = this.link.send(this.scratch, chunk.length);
    if (result < 0) this.error = result;
    this.toSend = this.toSend.slice(Math.max(0, result));
    return result > 0;
  }

  private receiveSome(): boolean {
    const into = this.scratch + PAGE_SIZE / 2;
    const result = this.link.recv(into, 1000);
    if (result < 0) this.error = result;
    this.ended ||= result === 0;
    this.received.push(...this.bytes.subarray(into, into + Math.max(0, result)));
    return result > 0;
  }

  /** The domain's hypercalls, with a record of what is held. */
  private counted(): WebAssembly.ModuleImports {
    const { hypercalls } = this.domain;
    return {
      ...hypercalls,
      gnttab_grant_access: (remote: number, frame: number, readonly: number) => {
        const ref = hypercalls.gnttab_grant_access(remote, frame, readonly);
        if (ref >= 0) this.granted.add(ref);
        return ref;
      },
      gnttab_end_access: (ref: number) => {
        const result = hypercalls.gnttab_end_access(ref);
        if (result === 0) this.granted.delete(ref);
        return result;
      },
      gnttab_map: (remote: number, ref: number, writable: number) => {
        const frame = hypercalls.gnttab_map(remote, ref, writable);
        if (frame >= 0) this.mapped.add(frame);
        return frame;
      },
      gnttab_unmap: (frame: number) => {
        this.mapped.delete(frame);
        return hypercalls.gnttab_unmap(frame);
      },
    };
  }
}
