/**
 * Header of a shared ring, `struct xxx_sring`, and its geometry for PV Calls.
 * C reference: public/io/ring.h, DEFINE_RING_TYPES.
 *
 *   0          4           8          12          16            64
 *   | req_prod | req_event | rsp_prod | rsp_event | private pad | slot[0] ... slot[31] |
 *
 * A slot is the union of request (64 bytes) and response (24 bytes), so 64 bytes; the number of
 * slots is (4096 - 64) / 64 = 63 rounded down to a power of two.
 */
export const REQ_PROD: u32 = 0; //    we write, peer reads
export const REQ_EVENT: u32 = 4; //   peer writes: untrusted
export const RSP_PROD: u32 = 8; //    peer writes: untrusted
export const RSP_EVENT: u32 = 12; //  we write, peer reads
export const SRING_PVT: u32 = 16; //  private to either end, unused
export const SRING_SLOTS: u32 = 64;

export const RING_SIZE: u32 = 32; //  slots
export const SLOT_SIZE: u32 = 64; //  bytes
