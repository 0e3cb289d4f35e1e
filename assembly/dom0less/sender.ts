/**
 * The sender: it finds the receiver's rendezvous page, maps what that names, and binds the port.
 * C reference: Xen wiki, "Allocating and Binding Event Channels". Everything that the receiver
 * wrote is read once, into a local, and checked.
 */
import { evtchn_bind_interdomain, gnttab_map, gnttab_unmap } from './hypercalls';
import { carve, isError } from '../guest/arena';
import { closePort } from '../guest/events';
import { BAD } from '../ring/byte-ring';
import { loadIndex, storeIndex } from '../ring/order';
import { reached } from '../ring/serial';
import { RING_ORDER_MAX, V1_REF, V1_RING_ORDER } from '../wire/data-ring';
import { END_CLOSED, END_OPEN } from '../wire/dom0less';
import { LINK_CLOSED, LINK_CONNECTED, LINK_FAILED, LINK_WAITING } from '../wire/dom0less';
import { RENDEZVOUS_GO, RENDEZVOUS_MAGIC, RENDEZVOUS_PORT } from '../wire/dom0less';
import { RENDEZVOUS_RECEIVER_STATE, RENDEZVOUS_REF } from '../wire/dom0less';
import { RENDEZVOUS_SENDER_STATE } from '../wire/dom0less';
import { EPERM, EPROTO, ETIMEDOUT } from '../wire/errno';
import { PAGE_SHIFT } from '../wire/page';
import { become, fail, link, notify, openLinkPort, startWaiting, timeToLook } from './link';
import { MappedRing, mappedRead, mappedReadable, mappedRingInit } from './mapped-ring';
import { mappedWritable, mappedWrite } from './mapped-ring';

const PAGES_MAX: u32 = 1 << RING_ORDER_MAX;

let ring: MappedRing = changetype<MappedRing>(0);

export const SENDER_SIZE: u32 = offsetof<MappedRing>() + (PAGES_MAX << 2);

export function senderInit(): void {
  ring = changetype<MappedRing>(carve(offsetof<MappedRing>()));
  ring.table = carve(PAGES_MAX << 2);
}

/** Nobody can wake us yet, so the page is looked for from time to time. */
export function seek(): void {
  become(LINK_WAITING);
  startWaiting();
}

/** With time, while WAITING: whether the receiver is there by now. */
export function senderLook(): void {
  if (link.state != LINK_WAITING || !timeToLook()) return;
  if (link.page == 0) {
    const page = mapPage(link.rendezvousRef);
    if (page == <u32>-EPERM)
      fail(-EPERM); // a policy does not change with time
    else if (!isError(page)) link.page = page;
  }
  if (link.page != 0 && loadIndex(link.page + RENDEZVOUS_GO) == RENDEZVOUS_MAGIC) join();
  if (link.state == LINK_WAITING && reached(link.nowMs, link.deadlineMs)) fail(-ETIMEDOUT);
  if (link.state == LINK_FAILED) letGo();
}

function join(): void {
  let result = mapRing(loadIndex(link.page + RENDEZVOUS_REF));
  if (result == 0) {
    const remotePort = loadIndex(link.page + RENDEZVOUS_PORT);
    result = openLinkPort(evtchn_bind_interdomain(link.peer, remotePort));
  }
  if (result < 0) {
    fail(result);
    return;
  }
  become(LINK_CONNECTED);
  storeIndex(link.page + RENDEZVOUS_SENDER_STATE, END_OPEN);
  notify();
}

/** Maps the indexes page and the data pages it names. Result: 0 or a negative errno. */
function mapRing(ref: u32): i32 {
  const page = mapPage(ref);
  if (isError(page)) return <i32>page;
  ring.page = page;
  const order = loadIndex(ring.page + V1_RING_ORDER);
  if (order > RING_ORDER_MAX) return -EPROTO;
  while (ring.mapped < (<u32>1) << order) {
    const data = mapPage(loadIndex(ring.page + V1_REF + (ring.mapped << 2)));
    if (isError(data)) return <i32>data;
    store<u32>(ring.table + (ring.mapped << 2), data);
    ring.mapped += 1;
  }
  mappedRingInit(ring, order);
  return 0;
}

/** Result: the address, or a negative errno. */
function mapPage(ref: u32): u32 {
  const frame = gnttab_map(link.peer, ref, 1);
  return isError(frame) ? frame : frame << PAGE_SHIFT;
}

function unmapPage(address: usize): void {
  gnttab_unmap(<u32>(address >> PAGE_SHIFT));
}

function letGo(): void {
  while (ring.mapped > 0) {
    ring.mapped -= 1;
    unmapPage(load<u32>(ring.table + (ring.mapped << 2)));
  }
  if (ring.page != 0) unmapPage(ring.page);
  if (link.page != 0) unmapPage(link.page);
  ring.page = 0;
  link.page = 0;
  if (link.port != 0) closePort(link.port);
  link.port = 0;
}

/** Whether no more bytes will come: to be asked before how many stand there. */
export function receiverHasClosed(): bool {
  return loadIndex(link.page + RENDEZVOUS_RECEIVER_STATE) == END_CLOSED;
}

/** Bytes to read or to write; a receiver that lies ends the link. */
export function senderReadable(): u32 {
  return checked(mappedReadable(ring));
}

export function senderWritable(): u32 {
  return checked(mappedWritable(ring));
}

function checked(count: u32): u32 {
  if (count == BAD) fail(-EPROTO);
  return count;
}

export function senderWrite(from: usize, size: u32): void {
  mappedWrite(ring, from, size);
  notify();
}

export function senderRead(to: usize, size: u32): void {
  if (mappedRead(ring, to, size)) notify();
}

/** Tells the receiver, and lets everything go: what was published stays in its own pages. */
export function senderClose(): void {
  if (link.state == LINK_CONNECTED) {
    storeIndex(link.page + RENDEZVOUS_SENDER_STATE, END_CLOSED);
    notify();
  }
  letGo();
  if (link.state != LINK_FAILED) become(LINK_CLOSED);
}
