/**
 * Reading what the backend offers. Spec: pvcalls, "Backend XenBus Nodes".
 *
 * The shipped dialect says `versions`, a comma-separated list in which 1 must stand; design v7 says
 * `version`, a number. max-page-order must be at least 1 under the shipped dialect (a page each
 * way); v7 allows 0. feature-reset is ours and may be absent.
 */
import {
  FEATURE_RESET_HI,
  FEATURE_RESET_LO,
  FUNCTION_CALLS_HI,
  FUNCTION_CALLS_LO,
  MAX_PAGE_ORDER_HI,
  MAX_PAGE_ORDER_LO,
  NOT_A_NUMBER,
  parseDecimal,
  VERSION_HI,
  VERSION_LO,
  VERSIONS_HI,
  VERSIONS_LO,
} from '../guest/text';
import { readBackend } from '../guest/xenbus';
import { messagePayload, messageSize } from '../guest/xenstore';
import {
  FAULT_FUNCTION_CALLS,
  FAULT_MAX_PAGE_ORDER,
  FAULT_NONE,
  FAULT_VERSION,
  FEATURE_RESET,
} from '../wire/abi';
import { v7 } from './frontend';
import { device } from './phases';

const PART_VERSION: u32 = 0; // every phase begins with part 0
const PART_ORDER: u32 = 1;
const PART_CALLS: u32 = 2;
const PART_RESET: u32 = 3;

/** featureTake: there are more nodes to read. */
export const MORE: u32 = 0xffffffff;

/** Asks for the next node. Result: req_id or a negative errno. */
export function featureAsk(): i32 {
  switch (device.part) {
    case PART_VERSION:
      return v7() ? readBackend(VERSION_LO, VERSION_HI) : readBackend(VERSIONS_LO, VERSIONS_HI);
    case PART_ORDER:
      return readBackend(MAX_PAGE_ORDER_LO, MAX_PAGE_ORDER_HI);
    case PART_CALLS:
      return readBackend(FUNCTION_CALLS_LO, FUNCTION_CALLS_HI);
  }
  return readBackend(FEATURE_RESET_LO, FEATURE_RESET_HI);
}

/** Takes the answer. Result: MORE, FAULT_NONE when all is read, or what is wrong. */
export function featureTake(): u32 {
  const payload = messagePayload();
  const size = messageSize();
  const value = parseDecimal(payload, size); // none in the text of an error
  const part = device.part;
  device.part = part + 1;
  if (part == PART_VERSION) {
    const one = v7() ? value == 1 : listHasOne(payload, size);
    return one ? MORE : FAULT_VERSION;
  }
  if (part == PART_ORDER) {
    if (value == NOT_A_NUMBER || (value == 0 && !v7())) return FAULT_MAX_PAGE_ORDER;
    device.maxOrder = value;
    return MORE;
  }
  if (part == PART_CALLS) return value == 1 ? MORE : FAULT_FUNCTION_CALLS;
  device.features = value == 1 ? FEATURE_RESET : 0;
  return FAULT_NONE;
}

/** Whether "1" is an element of a comma-separated list. */
function listHasOne(at: usize, size: u32): bool {
  let start: u32 = 0;
  for (let i: u32 = 0; i <= size; i++) {
    if (i < size && load<u8>(at + i) != 0x2c) continue;
    if (parseDecimal(at + start, i - start) == 1) return true;
    start = i + 1;
  }
  return false;
}
