/**
 * Names of xenstore nodes and paths, without strings: a module with string literals would have a
 * data section. Each is up to 16 ASCII bytes in two little-endian words; a test decodes them.
 * Spec: pvcalls, "Frontend XenBus Nodes", "Backend XenBus Nodes".
 */

/** device/pvcalls/0 */
export const DEVICE_PATH_LO: u64 = 0x702f656369766564;
export const DEVICE_PATH_HI: u64 = 0x302f736c6c616376;
/** backend */
export const BACKEND_LO: u64 = 0x646e656b636162;
export const BACKEND_HI: u64 = 0x0;
/** backend-id */
export const BACKEND_ID_LO: u64 = 0x2d646e656b636162;
export const BACKEND_ID_HI: u64 = 0x6469;
/** state */
export const STATE_LO: u64 = 0x6574617473;
export const STATE_HI: u64 = 0x0;
/** versions */
export const VERSIONS_LO: u64 = 0x736e6f6973726576;
export const VERSIONS_HI: u64 = 0x0;
/** version */
export const VERSION_LO: u64 = 0x6e6f6973726576;
export const VERSION_HI: u64 = 0x0;
/** max-page-order */
export const MAX_PAGE_ORDER_LO: u64 = 0x656761702d78616d;
export const MAX_PAGE_ORDER_HI: u64 = 0x726564726f2d;
/** function-calls */
export const FUNCTION_CALLS_LO: u64 = 0x6e6f6974636e7566;
export const FUNCTION_CALLS_HI: u64 = 0x736c6c61632d;
/** feature-reset */
export const FEATURE_RESET_LO: u64 = 0x2d65727574616566;
export const FEATURE_RESET_HI: u64 = 0x7465736572;
/** ring-ref */
export const RING_REF_LO: u64 = 0x6665722d676e6972;
export const RING_REF_HI: u64 = 0x0;
/** port */
export const PORT_LO: u64 = 0x74726f70;
export const PORT_HI: u64 = 0x0;

/** Writes a name, without a NUL. Result: the address after it. */
export function putName(at: usize, low: u64, high: u64): usize {
  store<u64>(at, low);
  store<u64>(at + 8, high);
  return at + 16 - <usize>(high != 0 ? clz(high) : clz(low) + 64) / 8;
}

/** Writes a number in decimal. Result: the address after it. */
export function putDecimal(at: usize, value: u32): usize {
  const last = value >= 10 ? putDecimal(at, value / 10) : at;
  store<u8>(last, <u8>(48 + (value % 10)));
  return last + 1;
}

/** No number stands there. */
export const NOT_A_NUMBER: u32 = 0xffffffff;

/** Reads digits and nothing else, at most 9 of them: a larger number means nothing to us. */
export function parseDecimal(at: usize, size: u32): u32 {
  if (size == 0 || size > 9) return NOT_A_NUMBER;
  let value: u32 = 0;
  for (let i: u32 = 0; i < size; i++) {
    const digit = <u32>load<u8>(at + i) - 48;
    if (digit > 9) return NOT_A_NUMBER;
    value = value * 10 + digit;
  }
  return value;
}
