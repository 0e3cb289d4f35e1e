/**
 * Grant entry, version 1: `struct grant_entry_v1`, 8 bytes. C reference: public/grant_table.h.
 *
 *   0       2       4
 *   | flags | domid | frame |
 */
export const GRANT_FLAGS: u32 = 0; //  we write; Xen sets reading and writing
export const GRANT_DOMID: u32 = 2; //  we write
export const GRANT_FRAME: u32 = 4; //  we write
export const GRANT_ENTRY_SIZE: u32 = 8;

export const GTF_INVALID: u32 = 0;
export const GTF_PERMIT_ACCESS: u32 = 1;
export const GTF_READONLY: u32 = 4;
export const GTF_READING: u32 = 8;
export const GTF_WRITING: u32 = 16;

/** References below this one are reserved for the toolstack (console 0, xenstore 1). */
export const GNTTAB_NR_RESERVED_ENTRIES: u32 = 8;
export const GNTTAB_RESERVED_CONSOLE: u32 = 0;
export const GNTTAB_RESERVED_XENSTORE: u32 = 1;

export const DOMID_FIRST_RESERVED: u32 = 0x7ff0;
export const DOMID_SELF: u32 = 0x7ff0;
