/**
 * xenstore client over its ring page. C reference: public/io/xs_wire.h.
 *
 * One message goes out at a time and one comes in at a time, each through a private buffer, so a
 * message may be larger than the ring. Replies are matched to requests by req_id; watch events come
 * at any time. xenstored is trusted with what it says, not with how: a length over 4096, an index
 * beyond the ring, a reply nobody asked for or text without its NUL never gets past this file.
 */
import { evtchn_send } from '../hypercalls';
import { copyFromRing, copyToRing } from '../ring/byte-ring';
import { loadIndex, storeIndex } from '../ring/order';
import { distance } from '../ring/serial';
import { EAGAIN, EINVAL, ENODEV } from '../wire/errno';
import {
  MSG_LEN,
  MSG_REQ_ID,
  MSG_SIZE,
  MSG_TX_ID,
  MSG_TYPE,
  XENSTORE_PAYLOAD_MAX,
  XENSTORE_RING_SIZE,
  XS_ERROR,
  XS_REQ,
  XS_REQ_CONS,
  XS_REQ_PROD,
  XS_RSP,
  XS_RSP_CONS,
  XS_RSP_PROD,
  XS_WATCH_EVENT,
} from '../wire/xenstore';
import { carve } from './arena';
import { OWNER_STORE, setOwner } from './events';

/** What storeTake found. */
export const STORE_EMPTY: u32 = 0;
export const STORE_MESSAGE: u32 = 1;
export const STORE_BROKEN: u32 = 2;

/** Requests without an answer yet, at most. */
const PENDING_MAX: u32 = 8;

@unmanaged
export class Store {
  page: usize; //         ring page, or 0: no xenstore
  port: u32;
  broken: u32;
  nextId: u32;
  reqProd: u32; //        ours
  rspCons: u32; //        ours
  outSize: u32;
  outSent: u32;
  inGot: u32;
  inType: u32; //         message being received: from here on as xs_wire.h has it
  inId: u32;
  inTransaction: u32;
  inSize: u32; //         bytes of payload, which follows
}

let store_: Store = changetype<Store>(0);

function at(offset: u32): usize {
  return changetype<usize>(store_) + offset;
}

/** What follows Store: payload in and a NUL; message out; req_ids not answered, 0 for none. */
const OUT: u32 = offsetof<Store>() + XENSTORE_PAYLOAD_MAX + 4;
const PENDING: u32 = OUT + MSG_SIZE + XENSTORE_PAYLOAD_MAX;
const SIZE: u32 = PENDING + (PENDING_MAX << 2);

if (offsetof<Store>() - offsetof<Store>('inType') != MSG_SIZE) ERROR('header size');

/** Bytes of tables, alignment included. */
export const STORE_SIZE: u32 = SIZE + 8;

/** Page 0: the embedder owns xenstore. */
export function storeInit(page: usize, port: u32): void {
  store_ = changetype<Store>(carve(page == 0 ? offsetof<Store>() : SIZE));
  if (page == 0) return;
  store_.page = page;
  store_.port = port;
  store_.nextId = 1;
  store_.reqProd = loadIndex(page + XS_REQ_PROD); // the page outlives us: go on where it stands
  store_.rspCons = loadIndex(page + XS_RSP_CONS);
  setOwner(port, OWNER_STORE);
}

/** Where the payload of the next request is composed, XENSTORE_PAYLOAD_MAX bytes; 0 while busy. */
export function storePayload(): usize {
  if (store_.page == 0 || store_.outSize != 0) return 0;
  return at(OUT + MSG_SIZE);
}

/**
 * Sends the request whose payload stands in storePayload(). Result: its req_id, -EAGAIN while the
 * one before is being sent or too many wait for an answer, -ENODEV without xenstore, -EINVAL.
 */
export function storeSubmit(type: u32, transaction: u32, size: u32): i32 {
  if (store_.page == 0 || store_.broken) return -ENODEV;
  if (size > XENSTORE_PAYLOAD_MAX) return -EINVAL;
  const slot = pendingSlot(0);
  if (store_.outSize != 0 || slot == 0) return -EAGAIN;
  const id = store_.nextId;
  store_.nextId = (id + 1) & 0x3fffffff || 1;
  store<u32>(slot, id);
  store<u32>(at(0), type, OUT + MSG_TYPE);
  store<u32>(at(0), id, OUT + MSG_REQ_ID);
  store<u32>(at(0), transaction, OUT + MSG_TX_ID);
  store<u32>(at(0), size, OUT + MSG_LEN);
  store_.outSize = MSG_SIZE + size;
  store_.outSent = 0;
  storeFlush();
  return <i32>id;
}

/** Sends what fits of the message under way. */
export function storeFlush(): void {
  if (store_.broken || store_.outSize == 0) return;
  const cons = loadIndex(store_.page + XS_REQ_CONS);
  const used = distance(store_.reqProd, cons);
  if (used > XENSTORE_RING_SIZE) {
    store_.broken = 1;
    return;
  }
  const size = min(XENSTORE_RING_SIZE - used, store_.outSize - store_.outSent);
  if (size == 0) return;
  const from = at(OUT) + store_.outSent;
  copyToRing(store_.page + XS_REQ, XENSTORE_RING_SIZE, store_.reqProd, from, size);
  store_.reqProd += size;
  storeIndex(store_.page + XS_REQ_PROD, store_.reqProd);
  store_.outSent += size;
  if (store_.outSent == store_.outSize) store_.outSize = 0;
  evtchn_send(store_.port);
}

/** Looks for a complete message; it stands until the next call. */
export function storeTake(): u32 {
  if (store_.page == 0) return STORE_EMPTY;
  if (store_.broken) return STORE_BROKEN;
  if (!receive(MSG_SIZE)) return store_.broken ? STORE_BROKEN : STORE_EMPTY;
  const size = store_.inSize;
  if (size > XENSTORE_PAYLOAD_MAX) return broken();
  if (!receive(MSG_SIZE + size)) return store_.broken ? STORE_BROKEN : STORE_EMPTY;
  store_.inGot = 0;
  store<u8>(messagePayload() + size, 0);
  if (store_.inType == XS_WATCH_EVENT) return textCount() >= 2 ? STORE_MESSAGE : broken();
  const slot = pendingSlot(store_.inId);
  if (store_.inId == 0 || slot == 0) return broken();
  store<u32>(slot, 0);
  if (store_.inType == XS_ERROR && textCount() != 1) return broken();
  return STORE_MESSAGE;
}

/** Changes whenever xenstored has sent something that was taken. */
export function storeWork(): u32 {
  return store_.rspCons;
}

/** Type, request and payload of the message that storeTake found. */
export function messageType(): u32 {
  return store_.inType;
}

export function messageId(): u32 {
  return store_.inId;
}

export function messageSize(): u32 {
  return store_.inSize;
}

/** The payload; a NUL that is not part of it follows. */
export function messagePayload(): usize {
  return at(offsetof<Store>());
}

/** Whether the message is an error whose name begins with these four bytes. */
export function messageIsError(name: u32): bool {
  return store_.inType == XS_ERROR && load<u32>(messagePayload()) == name;
}

/** Number of NUL-terminated strings that the payload consists of; 0 if it does not end with one. */
function textCount(): u32 {
  const payload = messagePayload();
  const size = store_.inSize;
  if (size == 0 || load<u8>(payload + size - 1) != 0) return 0;
  let count: u32 = 0;
  for (let i: u32 = 0; i < size; i++) if (load<u8>(payload + i) == 0) count += 1;
  return count;
}

/** Takes bytes from the ring until `want` of the message are there. */
function receive(want: u32): bool {
  if (store_.inGot >= want) return true;
  const prod = loadIndex(store_.page + XS_RSP_PROD);
  const ready = distance(prod, store_.rspCons);
  if (ready > XENSTORE_RING_SIZE) {
    broken();
    return false;
  }
  const size = min(ready, want - store_.inGot);
  if (size == 0) return false;
  const to = at(offsetof<Store>('inType')) + store_.inGot;
  copyFromRing(store_.page + XS_RSP, XENSTORE_RING_SIZE, store_.rspCons, to, size);
  store_.rspCons += size;
  store_.inGot += size;
  storeIndex(store_.page + XS_RSP_CONS, store_.rspCons);
  const before = store_.rspCons - size;
  if (distance(loadIndex(store_.page + XS_RSP_PROD), before) >= XENSTORE_RING_SIZE) {
    evtchn_send(store_.port); // the ring may have been full and xenstored waiting for room
  }
  return store_.inGot >= want;
}

function broken(): u32 {
  store_.broken = 1;
  return STORE_BROKEN;
}

function pendingSlot(id: u32): usize {
  for (let i: u32 = 0; i < PENDING_MAX; i++) {
    if (load<u32>(at(i << 2), PENDING) == id) return at(PENDING) + (i << 2);
  }
  return 0;
}
