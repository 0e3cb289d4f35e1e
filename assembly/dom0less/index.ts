/**
 * The ABI of build/dom0less.wasm: a byte stream between two guests that have no other go-between
 * than grants and an event channel. A module of its own, so that the core stays small.
 * As in the core: one call at a time, nothing blocks, time comes with init() and handle_timeout(),
 * and a result from -4095 to -1 is a negative errno.
 */
import { arenaInit, arenaOverhead, arenaSeal } from '../guest/arena';
import { EVENTS_SIZE, eventsInit, scanBegin, scanNext } from '../guest/events';
import { distance, reached } from '../ring/serial';
import { ARCHITECTURE_ARM64 } from '../wire/abi';
import { LINK_ARENA, LINK_CLOSED, LINK_CLOSING, LINK_CONNECTED } from '../wire/dom0less';
import {
  LINK_FAILED,
  LINK_FIRST_INDEX,
  LINK_FRAMES,
  LINK_NOW_MS,
  LINK_PEER,
} from '../wire/dom0less';
import {
  LINK_RENDEZVOUS_REF,
  LINK_RING_ORDER,
  LINK_ROLE,
  LINK_SHARED_INFO,
} from '../wire/dom0less';
import { LINK_TIMEOUT_MS, LINK_WAITING, ROLE_RECEIVER, ROLE_SENDER } from '../wire/dom0less';
import { EAGAIN, EINVAL, ENOMEM, ENOTCONN, EPIPE } from '../wire/errno';
import { PAGE_SHIFT, PAGE_SIZE } from '../wire/page';
import { LINK_SIZE, NEVER, link, linkInit } from './link';
import { RECEIVER_SIZE, offer, receiverClose, receiverInit, receiverLook } from './receiver';
import { receiverRead, receiverReadable, receiverWritable, receiverWrite } from './receiver';
import { senderHasClosed } from './receiver';
import { SENDER_SIZE, receiverHasClosed, seek, senderClose, senderInit } from './sender';
import { senderLook, senderRead, senderReadable, senderWritable, senderWrite } from './sender';

const ALIGNMENT: u32 = 32; // what carving four tables may lose

/** Takes the arena over and starts: the receiver offers, the sender looks. Once. */
export function init(config: usize): i32 {
  const arena = load<u32>(config + LINK_ARENA);
  const frames = load<u32>(config + LINK_FRAMES);
  const role = load<u32>(config + LINK_ROLE);
  if (arena == 0 || (arena & (PAGE_SIZE - 1)) != 0 || role > ROLE_SENDER) return -EINVAL;
  const tables = EVENTS_SIZE + LINK_SIZE + RECEIVER_SIZE + SENDER_SIZE + ALIGNMENT;
  if (frames >= 0xfffff || frames << PAGE_SHIFT < tables + arenaOverhead(frames)) return -ENOMEM;
  arenaInit(arena, frames);
  eventsInit(load<u32>(config + LINK_SHARED_INFO), ARCHITECTURE_ARM64);
  linkInit();
  link.role = role;
  link.peer = load<u32>(config + LINK_PEER);
  link.nowMs = load<u32>(config + LINK_NOW_MS);
  link.timeoutMs = load<u32>(config + LINK_TIMEOUT_MS);
  link.rendezvousRef = load<u32>(config + LINK_RENDEZVOUS_REF);
  receiverInit();
  senderInit();
  arenaSeal();
  return role == ROLE_RECEIVER
    ? offer(load<u32>(config + LINK_RING_ORDER), load<u32>(config + LINK_FIRST_INDEX))
    : begin();
}

function begin(): i32 {
  seek();
  return 0;
}

export function handle_upcall(): void {
  scanBegin();
  for (let port = scanNext(); port >= 0; port = scanNext()) handle_event(port);
}

/** An event tells no more than that it may be worth looking. */
export function handle_event(port: u32): void {
  if (port != link.port) return;
  link.events += 1;
  look();
}

/** Time has come to `nowMs`. */
export function handle_timeout(nowMs: u32): void {
  link.nowMs = nowMs;
  look();
}

function look(): void {
  if (link.role == ROLE_RECEIVER) receiverLook();
  else senderLook();
}

/** Milliseconds until handle_timeout has something to do; 0xffffffff: events alone matter. */
export function poll_timeout(): u32 {
  let at = link.deadlineMs;
  if (link.state == LINK_CLOSING || (link.state == LINK_WAITING && link.role == ROLE_SENDER)) {
    at = link.retryMs;
  } else if (link.state != LINK_WAITING) return NEVER;
  return reached(link.nowMs, at) ? 0 : distance(at, link.nowMs);
}

/** LINK_*. */
export function state(): u32 {
  return link.state;
}

/** Why the link FAILED, a negative errno. */
export function reason(): i32 {
  return link.reason;
}

export function port(): u32 {
  return link.port;
}

export function events(): u32 {
  return link.events;
}

export function notifications(): u32 {
  return link.notifications;
}

/** Bytes taken; -EAGAIN: no room, an event will come; -EPIPE: the peer has closed. */
export function send(from: usize, size: u32): i32 {
  if (link.state != LINK_CONNECTED) return notConnected();
  const receiver = link.role == ROLE_RECEIVER;
  if (receiver ? senderHasClosed() : receiverHasClosed()) return -EPIPE;
  const room = receiver ? receiverWritable() : senderWritable();
  if (link.state == LINK_FAILED) return link.reason;
  const count = min(size, room);
  if (count == 0) return size == 0 ? 0 : -EAGAIN;
  if (receiver) receiverWrite(from, count);
  else senderWrite(from, count);
  return <i32>count;
}

/** Bytes copied; 0: the peer has closed and everything is read; -EAGAIN: an event will come. */
export function recv(to: usize, size: u32): i32 {
  if (link.state != LINK_CONNECTED) return notConnected();
  const receiver = link.role == ROLE_RECEIVER;
  const closed = receiver ? senderHasClosed() : receiverHasClosed();
  const ready = receiver ? receiverReadable() : senderReadable();
  if (link.state == LINK_FAILED) return link.reason;
  const count = min(size, ready);
  if (count == 0) return closed || size == 0 ? 0 : -EAGAIN;
  if (receiver) receiverRead(to, count);
  else senderRead(to, count);
  return <i32>count;
}

function notConnected(): i32 {
  return link.state == LINK_FAILED ? link.reason : -ENOTCONN;
}

/** No more from this end. What was sent stays to be read; state() is CLOSED when all is let go. */
export function close(): void {
  if (link.state == LINK_CLOSING || link.state == LINK_CLOSED) return;
  if (link.role == ROLE_RECEIVER) receiverClose();
  else senderClose();
}
