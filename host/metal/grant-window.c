/*
 * The window: frames of linear memory for foreign pages. Behind each stands a guest frame without
 * RAM; mapping a grant puts the peer's page there, in Xen's tables and not in ours.
 *
 * Frames are handed out from the top down, so that pages mapped one after the other do not stand
 * one after the other: nobody may count on it.
 */
#include "grant-table.h"
#include "layout.h"
#include "wire.h"
#include "xen.h"

#define WINDOW_FRAMES ((LINEAR_SIZE - LINEAR_WINDOW) / WIRE_PAGE_SIZE)
#define FIRST_FRAME (LINEAR_WINDOW / WIRE_PAGE_SIZE)

/* Handle + 1 of what stands at each frame; 0: nothing does. */
static uint32_t handles[WINDOW_FRAMES];

static uint64_t guest_address(uint32_t slot)
{
    return WINDOW_BASE + (uint64_t)slot * WIRE_PAGE_SIZE;
}

static int errno_of(int16_t status)
{
    switch (status) {
    case STATUS_BAD_DOMAIN:
        return -WIRE_ESRCH;
    case STATUS_NO_SPACE:
        return -WIRE_ENOSPC;
    case STATUS_PERMISSION_DENIED:
        return -WIRE_EPERM;
    case STATUS_AGAIN:
        return -WIRE_EAGAIN;
    default: /* a bad reference, not granted to us, or not in this way */
        return -WIRE_EINVAL;
    }
}

static uint32_t free_slot(void)
{
    uint32_t slot = WINDOW_FRAMES;
    while (slot > 0 && handles[slot - 1] != 0)
        slot--;
    return slot;
}

int64_t grant_map(uint16_t remote, uint32_t ref, bool writable)
{
    uint32_t above = free_slot();
    if (above == 0)
        return -WIRE_ENOSPC;
    uint32_t slot = above - 1;
    struct map_grant_ref map = { .address = guest_address(slot),
                                 .flags = MAP_HOST | (writable ? 0 : MAP_READONLY),
                                 .ref = ref,
                                 .domid = remote };
    long result = grant_table_op(OP_MAP_GRANT_REF, &map);
    if (result < 0)
        return result;
    if (map.status != STATUS_OKAY)
        return errno_of(map.status);
    handles[slot] = map.handle + 1;
    return FIRST_FRAME + slot;
}

int grant_unmap(uint32_t linear_frame)
{
    uint32_t slot = linear_frame - FIRST_FRAME;
    if (linear_frame < FIRST_FRAME || slot >= WINDOW_FRAMES || handles[slot] == 0)
        return -WIRE_EINVAL;
    struct unmap_grant_ref unmap = { .address = guest_address(slot), .handle = handles[slot] - 1 };
    long result = grant_table_op(OP_UNMAP_GRANT_REF, &unmap);
    if (result < 0)
        return (int)result;
    if (unmap.status != STATUS_OKAY)
        return errno_of(unmap.status);
    handles[slot] = 0;
    return 0;
}
