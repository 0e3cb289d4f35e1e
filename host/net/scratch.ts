/**
 * The first frame of a guest's domain: structs on their way into the core and out of it, each valid
 * during one call. The arena begins after it.
 *
 *   domain RAM   | scratch frame | arena: tables, rings ... |
 */
import {
  ARCHITECTURE_ARM64,
  ARCHITECTURE_X86_64,
  COUNTER_EVENTS,
  COUNTER_FRAMES_FREE,
  COUNTER_LATE,
  COUNTER_LOST,
  COUNTER_NOTIFICATIONS,
  COUNTER_PARKED,
  COUNTER_REQUESTS,
  COUNTER_RESPONSES,
  COUNTER_SOCKETS,
  COUNTER_SPURIOUS,
  COUNTER_UNKNOWN,
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
  INIT_SIZE,
  INIT_SOCKETS,
  INIT_STORE_PAGE,
  INIT_STORE_PORT,
  INIT_V7,
  RING_ORDER_DEFAULT,
} from '../../assembly/wire/abi.js';
import { PAGE_SIZE } from '../../assembly/wire/page.js';
import type { Domain, Machine } from '../machine/index.js';
import { CLOSE_TIMEOUT_MS, type CoreOptions } from './options.js';

const SOCKETS = 512;
const EVENT_AT = 0;
const SPANS_AT = 64;
const ADDRESS_AT = 128;
const COUNTERS_AT = 256;
const INIT_AT = 512;

const COUNTERS = {
  requests: COUNTER_REQUESTS,
  responses: COUNTER_RESPONSES,
  notifications: COUNTER_NOTIFICATIONS,
  events: COUNTER_EVENTS,
  spurious: COUNTER_SPURIOUS,
  unknown: COUNTER_UNKNOWN,
  late: COUNTER_LATE,
  lost: COUNTER_LOST,
  parked: COUNTER_PARKED,
  framesFree: COUNTER_FRAMES_FREE,
  sockets: COUNTER_SOCKETS,
} as const;

export type GuestCounters = { [Name in keyof typeof COUNTERS]: number };

export class Scratch {
  readonly bytes: Uint8Array;
  readonly words: Int32Array;
  /** Addresses. */
  readonly eventAt: number;
  readonly spansAt: number;
  readonly addressAt: number;
  readonly countersAt: number;
  readonly initAt: number;
  private readonly base: number;

  constructor({ memory }: Machine, { firstFrame }: Domain) {
    this.bytes = new Uint8Array(memory.buffer);
    this.words = new Int32Array(memory.buffer);
    this.base = firstFrame * PAGE_SIZE;
    this.eventAt = this.base + EVENT_AT;
    this.spansAt = this.base + SPANS_AT;
    this.addressAt = this.base + ADDRESS_AT;
    this.countersAt = this.base + COUNTERS_AT;
    this.initAt = this.base + INIT_AT;
  }

  /** Writes struct init: the rest of the domain is the arena. */
  writeInit({ architecture }: Machine, domain: Domain, options: CoreOptions): void {
    const at = this.initAt;
    const write = (offset: number, value: number): void => {
      this.words[(at + offset) >>> 2] = value;
    };
    this.bytes.fill(0, at, at + INIT_SIZE);
    write(INIT_ARENA, this.base + PAGE_SIZE);
    write(INIT_FRAMES, domain.frameCount - 1);
    write(INIT_SOCKETS, options.sockets ?? SOCKETS);
    write(INIT_FLAGS, (options.layout === 'v7' ? INIT_V7 : 0) | (options.reuse ? INIT_REUSE : 0));
    write(INIT_RING_ORDER, options.ringOrder ?? RING_ORDER_DEFAULT);
    write(INIT_SHARED_INFO, domain.sharedInfo);
    const arm = architecture === 'arm64';
    write(INIT_ARCHITECTURE, arm ? ARCHITECTURE_ARM64 : ARCHITECTURE_X86_64);
    write(INIT_STORE_PAGE, domain.storePage);
    write(INIT_STORE_PORT, domain.storePort);
    write(INIT_COMMAND_TIMEOUT_MS, options.commandTimeoutMs ?? 0);
    write(INIT_CLOSE_TIMEOUT_MS, options.closeTimeoutMs ?? CLOSE_TIMEOUT_MS);
    write(INIT_FIRST_INDEX, options.firstIndex ?? 0);
  }

  /** Reads struct counters. */
  readCounters(): GuestCounters {
    const read = (offset: number): number => this.words[(this.countersAt + offset) >>> 2]! >>> 0;
    const entries = Object.entries(COUNTERS).map(([name, offset]) => [name, read(offset)]);
    return Object.fromEntries(entries) as GuestCounters;
  }
}
