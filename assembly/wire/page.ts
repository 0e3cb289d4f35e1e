/** Pages. Every protocol here counts in 4 KiB pages, whatever the guest's own page size is. */
export const PAGE_SHIFT: u32 = 12;
export const PAGE_SIZE: u32 = 4096;
