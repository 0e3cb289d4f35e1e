/**
 * The hostile peer: each operation is one write of something that a backend, xenstored or another
 * domain can write. What the core alone writes is written too, but never with a value that the core
 * could write next: that is how its own writes are told from these.
 */
import {
  IN_CONS,
  IN_ERROR,
  IN_PROD,
  OUT_CONS,
  OUT_ERROR,
  OUT_PROD,
} from '../../assembly/wire/data-ring.js';
import { PAGE_SIZE } from '../../assembly/wire/page.js';
import {
  REQ_EVENT,
  REQ_PROD,
  RSP_EVENT,
  RSP_PROD,
  SLOT_SIZE,
  SRING_SLOTS,
} from '../../assembly/wire/ring.js';
import * as xs from '../../assembly/wire/xenstore.js';
import { FAR, SHARED_INFO_AT, STORE_AT } from './memory.js';
import type { Actions } from './ops.js';
import { TOUCHED_ERRORS, TOUCHED_IN_PROD, TOUCHED_OUT_CONS, type Ring } from './ring.js';
import { STORE_PORT, type World } from './world.js';

const INDEX_FIELDS = [IN_PROD, IN_PROD, OUT_CONS, OUT_CONS, IN_ERROR, OUT_ERROR, IN_CONS, OUT_PROD];
const STORE_WORDS = [
  xs.XS_RSP_PROD,
  xs.XS_RSP_PROD,
  xs.XS_RSP_PROD,
  xs.XS_REQ_CONS,
  xs.XS_RSP_CONS,
  xs.XS_REQ_PROD,
  xs.XS_SERVER_FEATURES,
  xs.XS_CONNECTION,
  xs.XS_ERROR_FIELD,
];
const MESSAGE_SIZES = [0, 1, 4, 20, 4095, 4096, 4097, 0x1_0000, 0xffff_ffff];
const SHARED_INFO_WORDS = 3136 / 4;

/** Values that lie well, around one that would be right. */
function lie(kind: number, right: number, size: number, random: number): number {
  switch (kind % 12) {
    case 0:
      return random;
    case 1:
      return 0;
    case 2:
      return 0xffff_ffff;
    case 3:
      return 0x8000_0000;
    case 4:
      return right + size;
    case 5:
      return right + size + 1;
    case 6:
      return right - 1;
    case 7:
      return right + 0x8000_0000;
    case 8:
      return right ^ (1 << (random & 31));
    case 9:
      return right - size;
    default:
      return right + 1 + (random % size); // which may even be true
  }
}

/** A value for a word of the core's own: nothing that it could be about to write. */
const far = (right: number, random: number): number => right + FAR + (random >>> 1);

export class Mutator {
  constructor(private readonly world: World) {}

  readonly actions: Pick<
    Actions,
    | 'ring-word'
    | 'ring-slot'
    | 'ring-answer'
    | 'index-word'
    | 'index-any'
    | 'data-byte'
    | 'store-word'
    | 'store-byte'
    | 'store-message'
    | 'store-node'
    | 'info-bit'
  > = {
    'ring-word': (a, b, c) => this.count(this.ringWord(a, b, c)),
    'ring-slot': (a, b) => this.count(this.ringSlot(a, b)),
    'ring-answer': (a, b, c) => this.count(this.ringAnswer(a, b, c)),
    'index-word': (a, b, c) => this.count(this.indexWord(a, b, c)),
    'index-any': (a, b) => this.count(this.indexAny(a, b)),
    'data-byte': (a, b) => this.count(this.dataByte(a, b)),
    'store-word': (a, b, c) => this.count(this.storeWord(a, b, c)),
    'store-byte': (a, b) => this.count(this.storeByte(a, b)),
    'store-message': (a, b, c) => this.count(this.storeMessage(a, b, c)),
    'store-node': (a, b) => this.count(this.world.store?.mutate(a, b) ?? false),
    'info-bit': (a, b) => this.count(this.infoBit(a, b)),
  };

  /** Counts a mutation, if there was anything to write to. */
  private count(written: boolean): void {
    if (written) this.world.coverage.mutations++;
  }

  /** The header of the command ring. */
  private ringWord(a: number, b: number, c: number): boolean {
    const { commands, hypervisor, memory } = this.world;
    if (!hypervisor.commandGranted) return false;
    const page = hypervisor.commandPage;
    const right = commands.rspProd;
    const word = a % 24;
    if (word === 0) memory.setWord(page + REQ_PROD, far(commands.reqProdNow, b));
    else if (word === 1) memory.setWord(page + RSP_EVENT, far(right, b));
    else if (word < 4) memory.setWord(page + REQ_EVENT, lie(b, commands.reqProdNow, 32, c));
    else if (word < 8) memory.setWord(page + RSP_PROD, lie(b, right, 32, c));
    else memory.setWord(page + 16 + ((a >>> 8) % 12) * 4, b);
    return true;
  }

  /** Any byte of any slot, and of the unused end of the page. */
  private ringSlot(a: number, b: number): boolean {
    const { hypervisor, memory } = this.world;
    if (!hypervisor.commandGranted) return false;
    memory.u8[hypervisor.commandPage + SRING_SLOTS + (a % (PAGE_SIZE - SRING_SLOTS))] = b;
    return true;
  }

  /** A response that lies in one word, or answers what was answered or never asked. */
  private ringAnswer(a: number, b: number, c: number): boolean {
    const { commands, peer } = this.world;
    const request = commands.pending[(a >>> 8) % (commands.pending.length || 1)];
    const reqId = request?.reqId ?? commands.someReqId(b);
    const words = [reqId, request?.cmd ?? b % 8, 0, 0, request?.id ?? b, 0];
    switch (a % 6) {
      case 0:
        words[0] = lie(b, reqId, SLOT_SIZE, c);
        break;
      case 1:
        words[1] = b % 8;
        break;
      case 2:
        words[2] = (b & 1 ? -1 - (c % 4095) : lie(b >>> 1, 0, 4095, c)) | 0;
        break;
      case 3:
        words[4 + (b & 1)] = c & 1 ? c : words[4]! ^ (1 << (c & 31));
        break;
      case 4:
        words[3] = c; // padding
        break;
      default:
        words[0] = commands.someReqId(c);
    }
    peer.respond(words);
    return true;
  }

  private indexWord(a: number, b: number, c: number): boolean {
    const ring = this.ring(a);
    if (ring === undefined) return false;
    const { memory } = this.world;
    const field = INDEX_FIELDS[(a >>> 8) % INDEX_FIELDS.length]!;
    let value: number;
    if (field === IN_PROD) value = lie(b, ring.inProd, ring.size, c);
    else if (field === OUT_CONS) value = lie(b, ring.outCons, ring.size, c);
    else if (field === IN_CONS) value = far(ring.inCons, c);
    else if (field === OUT_PROD) value = far(ring.outProd, c);
    else value = b & 1 ? -(c % 4096) : lie(b >>> 1, 0, 4096, c);
    this.touch(ring, field);
    memory.setWord(ring.page + field, value);
    return true;
  }

  /** Any byte of the indexes page: order and references, too, which nobody may read back. */
  private indexAny(a: number, b: number): boolean {
    const ring = this.ring(a);
    if (ring === undefined) return false;
    const offset = (a >>> 8) % PAGE_SIZE;
    const word = offset & ~3;
    if (word === IN_CONS || word === OUT_PROD) return false;
    this.touch(ring, word);
    this.world.memory.u8[ring.page + offset] = b;
    return true;
  }

  private dataByte(a: number, b: number): boolean {
    const ring = this.ring(a);
    if (ring === undefined) return false;
    this.world.memory.u8[ring.data + ((a >>> 8) % (2 * ring.size))] = b;
    return true;
  }

  private storeWord(a: number, b: number, c: number): boolean {
    const { store, memory } = this.world;
    if (store === undefined) return false;
    store.observe();
    store.pageTouched = true;
    const offset = STORE_WORDS[a % STORE_WORDS.length]!;
    const at = STORE_AT + offset;
    const right = memory.word(at);
    const own = offset === xs.XS_RSP_CONS || offset === xs.XS_REQ_PROD;
    const more = offset === xs.XS_RSP_PROD && b % 4 !== 0; // bytes that nobody sent
    if (own) memory.setWord(at, far(right, c));
    else if (more) memory.setWord(at, right + 1 + (c % xs.XENSTORE_RING_SIZE));
    else memory.setWord(at, lie(b >>> 2, right, xs.XENSTORE_RING_SIZE, c));
    return true;
  }

  /** Any byte of either ring; every other time of what the core is about to read. */
  private storeByte(a: number, b: number): boolean {
    const { store, memory } = this.world;
    if (store === undefined) return false;
    store.observe();
    store.pageTouched = true;
    const next = xs.XS_RSP + ((store.rspCons + ((a >>> 1) % 64)) % xs.XENSTORE_RING_SIZE);
    memory.u8[STORE_AT + (a & 1 ? next : (a >>> 1) % (2 * xs.XENSTORE_RING_SIZE))] = b;
    return true;
  }

  /** A message that xenstored never sent: its header, and the start of its payload. */
  private storeMessage(a: number, b: number, c: number): boolean {
    const { store, memory } = this.world;
    if (store === undefined) return false;
    store.observe();
    store.pageTouched = true;
    const prod = memory.word(STORE_AT + xs.XS_RSP_PROD);
    const size = MESSAGE_SIZES[a % MESSAGE_SIZES.length]!;
    const header = [b % 24, (b >>> 8) % 64, 0, size];
    header.forEach((word, i) => {
      for (let byte = 0; byte < 4; byte++) {
        const slot = (prod + i * 4 + byte) % xs.XENSTORE_RING_SIZE;
        memory.u8[STORE_AT + xs.XS_RSP + slot] = word >>> (8 * byte);
      }
    });
    memory.setWord(STORE_AT + xs.XS_RSP_PROD, prod + xs.MSG_SIZE + (c % 1000));
    return true;
  }

  /** Xen's bits: an event on any port, on ours, or a word of shared_info as it likes. */
  private infoBit(a: number, b: number): boolean {
    const { hypervisor, info, memory } = this.world;
    if (a % 16 === 0) {
      const mask = 1 << (b & 31);
      memory.u32[(SHARED_INFO_AT >>> 2) + ((a >>> 8) % SHARED_INFO_WORDS)]! ^= mask;
    } else if (a % 16 === 1) {
      info.raise(b & 0xfff);
    } else {
      const ports = [STORE_PORT, hypervisor.commandPort, ...hypervisor.rings.keys()];
      info.raise(ports[b % ports.length]!);
    }
    return true;
  }

  /** A ring of which the backend can reach the pages. */
  private ring(a: number): Ring | undefined {
    const { hypervisor } = this.world;
    const { rings, strays } = hypervisor;
    let left = (a >>> 20) % (rings.size + strays.length || 1);
    for (const ring of rings.values()) if (left-- === 0) return ring;
    return strays[left];
  }

  private touch(ring: Ring, field: number): void {
    const bit =
      field === IN_PROD
        ? TOUCHED_IN_PROD
        : field === OUT_CONS
          ? TOUCHED_OUT_CONS
          : field === IN_ERROR || field === OUT_ERROR
            ? TOUCHED_ERRORS
            : 0;
    ring.touched |= bit;
    this.world.touched |= bit;
  }
}
