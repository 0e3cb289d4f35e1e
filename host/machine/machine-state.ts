/**
 * Where the machine keeps its own state: inside the shared memory, so that every thread can make
 * hypercalls on it directly. This file is the map; nothing here is guest-visible except
 * shared_info. Frames of the machine belong to DOMID_XEN, so no domain can grant or map them.
 *
 *   frame 0     nobody's: address 0 stays null
 *   frame 1     header: geometry, lock, random state, totals
 *   then        thread records | domain records | frame table | shared_info pages | port tables
 *   then        free frames, given to domains and to their grant tables
 */
import { PAGE_SHIFT, PAGE_SIZE } from '../../assembly/wire/page.js';
import {
  ARM64_EVTCHN_MASK,
  ARM64_EVTCHN_PENDING,
  EVTCHN_2L_NR_CHANNELS,
  X86_64_EVTCHN_MASK,
  X86_64_EVTCHN_PENDING,
} from '../../assembly/wire/shared-info.js';
import { nextBelow, seedState } from './random.js';
import { SpinLock } from './spin-lock.js';
import type { Architecture } from './types.js';

/** Owner of the machine's own frames, Xen's DOMID_XEN. */
export const DOMID_XEN = 0x7ff2;
export const NR_VIRQS = 24;
export const THREADS_MAX = 256;

const MAGIC = 0x6e656d58; // 'Xmen'
const HEADER = PAGE_SIZE / 4; // all of these are indices of 32-bit words
const HEADER_FRAMES = HEADER + 1;
const HEADER_ARCHITECTURE = HEADER + 2;
const HEADER_MAX_DOMAINS = HEADER + 3;
const HEADER_GRANT_ENTRIES = HEADER + 4;
const HEADER_POISON = HEADER + 5;
const HEADER_SILO = HEADER + 7;
export const HEADER_NEXT_DOMID = HEADER + 6;
const HEADER_RANDOM = HEADER + 8;
export const HEADER_TOTALS = HEADER + 16;
const HEADER_LOCK = HEADER + 64;

/** Words of a thread record. */
export const THREAD_USED = 0;
export const THREAD_WAKE = 1;
export const THREAD_COUNTERS = 2;
export const COUNTER_WORDS = 14;
export const THREAD_DUE = 16; // bitmap over domids: an upcall is due

/** Words of a domain record. */
export const DOMAIN_RECORD_WORDS = 64;
export const DOMAIN_STATE = 0;
export const DOMAIN_GENERATION = 1;
export const DOMAIN_THREAD = 2; //         index of the hosting thread plus 1; 0 nobody
export const DOMAIN_FIRST_FRAME = 3;
export const DOMAIN_FRAME_COUNT = 4;
export const DOMAIN_STORE_FRAME = 5;
export const DOMAIN_STORE_PORT = 6;
export const DOMAIN_STORE_REMOTE_PORT = 7; // domain 0's end of it
export const DOMAIN_GRANT_TABLE = 8; //    first frame of the grant table
export const DOMAIN_FREE_REFS = 9; //      count
export const DOMAIN_FREE_PORTS = 10; //    count
export const DOMAIN_GRANTS = 11; //        grants given, the reserved ones included
export const DOMAIN_GRANTS_MAPPED = 12; // mappings of its grants by others
export const DOMAIN_MAPPINGS = 13; //      mappings it holds
export const DOMAIN_VIRQ_PORTS = 16; //    NR_VIRQS words
export const DOMAIN_NAME_LENGTH = 40;
export const DOMAIN_NAME = 41;
export const DOMAIN_NAME_MAX = (DOMAIN_RECORD_WORDS - DOMAIN_NAME) * 4;

export const STATE_FREE = 0;
export const STATE_ALIVE = 1;
/** Destroyed, but others still map some of its frames. */
export const STATE_DYING = 2;

/** Frame table: two words, owner | flags << 16 and the first grant of the frame plus 1. */
export const FRAME_RECORD_WORDS = 2;

/** Bytes of a domain's port table: port words, send counts, free list of u16. */
const PORT_TABLE_SIZE = EVTCHN_2L_NR_CHANNELS * (4 + 4 + 2);

export interface Geometry {
  frames: number;
  architecture: Architecture;
  maxDomains: number;
  /** Grant entries per domain. */
  grantEntries: number;
  poison: boolean;
  /** Guests may deal with domain 0 only. */
  silo: boolean;
}

/** Typed arrays over the memory and the places of the tables in it. */
function sharedMemory({ frames }: Geometry): WebAssembly.Memory {
  const pages = frames / 16;
  return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
}

export class MachineState {
  readonly i32: Int32Array;
  readonly u32: Uint32Array;
  readonly u16: Uint16Array;
  readonly u8: Uint8Array;
  readonly lock: SpinLock;
  readonly geometry: Geometry;
  /** Byte offsets of the two bitmaps in shared_info. */
  readonly pendingOffset: number;
  readonly maskOffset: number;
  readonly firstFreeFrame: number;
  private readonly threadRecordWords: number;
  private readonly threads: number; // addresses
  private readonly domains: number;
  private readonly frameTable: number;
  private readonly sharedInfos: number;
  private readonly portTables: number;

  private constructor(
    readonly memory: WebAssembly.Memory,
    geometry: Geometry,
  ) {
    const buffer = memory.buffer;
    this.i32 = new Int32Array(buffer);
    this.u32 = new Uint32Array(buffer);
    this.u16 = new Uint16Array(buffer);
    this.u8 = new Uint8Array(buffer);
    this.lock = new SpinLock(this.i32, HEADER_LOCK);
    this.geometry = geometry;
    const arm = geometry.architecture === 'arm64';
    this.pendingOffset = arm ? ARM64_EVTCHN_PENDING : X86_64_EVTCHN_PENDING;
    this.maskOffset = arm ? ARM64_EVTCHN_MASK : X86_64_EVTCHN_MASK;

    const dueWords = Math.ceil(geometry.maxDomains / 32);
    this.threadRecordWords = Math.ceil((THREAD_DUE + dueWords) / 32) * 32;
    let next = 2 * PAGE_SIZE;
    const place = (size: number): number => {
      const address = next;
      next += Math.ceil(size / PAGE_SIZE) * PAGE_SIZE;
      return address;
    };
    this.threads = place(THREADS_MAX * this.threadRecordWords * 4);
    this.domains = place(geometry.maxDomains * DOMAIN_RECORD_WORDS * 4);
    this.frameTable = place(geometry.frames * FRAME_RECORD_WORDS * 4);
    this.sharedInfos = place(geometry.maxDomains * PAGE_SIZE);
    this.portTables = place(geometry.maxDomains * PORT_TABLE_SIZE);
    this.firstFreeFrame = next >>> PAGE_SHIFT;
  }

  /** Lays out a new machine. Throws a RangeError when its tables alone do not fit. */
  static create(geometry: Geometry, seed: number, memory = sharedMemory(geometry)): MachineState {
    const state = new MachineState(memory, geometry);
    if (state.firstFreeFrame >= geometry.frames) {
      throw new RangeError(
        `createMachine: ${geometry.frames / 256} MiB do not hold the tables for ` +
          `${geometry.maxDomains} domains; raise memoryMiB or lower maxDomains`,
      );
    }
    const words = state.i32;
    words[HEADER_FRAMES] = geometry.frames;
    words[HEADER_ARCHITECTURE] = geometry.architecture === 'arm64' ? 1 : 0;
    words[HEADER_MAX_DOMAINS] = geometry.maxDomains;
    words[HEADER_GRANT_ENTRIES] = geometry.grantEntries;
    words[HEADER_POISON] = geometry.poison ? 1 : 0;
    words[HEADER_SILO] = geometry.silo ? 1 : 0;
    seedState(words, HEADER_RANDOM, seed);
    Atomics.store(words, HEADER, MAGIC);
    return state;
  }

  /** Finds a machine that another thread has made. */
  static open(memory: WebAssembly.Memory): MachineState {
    const words = new Int32Array(memory.buffer);
    if (Atomics.load(words, HEADER) !== MAGIC) {
      throw new Error('openMachine: there is no machine in this memory; pass machine.handle()');
    }
    return new MachineState(memory, {
      frames: words[HEADER_FRAMES]!,
      architecture: words[HEADER_ARCHITECTURE] === 1 ? 'arm64' : 'x86-64',
      maxDomains: words[HEADER_MAX_DOMAINS]!,
      grantEntries: words[HEADER_GRANT_ENTRIES]!,
      poison: words[HEADER_POISON] === 1,
      silo: words[HEADER_SILO] === 1,
    });
  }

  /** Word index of a domain's record. */
  domainRecord(domid: number): number {
    return this.domains / 4 + domid * DOMAIN_RECORD_WORDS;
  }

  isAlive(domid: number): boolean {
    return (
      domid < this.geometry.maxDomains &&
      Atomics.load(this.i32, this.domainRecord(domid) + DOMAIN_STATE) === STATE_ALIVE
    );
  }

  /** Word index of a thread's record. */
  threadRecord(thread: number): number {
    return this.threads / 4 + thread * this.threadRecordWords;
  }

  /** Word index of a frame's record. */
  frameRecord(frame: number): number {
    return this.frameTable / 4 + frame * FRAME_RECORD_WORDS;
  }

  /** Address of a domain's shared_info. */
  sharedInfo(domid: number): number {
    return this.sharedInfos + domid * PAGE_SIZE;
  }

  /** Word index of a domain's port words. */
  portWords(domid: number): number {
    return (this.portTables + domid * PORT_TABLE_SIZE) / 4;
  }

  /** Word index of a domain's send counts, one per port. */
  sendCounts(domid: number): number {
    return this.portWords(domid) + EVTCHN_2L_NR_CHANNELS;
  }

  /** Index, in u16, of a domain's list of free ports. */
  freePorts(domid: number): number {
    return (this.portWords(domid) + 2 * EVTCHN_2L_NR_CHANNELS) * 2;
  }

  /** A number below `count`. The lock must be held. */
  random(count: number): number {
    return nextBelow(this.i32, HEADER_RANDOM, count);
  }

  /** Runs `change` with the lock held. */
  locked<T>(change: () => T): T {
    this.lock.acquire();
    try {
      return change();
    } finally {
      this.lock.release();
    }
  }
}
