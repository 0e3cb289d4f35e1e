/*
 * Grant table, version 1. C reference: public/grant_table.h, "Version 1 of the grant table".
 *
 * The table grows by a frame whenever no reference is free, up to Xen's limit for this guest. Free
 * references are chained through the `frame` field of their entries, which Xen leaves alone while
 * `flags` is 0. Xen sets the reading and writing bits of `flags` at any time, so an access ends by
 * compare and exchange only.
 */
#include <stddef.h>

#include "grant-table.h"
#include "mmu.h"
#include "panic.h"
#include "wire.h"
#include "xen.h"

_Static_assert(sizeof(struct grant_entry) == WIRE_GRANT_ENTRY_SIZE, "grant_entry_v1");

#define ENTRIES_PER_FRAME (WIRE_PAGE_SIZE / WIRE_GRANT_ENTRY_SIZE)
#define FRAMES_PER_BLOCK 512u /* the table is seen through one block of 2 MiB */
#define NO_REF 0u             /* 0 is reserved for the toolstack, so it is never free */

static struct grant_entry *entries;
static uint64_t first_frame;
static uint32_t frames;
static uint32_t frames_max;
static uint32_t free_ref = NO_REF;

/* Asks Xen for the next frame of the table. Whether there was one. */
static bool grow(void)
{
    if (frames == frames_max)
        return false;
    struct add_to_physmap map = { .domid = WIRE_DOMID_SELF,
                                  .space = SPACE_GRANT_TABLE,
                                  .index = frames,
                                  .frame = first_frame + frames };
    if (memory_op(OP_ADD_TO_PHYSMAP, &map) < 0)
        return false;
    uint32_t first = frames * ENTRIES_PER_FRAME;
    frames++;
    uint32_t reserved = first == 0 ? WIRE_GNTTAB_NR_RESERVED_ENTRIES : first;
    for (uint32_t ref = first + ENTRIES_PER_FRAME; ref-- > reserved;) {
        entries[ref].frame = free_ref;
        free_ref = ref;
    }
    return true;
}

void grant_table_init(uint64_t base)
{
    struct query_size query = { .domid = WIRE_DOMID_SELF };
    long result = grant_table_op(OP_QUERY_SIZE, &query);
    if (result < 0 || query.status != STATUS_OKAY)
        panic("grant table: GNTTABOP_query_size: %d, status %d", (int)result, query.status);
    frames_max = query.max_frames < FRAMES_PER_BLOCK ? query.max_frames : FRAMES_PER_BLOCK;
    mmu_map_normal(base);
    entries = (struct grant_entry *)base;
    first_frame = base >> WIRE_PAGE_SHIFT;
    if (!grow())
        panic("grant table: XENMEM_add_to_physmap refuses frame %x", first_frame);
}

int64_t grant_access(uint16_t remote, uint64_t guest_frame, bool readonly)
{
    if (free_ref == NO_REF && !grow())
        return -WIRE_ENOSPC;
    uint32_t ref = free_ref;
    struct grant_entry *entry = &entries[ref];
    free_ref = entry->frame;
    entry->domid = remote;
    entry->frame = (uint32_t)guest_frame;
    uint16_t flags = WIRE_GTF_PERMIT_ACCESS | (readonly ? WIRE_GTF_READONLY : 0);
    __atomic_store_n(&entry->flags, flags, __ATOMIC_SEQ_CST); /* whom and what stand before it */
    return ref;
}

int grant_end(uint32_t ref)
{
    if (ref < WIRE_GNTTAB_NR_RESERVED_ENTRIES || ref >= frames * ENTRIES_PER_FRAME)
        return -WIRE_EINVAL;
    struct grant_entry *entry = &entries[ref];
    uint16_t flags = __atomic_load_n(&entry->flags, __ATOMIC_SEQ_CST);
    do {
        if (!(flags & WIRE_GTF_PERMIT_ACCESS))
            return -WIRE_EINVAL;
        if (flags & (WIRE_GTF_READING | WIRE_GTF_WRITING))
            return -WIRE_EBUSY;
    } while (!__atomic_compare_exchange_n(&entry->flags, &flags, WIRE_GTF_INVALID, false,
                                          __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
    entry->frame = free_ref;
    free_ref = ref;
    return 0;
}
