/**
 * The command ring between its two ends: the core's frontend half as it is, with 2 slots and 3-bit
 * indices, and a backend. A request carries its number, modulo 8, in its first and last word, and
 * so does its response; both ends note what they sent and got.
 *
 * The driver does what the core's pump() and handleResponses() do: put some, push, notify if told;
 * on an event, take until there is none. It may put whenever there is room, for ever; between two
 * takes only if it is `eager`, which the core is not.
 */
import { REQ_EVENT, REQ_PROD, RSP_EVENT, RSP_PROD, SRING_SLOTS } from '../../assembly/wire/ring.js';
import { STORE, Violation, type Step, type World } from './explorer.js';
import { numbersAt } from './numbers.js';
import { PeerCpu } from './peer-cpu.js';

export const SLOTS = 2;
export const MASK = 7;
const REQUEST = 64;
const RESPONSE = 24;

/** Words of a slot that have a number: first, last of a response, last of a request. */
export const LAST_OF_RESPONSE = RESPONSE - 4;
export const LAST_OF_REQUEST = REQUEST - 4;
const NUMBERED = [0, LAST_OF_RESPONSE, LAST_OF_REQUEST];

const STATE_AT = 1024;
const STATE_END = 1048;
const RESPONSE_AT = 2048;
const REQUEST_AT = 2112;
const PAGE = 4096;
const PAGE_END = PAGE + SRING_SLOTS + SLOTS * REQUEST;
const OURS_AT = 8192;
const CPU_AT = OURS_AT + 128;
const CPU_CAPACITY = 10;
const OURS_END = CPU_AT + PeerCpu.size(CPU_CAPACITY);

export const slotAt = (index: number): number => PAGE + SRING_SLOTS + (index % SLOTS) * REQUEST;
export const SHARED = {
  reqProd: PAGE + REQ_PROD,
  reqEvent: PAGE + REQ_EVENT,
  rspProd: PAGE + RSP_PROD,
  rspEvent: PAGE + RSP_EVENT,
} as const;

export interface RingExports {
  command_init(): void;
  command_outstanding(): number;
  command_put(request: number): void;
  command_push(): number;
  command_take(response: number, size: number): number;
}

/** Phases of the driver. */
const IDLE = 0;
const PUTTING = 1; //  has put, and may put more before it pushes
const TOLD = 2; //     is to notify

const NUMBERS = [
  'phase',
  'taking', //       has had an event, and takes responses until there is none
  'corePending', //  an event waits for the core
  'peerPending', //  and one for the peer
  'sent', //         number of the next request
  'unanswered', //   bit per number: put, and its response not taken
  'busy', //         bit per slot: written, and its response not taken
  'slot', //         slot that the running call of the core has touched, and one
  'expected', //     number of the request that the peer is to get next
  'accepted', //     bit per number: taken by the peer, not yet answered
  'answered', //     bit per number: answered, the response not taken
  'pc', //           from here on the peer's: where it is
  'next', //         and where it goes when it has answered
  'reqCons',
  'rspPvt', //       rsp_prod_pvt
  'before', //       rsp_prod before this push
  'number', //       of the request in hand
  'held', //         number of a request that is answered late, and one
  'owes', //         notifications that are sent after the batch
] as const;

export type CommandNumbers = Record<(typeof NUMBERS)[number], number>;

/** A backend: what it may do next. */
export type CommandPeer = (world: CommandWorld) => () => readonly Step[];

export class CommandWorld implements World {
  readonly regions = [
    [RESPONSE_AT, RESPONSE_AT + RESPONSE],
    [REQUEST_AT, REQUEST_AT + REQUEST],
    [PAGE, PAGE + 16],
    [PAGE + SRING_SLOTS, PAGE_END],
    [OURS_AT, OURS_END],
  ] as const;
  readonly privateRegions = [[STATE_AT, STATE_END]] as const;
  readonly own: CommandNumbers;
  readonly cpu: PeerCpu;
  readonly peer: () => readonly Step[];
  private readonly words: Uint32Array;
  private readonly steps: Record<'event' | 'put' | 'push' | 'send' | 'take', Step>;

  constructor(
    readonly memory: WebAssembly.Memory,
    private readonly core: () => RingExports,
    makePeer: CommandPeer,
    ordered: boolean,
    private readonly eager: boolean,
  ) {
    this.words = new Uint32Array(memory.buffer);
    this.own = numbersAt(memory, OURS_AT, NUMBERS);
    this.cpu = new PeerCpu(memory, CPU_AT, ordered, CPU_CAPACITY, () => (this.own.corePending = 1));
    this.peer = makePeer(this);
    this.steps = {
      event: { name: 'gets the event', run: () => this.event() },
      put: { name: 'puts a request', run: () => this.put() },
      push: { name: 'pushes', run: () => this.push() },
      send: { name: 'notifies', run: () => this.send() },
      take: { name: 'takes a response', run: () => this.takeOne() },
    };
  }

  calls(): readonly Step[] {
    const { phase, taking, corePending } = this.own;
    const { event, put, push, send, take } = this.steps;
    const room = this.core().command_outstanding() < SLOTS;
    if (phase === TOLD) return [send];
    if (phase === PUTTING) return room ? [put, push] : [push];
    const calls = taking ? [take] : corePending ? [event] : [];
    return room && (this.eager || !taking) ? [...calls, put] : calls;
  }

  /**
   * The core writes a slot only when the response to what was there has been taken. Of a slot, the
   * peer touches the words that have a number.
   */
  access(kind: number, address: number, size: number): boolean {
    if (address >= PAGE && address + size <= PAGE + 16) return true;
    const offset = address - PAGE - SRING_SLOTS;
    if (offset < 0 || address + size > PAGE_END) throw new Violation('touches what is not a slot');
    const slot = Math.floor(offset / REQUEST);
    const { own } = this;
    if (kind === STORE && own.slot !== slot + 1) this.overwrite(slot);
    own.slot = slot + 1;
    const start = offset % REQUEST;
    return NUMBERED.some((word) => start < word + 4 && word < start + size);
  }

  private overwrite(slot: number): void {
    const { own } = this;
    if (own.busy & (1 << slot)) throw new Violation('writes a slot that was not answered');
    own.busy |= 1 << slot;
  }

  check(): void {
    const { own } = this;
    if (own.phase !== IDLE || own.taking || own.corePending || own.pc !== 0 || !this.cpu.settled)
      return;
    if (own.answered !== 0) throw new Violation('the core sleeps, and a response waits');
    if (own.peerPending) return;
    const waiting = own.unanswered & ~own.accepted;
    if (waiting !== 0) throw new Violation('the backend sleeps, and a request waits');
  }

  /** The peer has copied a request out of its slot. */
  accept(first: number, last: number): void {
    const { own } = this;
    if (first !== last) throw new Violation('the backend sees half a request');
    if (first !== own.expected) throw new Violation('a request is lost, invented or out of order');
    own.expected = (own.expected + 1) & MASK;
    own.accepted |= 1 << first;
  }

  /** The peer writes the response of this request. */
  answer(number: number): void {
    this.own.accepted &= ~(1 << number);
    this.own.answered |= 1 << number;
  }

  private event(): void {
    this.own.corePending = 0;
    this.own.taking = 1;
  }

  private put(): void {
    const { own } = this;
    own.slot = 0;
    this.words.fill(own.sent, REQUEST_AT >>> 2, (REQUEST_AT + REQUEST) >>> 2);
    own.unanswered |= 1 << own.sent;
    own.sent = (own.sent + 1) & MASK;
    this.core().command_put(REQUEST_AT);
    this.words.fill(0, REQUEST_AT >>> 2, (REQUEST_AT + REQUEST) >>> 2);
    own.slot = 0;
    own.phase = PUTTING;
  }

  private push(): void {
    this.own.phase = this.core().command_push() ? TOLD : IDLE;
  }

  private send(): void {
    this.own.peerPending = 1;
    this.own.phase = IDLE;
  }

  private takeOne(): void {
    const { own } = this;
    own.slot = 0;
    const got = this.core().command_take(RESPONSE_AT, RESPONSE);
    if (got === 0) own.taking = 0;
    else if (got === 1) this.taken();
    else throw new Violation('the core refuses what an honest backend did');
    this.words.fill(0, RESPONSE_AT >>> 2, (RESPONSE_AT + RESPONSE) >>> 2);
    own.slot = 0;
  }

  private taken(): void {
    const { own } = this;
    const number = this.words[RESPONSE_AT >>> 2]!;
    if (this.words[(RESPONSE_AT + RESPONSE - 4) >>> 2] !== number) {
      throw new Violation('the core sees half a response');
    }
    const bit = 1 << number;
    if (!(own.answered & bit)) throw new Violation('a response is invented or taken twice');
    own.answered &= ~bit;
    own.unanswered &= ~bit;
    own.busy &= ~(1 << (own.slot - 1));
  }
}
