/**
 * Event channels: who owns a port, and the scan of shared_info.
 * C reference: public/event_channel.h, "2-level ABI"; public/xen.h, struct shared_info.
 *
 * Every event may be spurious, coalesced or early: a handler looks at its ring, never at the event.
 * The scan is driven by evtchn_pending_sel, not by the upcall byte, so an extra scan finds nothing
 * and a bit set during it raises the byte again.
 */
import { evtchn_alloc_unbound, evtchn_close } from '../hypercalls';
import { clearBits, loadWord, storeByte, takeWord } from '../ring/order';
import { ARCHITECTURE_X86_64 } from '../wire/abi';
import { ENOBUFS } from '../wire/errno';
import {
  ARM64_EVTCHN_MASK,
  ARM64_EVTCHN_PENDING,
  EVTCHN_2L_NR_CHANNELS,
  EVTCHN_PENDING_SEL,
  EVTCHN_UPCALL_PENDING,
  X86_64_EVTCHN_MASK,
  X86_64_EVTCHN_PENDING,
} from '../wire/shared-info';
import { carve, isError } from './arena';

/** Owners of a port. From OWNER_SOCKETS on: the socket table entry, counted from there. */
export const OWNER_NONE: u32 = 0;
export const OWNER_STORE: u32 = 1;
export const OWNER_COMMANDS: u32 = 2;
export const OWNER_SOCKETS: u32 = 3;

@unmanaged
class Events {
  sharedInfo: usize; //   or 0: the embedder demultiplexes
  pending: usize;
  mask: usize;
  owners: usize; //       u16 per port
  selector: u64; //       words still to be looked at in this scan
  bits: u64; //           bits still to be looked at in this word
  word: u32;
}

let events: Events = changetype<Events>(0);

/** Bytes of tables. */
export const EVENTS_SIZE: u32 = offsetof<Events>() + (EVTCHN_2L_NR_CHANNELS << 1);

export function eventsInit(sharedInfo: usize, architecture: u32): void {
  events = changetype<Events>(carve(offsetof<Events>()));
  events.owners = carve(EVTCHN_2L_NR_CHANNELS << 1);
  events.sharedInfo = sharedInfo;
  const x86 = architecture == ARCHITECTURE_X86_64;
  events.pending = sharedInfo + (x86 ? X86_64_EVTCHN_PENDING : ARM64_EVTCHN_PENDING);
  events.mask = sharedInfo + (x86 ? X86_64_EVTCHN_MASK : ARM64_EVTCHN_MASK);
}

export function ownerOf(port: u32): u32 {
  return port < EVTCHN_2L_NR_CHANNELS ? load<u16>(events.owners + (port << 1)) : OWNER_NONE;
}

export function setOwner(port: u32, owner: u32): void {
  if (port < EVTCHN_2L_NR_CHANNELS) store<u16>(events.owners + (port << 1), <u16>owner);
}

/** Opens a port that `remote` may bind. Result: the port, or -ENOBUFS when there is none. */
export function openPort(remote: u32, owner: u32): i32 {
  const port = evtchn_alloc_unbound(remote);
  if (isError(port)) return -ENOBUFS;
  if (port >= EVTCHN_2L_NR_CHANNELS) {
    evtchn_close(port);
    return -ENOBUFS;
  }
  setOwner(port, owner);
  return <i32>port;
}

export function closePort(port: u32): void {
  setOwner(port, OWNER_NONE);
  evtchn_close(port);
}

/** Starts a scan. Nothing happens when the embedder demultiplexes. */
export function scanBegin(): void {
  if (events.sharedInfo == 0) return;
  storeByte(events.sharedInfo + EVTCHN_UPCALL_PENDING, 0); // before we look, or a set bit is missed
  events.selector |= takeWord(events.sharedInfo + EVTCHN_PENDING_SEL);
}

/** The next pending port, cleared, or -1 at the end of the scan. */
export function scanNext(): i32 {
  while (events.bits == 0) {
    if (events.selector == 0) return -1;
    events.word = <u32>ctz(events.selector);
    events.selector &= events.selector - 1;
    const at = events.word << 3;
    events.bits = loadWord(events.pending + at) & ~loadWord(events.mask + at);
  }
  const bit = ctz(events.bits);
  events.bits &= events.bits - 1;
  clearBits(events.pending + (events.word << 3), (<u64>1) << bit);
  return <i32>((events.word << 6) | (<u32>bit));
}
