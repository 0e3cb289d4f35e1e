/**
 * The receiver: it allocates the port, owns and grants every page, and is found by the sender.
 * C reference: Xen wiki, "Allocating and Binding Event Channels".
 */
import { evtchn_alloc_unbound } from '../hypercalls';
import { carve, framesParked, grantFrames, refOf, releaseFrames } from '../guest/arena';
import { retryParked, takeFrames } from '../guest/arena';
import { closePort } from '../guest/events';
import { BAD, ByteRing, byteRingInit, consumeIn, copyIn, copyOut } from '../ring/byte-ring';
import { publishOut, readable, writable } from '../ring/byte-ring';
import { loadIndex, storeIndex } from '../ring/order';
import { reached } from '../ring/serial';
import { RING_ORDER_MAX, V1_REF, V1_RING_ORDER } from '../wire/data-ring';
import { END_ABSENT, END_CLOSED, END_OPEN } from '../wire/dom0less';
import { LINK_CLOSED, LINK_CLOSING, LINK_CONNECTED, LINK_FAILED } from '../wire/dom0less';
import { LINK_WAITING, RENDEZVOUS_GO, RENDEZVOUS_MAGIC, RENDEZVOUS_PORT } from '../wire/dom0less';
import { RENDEZVOUS_RECEIVER_STATE, RENDEZVOUS_REF } from '../wire/dom0less';
import { RENDEZVOUS_SENDER_STATE } from '../wire/dom0less';
import { EBUSY, EINVAL, ENOBUFS, EPROTO, ETIMEDOUT } from '../wire/errno';
import { PAGE_SHIFT, PAGE_SIZE } from '../wire/page';
import { become, fail, link, notify, openLinkPort, startWaiting, timeToLook } from './link';

let ring: ByteRing = changetype<ByteRing>(0);

export const RECEIVER_SIZE: u32 = offsetof<ByteRing>();

export function receiverInit(): void {
  ring = changetype<ByteRing>(carve(RECEIVER_SIZE));
}

/** Takes and grants the pages, then shows them. Result: 0 or a negative errno. */
export function offer(order: u32, first: u32): i32 {
  if (order > RING_ORDER_MAX) return -EINVAL;
  const page = takeFrames(pages(order));
  if (page == 0) return -ENOBUFS;
  link.page = page;
  ring.page = page + PAGE_SIZE;
  ring.data = ring.page + PAGE_SIZE;
  ring.order = order;
  memory.fill(page, 0, pages(order) << PAGE_SHIFT);
  byteRingInit(ring, first);
  let result = openLinkPort(evtchn_alloc_unbound(link.peer));
  if (result == 0) result = grantFrames(link.peer, page, pages(order));
  if (result < 0) {
    releaseFrames(page, pages(order));
    link.page = 0;
    return result;
  }
  show();
  become(LINK_WAITING);
  startWaiting();
  return 0;
}

/** Rendezvous page, indexes page, data. */
function pages(order: u32): u32 {
  return 2 + (1 << order);
}

function show(): void {
  const data = ring.data;
  storeIndex(ring.page + V1_RING_ORDER, ring.order);
  for (let i: u32 = 0; i < (<u32>1) << ring.order; i++) {
    storeIndex(ring.page + V1_REF + (i << 2), refOf(data + (i << PAGE_SHIFT)));
  }
  storeIndex(link.page + RENDEZVOUS_PORT, link.port);
  storeIndex(link.page + RENDEZVOUS_REF, refOf(ring.page));
  storeIndex(link.page + RENDEZVOUS_RECEIVER_STATE, END_OPEN);
  storeIndex(link.page + RENDEZVOUS_GO, RENDEZVOUS_MAGIC); // everything else stands before it
}

/** After an event or with time: where the sender is. */
export function receiverLook(): void {
  if (link.state == LINK_WAITING) {
    const sender = loadIndex(link.page + RENDEZVOUS_SENDER_STATE);
    if (sender != END_ABSENT) become(LINK_CONNECTED);
    else if (reached(link.nowMs, link.deadlineMs)) fail(-ETIMEDOUT);
  } else if (link.state == LINK_CLOSING && timeToLook()) {
    retryParked();
    if (framesParked() == 0) become(LINK_CLOSED);
    else if (reached(link.nowMs, link.deadlineMs)) fail(-EBUSY);
  }
}

/** Whether no more bytes will come: to be asked before how many stand there. */
export function senderHasClosed(): bool {
  return loadIndex(link.page + RENDEZVOUS_SENDER_STATE) == END_CLOSED;
}

/** Bytes to read or to write; a sender that lies ends the link. */
export function receiverReadable(): u32 {
  return checked(readable(ring));
}

export function receiverWritable(): u32 {
  return checked(writable(ring));
}

function checked(count: u32): u32 {
  if (count == BAD) fail(-EPROTO);
  return count;
}

export function receiverWrite(from: usize, size: u32): void {
  copyIn(ring, from, size, 0);
  publishOut(ring, size);
  notify();
}

export function receiverRead(to: usize, size: u32): void {
  copyOut(ring, to, size, 0);
  if (consumeIn(ring, size)) notify();
}

/** Tells the sender, and takes the pages back as it lets them go. */
export function receiverClose(): void {
  if (link.page == 0) return;
  storeIndex(link.page + RENDEZVOUS_RECEIVER_STATE, END_CLOSED);
  notify();
  releaseFrames(link.page, pages(ring.order));
  closePort(link.port);
  link.page = 0;
  if (link.state == LINK_FAILED) return; // what is still mapped stays parked
  become(LINK_CLOSING);
  startWaiting();
}
