/**
 * The socket table.
 *
 * A handle is a table entry and its generation, positive, and stands on the wire as the socket's
 * id: the backend can hand back a stale or invented one, but never make us follow it. All waiting
 * is membership in one of a few lists that run through the table, so nothing is ever allocated and
 * no cost grows with the number of idle sockets.
 *
 *   FREE -> FRESH -> CONNECTING -> CONNECTED -> DRAINING -> RELEASING -> FREE
 *             |         ^ accepted: RESERVED -> CONNECTED        ^
 *             +-> BINDING -> BOUND -> LISTENING -----------------+   (any state can be released)
 */
import { ENFILE } from '../wire/errno';
import { ADDR_SIZE } from '../wire/inet';
import { carve } from '../guest/arena';
import { ByteRing } from '../ring/byte-ring';

export const STATE_FREE: u32 = 0;
export const STATE_FRESH: u32 = 1; //        SOCKET sent or answered, nothing else asked
export const STATE_CONNECTING: u32 = 2;
export const STATE_CONNECTED: u32 = 3;
export const STATE_BINDING: u32 = 4;
export const STATE_BOUND: u32 = 5;
export const STATE_LISTENING: u32 = 6;
export const STATE_DRAINING: u32 = 7; //     close() waits for the backend to take our bytes
export const STATE_RESERVED: u32 = 8; //     offered to the backend with ACCEPT, not yet a socket
export const STATE_RELEASING: u32 = 9; //    RELEASE wanted or sent

/** Lists; a socket can be in several. The first four wait for a command slot, in this order. */
export const LIST_RELEASE: u32 = 0;
export const LIST_CONTROL: u32 = 1; //       SOCKET, BIND, LISTEN: answered at once
export const LIST_CONNECT: u32 = 2; //       may take minutes
export const LIST_PASSIVE: u32 = 3; //       ACCEPT, POLL: may never be answered
export const LIST_READY: u32 = 4; //         has events for the embedder
export const LIST_TIMED: u32 = 5; //         draining, or to be tried again
export const LIST_WARM: u32 = 6; //          free, but still holds a released ring
export const LISTS: u32 = 7;

/** Bits of `ready`: events that poll_event has not taken. */
export const READY_DONE: u32 = 1; //         `op` is finished with `result`
export const READY_DATA: u32 = 2; //         what was armed has come
export const READY_CLOSED: u32 = 4;

/** Value of `op` when no operation is in progress. */
export const OP_NONE: u32 = 0xff;

const INDEX_BITS: u32 = 12;
const INDEX_MASK: u32 = (1 << INDEX_BITS) - 1;
const GENERATION_MAX: u32 = (1 << (30 - INDEX_BITS)) - 1;
const NO_SOCKET: u32 = 0xffff;

@unmanaged
export class Socket extends ByteRing {
  generation: u32;
  linked: u8; //          bit per list it is in, across lives of the entry
  state: u8; //           from here to `result` all is 0 in a new life
  ready: u8; //           READY_* bits
  armed: u8; //           POLL* bits the embedder waits for
  inFlight: u8; //        bit per command sent and not answered
  op: u8; //              PVCALLS_* command the embedder waits for, or OP_NONE
  wantedOrder: u8;
  reset: bool; //         release with a reset
  passiveWant: u8; //     PVCALLS_POLL or PVCALLS_ACCEPT, or OP_NONE
  pollReady: bool; //     POLL said a connection waits
  connectable: bool; //   SOCKET was answered well
  ringed: bool; //        its data ring is its own; else one may be kept warm here
  kept: bool; //          RELEASE has told the backend that the ring will be offered again
  silent: bool; //        the embedder never saw the handle: no event when it closes
  finished: u8; //        the command that READY_DONE is about
  partner: u16; //        of a listener: the entry + 1 offered with ACCEPT; free: next free entry
  acceptError: i32; //    what the next accept() returns once, or 0
  error: i32; //          sticky: what every further call returns
  result: i32; //         of `finished`, or of RELEASE
  due: u32; //            ms: when draining ends or the retry comes
  backlog: u32;
  addrSize: u32;
  addr0: u64;
  addr1: u64;
  addr2: u64;
  addr3: u32;
  next0: usize; //       next entry, by list
  next1: usize;
  next2: usize;
  next3: usize;
  next4: usize;
  next5: usize;
  next6: usize;
}

if (offsetof<Socket>('addr3') - offsetof<Socket>('addr0') + 4 != ADDR_SIZE) ERROR('addr size');

/** Bytes from one entry to the next: whole words of the widest field. */
const STRIDE: u32 = (offsetof<Socket>() + 7) & ~7;

@unmanaged
class Table {
  entries: usize;
  count: u32;
  used: u32;
  freeHead: u32; //       list of free entries, through `partner`
}

/** The lists follow Table. */
const HEAD: u32 = offsetof<Table>();
const TAIL: u32 = HEAD + 4;

let table: Table = changetype<Table>(0);

/** Bytes of tables for `count` sockets, alignment included. */
export function socketsSize(count: u32): u32 {
  return offsetof<Table>() + (LISTS << 3) + count * STRIDE + 16;
}

export function socketsInit(count: u32): void {
  table = changetype<Table>(carve(offsetof<Table>() + (LISTS << 3)));
  table.entries = carve(count * STRIDE);
  table.count = count;
  table.freeHead = NO_SOCKET;
  for (let i = count; i-- > 0;) {
    socketAt(i).generation = 1;
    pushFree(i);
  }
}

/** One bit of the small sets that a socket is full of. */
export function bit(number: u32): u32 {
  return (<u32>1) << number;
}

export function socketAt(index: u32): Socket {
  return changetype<Socket>(table.entries + index * STRIDE);
}

export function indexOf(socket: Socket): u32 {
  return <u32>((changetype<usize>(socket) - table.entries) / STRIDE);
}

export function handleOf(socket: Socket): u32 {
  return (socket.generation << INDEX_BITS) | indexOf(socket);
}

/** The entry that a listener has offered with ACCEPT; there is one. */
export function partnerOf(listener: Socket): Socket {
  return socketAt(<u32>listener.partner - 1);
}

/** The socket of a handle, if it is in a state before `limit`; STATE_DRAINING: and not closed. */
export function socketOf(handle: u32, limit: u32): Socket | null {
  const index = handle & INDEX_MASK;
  if (index >= table.count) return null;
  const socket = socketAt(index);
  const state = <u32>socket.state;
  if (state == STATE_FREE || state >= limit || handle >> INDEX_BITS != socket.generation) {
    return null;
  }
  return socket;
}

export function socketsUsed(): u32 {
  return table.used;
}

export function socketsCount(): u32 {
  return table.count;
}

/** Takes an entry. A warm ring that a free entry still holds stays where it is. -ENFILE: full. */
export function takeSocket(state: u32): i32 {
  const index = table.freeHead;
  if (index == NO_SOCKET) return -ENFILE;
  const socket = socketAt(index);
  table.freeHead = socket.partner;
  table.used += 1;
  const first = offsetof<Socket>('state');
  memory.fill(changetype<usize>(socket) + first, 0, offsetof<Socket>('result') - first);
  socket.state = <u8>state;
  socket.op = <u8>OP_NONE;
  socket.passiveWant = <u8>OP_NONE;
  return <i32>index;
}

/** Gives the entry back; its handle is stale from here on, a ring it still has is warm. */
export function giveSocket(socket: Socket): void {
  socket.state = <u8>STATE_FREE;
  socket.generation = socket.generation == GENERATION_MAX ? 1 : socket.generation + 1;
  table.used -= 1;
  if (socket.page != 0) enlist(socket, LIST_WARM);
  pushFree(indexOf(socket));
}

function pushFree(index: u32): void {
  socketAt(index).partner = <u16>table.freeHead;
  table.freeHead = index;
}

/** Addresses of the first and the last of a list, 0 for none, stand at HEAD and TAIL from here. */
function endsOf(list: u32): usize {
  return changetype<usize>(table) + (list << 3);
}

/** Where an entry has the address of the next one in a list; 0 in the last. */
function nextOf(entry: usize, list: u32): usize {
  return entry + offsetof<Socket>('next0') + (list << 2);
}

/** Appends to a list, unless it is there already. */
export function enlist(socket: Socket, list: u32): void {
  if ((<u32>socket.linked) & bit(list)) return;
  socket.linked |= <u8>bit(list);
  const entry = changetype<usize>(socket);
  const ends = endsOf(list);
  const tail = load<usize>(ends, TAIL);
  store<usize>(nextOf(entry, list), 0);
  store<usize>(tail == 0 ? ends + HEAD : nextOf(tail, list), entry);
  store<usize>(ends, entry, TAIL);
}

/** Takes the socket out of a list, wherever it stands: all go round once, and the others stay. */
export function unlist(socket: Socket, list: u32): void {
  if (!((<u32>socket.linked) & bit(list))) return;
  const last = load<usize>(endsOf(list), TAIL);
  for (let first = takeList(list); first !== null; first = takeList(list)) {
    if (first != socket) enlist(first, list);
    if (changetype<usize>(first) == last) return;
  }
}

/** The first of a list, left in it; null when empty. */
export function peekList(list: u32): Socket | null {
  return changetype<Socket | null>(load<usize>(endsOf(list), HEAD));
}

/** Takes the first out of a list; null when empty. */
export function takeList(list: u32): Socket | null {
  const ends = endsOf(list);
  const first = peekList(list);
  if (first === null) return null;
  first.linked &= ~(<u8>bit(list));
  const next = load<usize>(nextOf(changetype<usize>(first), list));
  store<usize>(ends, next, HEAD);
  if (next == 0) store<usize>(ends, 0, TAIL);
  return first;
}
