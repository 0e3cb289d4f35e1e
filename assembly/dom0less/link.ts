/**
 * What both ends of a link share: its state, why it ended, its port, and when to look again.
 *
 *   DOWN -> WAITING -> CONNECTED -> CLOSING -> CLOSED
 *              \___________\___________\____-> FAILED
 */
import { evtchn_send } from '../hypercalls';
import { carve, isError } from '../guest/arena';
import { setOwner } from '../guest/events';
import { reached } from '../ring/serial';
import { LINK_CLOSED, LINK_FAILED } from '../wire/dom0less';

/** Owner number of the only port, for guest/events.ts. */
const OWNER_LINK: u32 = 1;
/** What poll_timeout() answers when there is nothing to wait for. */
export const NEVER: u32 = 0xffffffff;

@unmanaged
export class Link {
  role: u32;
  peer: u32; //             domid
  state: u32; //            LINK_*
  reason: i32; //           0, or why the link failed: negative errno
  page: usize; //           rendezvous page, own or mapped; 0: none
  port: u32;
  rendezvousRef: u32; //    sender
  timeoutMs: u32;
  nowMs: u32;
  deadlineMs: u32; //       while WAITING or CLOSING
  retryMs: u32; //          when to look again without an event
  delayMs: u32; //          until the look after that
  notifications: u32;
  events: u32;
}

export let link: Link = changetype<Link>(0);

export const LINK_SIZE: u32 = offsetof<Link>();

export function linkInit(): void {
  link = changetype<Link>(carve(LINK_SIZE));
}

export function become(state: u32): void {
  link.state = state;
}

export function fail(reason: i32): void {
  if (link.state == LINK_FAILED || link.state == LINK_CLOSED) return;
  link.reason = reason;
  become(LINK_FAILED);
}

/** Keeps what a hypercall that makes a port answered. Result: 0 or its errno. */
export function openLinkPort(port: u32): i32 {
  if (isError(port)) return <i32>port;
  link.port = port;
  setOwner(port, OWNER_LINK);
  return 0;
}

export function notify(): void {
  link.notifications += 1;
  evtchn_send(link.port);
}

/** Starts to look again and again, at growing distances, until timeout_ms have passed. */
export function startWaiting(): void {
  link.deadlineMs = link.nowMs + link.timeoutMs;
  link.delayMs = 1;
  link.retryMs = link.nowMs + 1;
}

/** Whether it is time to look; the next time is then twice as far, 16 ms at most. */
export function timeToLook(): bool {
  if (!reached(link.nowMs, link.retryMs)) return false;
  link.delayMs = min<u32>(link.delayMs << 1, 16);
  link.retryMs = link.nowMs + link.delayMs;
  return true;
}
