/**
 * Requests in flight: a table of as many entries as the ring has slots.
 *
 * A req_id is a table entry and its generation, never the ring slot, so an answer that comes twice,
 * late or invented is told from the one that is awaited. An entry is freed by its answer alone: one
 * that was given up (deadline, socket gone) stays a zombie, because the ring slot it holds is not
 * free either. An entry whose socket is gone is lost until the backend answers after all.
 */
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
  count: u32; //        in flight
  passive: u32; //      of those ACCEPT and POLL
  slow: u32; //         of those CONNECT
  lost: u32; //         of those without an owner
  generation: u32;
}

let requests: Requests = changetype<Requests>(0);

const SLOT_BITS: u32 = 5;

/** Bytes of tables, alignment included. */
export const REQUESTS_SIZE: u32 = offsetof<Requests>() + RING_SIZE * offsetof<Request>() + 8;

export function requestsInit(): void {
  requests = changetype<Requests>(carve(offsetof<Requests>()));
  requests.entries = carve(RING_SIZE * offsetof<Request>());
  requests.generation = 1;
}

export function requestAt(slot: u32): Request {
  return changetype<Request>(requests.entries + slot * offsetof<Request>());
}

export function requestsInFlight(): u32 {
  return requests.count;
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
  let slot: u32 = 0;
  while (requestAt(slot).reqId != 0) slot += 1;
  const request = requestAt(slot);
  requests.generation = (requests.generation + 1) & ((1 << (32 - SLOT_BITS)) - 1) || 1;
  request.reqId = (requests.generation << SLOT_BITS) | slot;
  request.id = id;
  request.owner = <u16>owner;
  request.command = <u8>command;
  request.timed = false;
  requests.count += 1;
  return request;
}

/** The request of a req_id that the backend sent, or null: never sent, or answered already. */
export function requestOf(reqId: u32): Request | null {
  const request = requestAt(reqId & (RING_SIZE - 1));
  return reqId != 0 && request.reqId == reqId ? request : null;
}

export function giveRequest(request: Request): void {
  if (request.owner == NO_OWNER) requests.lost -= 1;
  request.reqId = 0;
  requests.count -= 1;
}

/** Counts a request among those that may keep a slot for long. */
export function countLong(passive: i32, slow: i32): void {
  requests.passive += passive;
  requests.slow += slow;
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
  requests.count = 0;
  requests.passive = 0;
  requests.slow = 0;
  requests.lost = 0;
}
