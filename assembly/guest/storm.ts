/**
 * Event storms. A backend can notify a port without end and without work behind it, and every such
 * event costs us a look. So useless events are counted per port; past USELESS_MAX in a window the
 * port is masked, and when the window is over it is unmasked and looked at: nothing that came
 * meanwhile is lost, it is only late. An event with work behind it starts the count anew, however
 * many there are.
 */
import { evtchn_mask, evtchn_unmask } from '../hypercalls';
import { EVTCHN_2L_NR_CHANNELS } from '../wire/shared-info';
import { carve } from './arena';
import { closePort } from './events';

/**
 * Useless events without a useful one between them that a port may have in a window. An honest
 * backend comes to one or two: what they were for was seen with the event before.
 */
export const USELESS_MAX: u32 = 16;

/**
 * Length of a window. All 4096 ports stormed at once leave 17 looks at each, 0.3 million a second:
 * a few hundredths of a processor. Longer would make more of a stormed port's own news late.
 */
export const STORM_MS: u32 = 250;

@unmanaged
class Storm {
  counting: bool; //      there were useless events in this window
}

/** What follows Storm: useless events, u8 per port; where its ring last stood, u32 per owner. */
const USELESS: u32 = offsetof<Storm>();
const WORK: u32 = (USELESS + EVTCHN_2L_NR_CHANNELS + 3) & ~3;

let storm: Storm = changetype<Storm>(0);

/** Bytes of tables for ports of `owners` owners. */
export function stormSize(owners: u32): u32 {
  return (WORK + (owners << 2) + 7) & ~7;
}

export function stormInit(owners: u32): void {
  storm = changetype<Storm>(carve(stormSize(owners)));
}

/**
 * An event of a port of ours was handled, and its ring stands at `work` now: a number that changes
 * whenever the peer gets on. Whether it has changed since the event before.
 */
export function useful(port: u32, owner: u32, work: u32): bool {
  const last = changetype<usize>(storm) + (owner << 2);
  const before = load<u32>(last, WORK);
  store<u32>(last, work, WORK);
  if (before != work) {
    resume(port);
    return true;
  }
  const at = changetype<usize>(storm) + port;
  const count = <u32>load<u8>(at, USELESS) + 1;
  if (count <= USELESS_MAX) store<u8>(at, count, USELESS);
  if (count == USELESS_MAX) evtchn_mask(port);
  storm.counting = true;
  return false;
}

/** Starts the count anew. Whether the port was masked: it is unmasked, and is to be looked at. */
export function resume(port: u32): bool {
  const at = changetype<usize>(storm) + port;
  const masked = load<u8>(at, USELESS) == USELESS_MAX;
  store<u8>(at, 0, USELESS);
  if (masked) evtchn_unmask(port);
  return masked;
}

/** Closes a port, unmasked: a mask would outlive it, and meet who is given the number next. */
export function leavePort(port: u32): void {
  resume(port);
  closePort(port);
}

/** Whether there were useless events in this window. */
export function stormCounting(): bool {
  return storm.counting;
}

/** The next window begins. */
export function stormOver(): void {
  storm.counting = false;
}
