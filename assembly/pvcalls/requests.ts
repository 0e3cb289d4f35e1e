/**
 * Requests in flight: a table of as many entries as the ring has slots.
 *
 * A req_id is a table entry and its generation, never the ring slot, so an answer that comes twice,
 * late or invented is told from the one that is awaited. An entry is freed by its answer alone: one
 * that was given up (deadline, socket gone) stays a zombie, because the ring slot it holds is not
 * free either. An entry whose socket is gone is lost until the backend answers after all.
 */
import { PVCALLS_ACCEPT, PVCALLS_CONNECT } from '../wire/pvcalls';
import { RING_SIZE } from '../wire/ring';
import { carve } from '../guest/arena';

export const NO_OWNER: u32 = 0xffff;

@unmanaged
export class Request {
  reqId: u32; //        as sent; 0: free
  id: u32; //           socket id as sent
  deadline: u32; //     ms, if `timed`
  owner: u16; //        socket table entry, or NO_OWNER: lost
  command: u8;
  timed: bool;
}

@unmanaged
class Requests {
  entries: usize;
  passive: u32; //      in flight: ACCEPT and POLL
  slow: u32; //         CONNECT
  lost: u32; //         without an owner
  free: u32; //         a bit per entry: there are as many as the ring has slots
  generation: u32;
}

let requests: Requests = changetype<Requests>(0);

const SLOT_BITS: u32 = 5;
const ALL: u32 = 0xffffffff;

if (1 << SLOT_BITS != RING_SIZE || RING_SIZE != 32) ERROR('a bit per entry');

/** Bytes of tables, alignment included. */
export const REQUESTS_SIZE: u32 = offsetof<Requests>() + RING_SIZE * offsetof<Request>() + 8;

export function requestsInit(): void {
  requests = changetype<Requests>(carve(offsetof<Requests>()));
  requests.entries = carve(RING_SIZE * offsetof<Request>());
  requests.free = ALL;
  requests.generation = 1;
}

export function requestAt(slot: u32): Request {
  return changetype<Request>(requests.entries + slot * offsetof<Request>());
}

export function requestsPassive(): u32 {
  return requests.passive;
}

export function requestsSlow(): u32 {
  return requests.slow;
}

export function requestsLost(): u32 {
  return requests.lost;
}

/** Takes an entry; the caller has seen that one is free. Every request has a new generation. */
export function takeRequest(command: u32, owner: u32, id: u32): Request {
  const slot = ctz(requests.free);
  requests.free &= requests.free - 1;
  const request = requestAt(slot);
  requests.generation = (requests.generation + 1) & ((1 << (32 - SLOT_BITS)) - 1) || 1;
  request.reqId = (requests.generation << SLOT_BITS) | slot;
  request.id = id;
  request.owner = <u16>owner;
  request.command = <u8>command;
  request.timed = false;
  countLong(command, 1);
  return request;
}

/** The request of a req_id that the backend sent, or null: never sent, or answered already. */
export function requestOf(reqId: u32): Request | null {
  const request = requestAt(reqId & (RING_SIZE - 1));
  return reqId != 0 && request.reqId == reqId ? request : null;
}

export function giveRequest(request: Request): void {
  if (request.owner == NO_OWNER) requests.lost -= 1;
  requests.free |= 1 << (request.reqId & (RING_SIZE - 1));
  request.reqId = 0;
  countLong(request.command, -1);
}

/** Counts a request among those that may keep a slot for long, or no more. */
function countLong(command: u32, step: i32): void {
  if (isPassive(command)) requests.passive += step;
  else if (command == PVCALLS_CONNECT) requests.slow += step;
}

/** ACCEPT or POLL: it may never be answered. */
export function isPassive(command: u32): bool {
  return command >= PVCALLS_ACCEPT;
}

/** Cuts the requests of a socket that is going away loose from it. */
export function orphanRequests(owner: u32): void {
  for (let slot: u32 = 0; slot < RING_SIZE; slot++) {
    const request = requestAt(slot);
    if (request.reqId != 0 && request.owner == <u16>owner) {
      request.owner = <u16>NO_OWNER;
      requests.lost += 1;
    }
  }
}

/** Forgets everything: the ring itself is gone. */
export function dropRequests(): void {
  memory.fill(requests.entries, 0, RING_SIZE * offsetof<Request>());
  requests.free = ALL;
  requests.passive = 0;
  requests.slow = 0;
  requests.lost = 0;
}
