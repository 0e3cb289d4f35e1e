/**
 * PV Calls indexes page, `struct pvcalls_data_intf`.
 * Spec: pvcalls, "Data ring interface". C reference: public/io/pvcalls.h.
 *
 *   0         4         8          64         68         72          128          132
 *   | in_cons | in_prod | in_error | out_cons | out_prod | out_error | ring_order | ref[0] ...
 *
 * The picture in the shipped spec draws ring_order at 76 and ref[0] at 80, as design v7 had them.
 * Its struct (pad[52] twice), its own "(4096-132)/4" and the C header all give 128 and 132, and so
 * does the v1 dialect; the v7 dialect keeps the seed's 76 and 80.
 */
export const IN_CONS: u32 = 0; //     we write, peer reads
export const IN_PROD: u32 = 4; //     peer writes: untrusted
export const IN_ERROR: u32 = 8; //    peer writes: untrusted
export const OUT_CONS: u32 = 64; //   peer writes: untrusted
export const OUT_PROD: u32 = 68; //   we write, peer reads
export const OUT_ERROR: u32 = 72; //  peer writes: untrusted

export const V1_RING_ORDER: u32 = 128; // we write once at setup, never read back
export const V1_REF: u32 = 132; //        we write once at setup, never read back
export const V7_RING_ORDER: u32 = 76; //  as above, dialect v7
export const V7_REF: u32 = 80; //         as above, dialect v7

/** 2^9 references are the most that one indexes page holds, in either dialect. */
export const RING_ORDER_MAX: u32 = 9;
/** XEN_FLEX_RING_SIZE(order) = 1 << (order + 12 - 1): bytes per direction. */
export const FLEX_RING_SHIFT: u32 = 11;
