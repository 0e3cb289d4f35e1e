/*
 * What a grant table does under real Xen, by itself: the guest grants to itself, which Xen allows
 * under every policy. Prints a line per finding; any that is wrong ends it with its own exit code.
 */
#include "app.h"
#include "console.h"
#include "grant-table.h"
#include "linear.h"
#include "mmu.h"
#include "panic.h"
#include "settings.h"
#include "timer.h"
#include "wire.h"

#define EXIT_WRONG 5
#define MARK 0x6b72616du

/* On x86 a domain has a page in one place: mapping its own takes it away from where it was. */
#ifdef __x86_64__
#define PAGE_MOVES 1
#else
#define PAGE_MOVES 0
#endif

static uint16_t self;
static uint64_t frame; /* a page of RAM, as Xen counts */

static void expect(const char *what, int64_t got, int64_t wanted)
{
    console_print("grants: %s: %d", what, (int)got);
    if (got == wanted)
        return;
    console_print("grants: expected %d", (int)wanted);
    guest_exit(EXIT_WRONG);
}

/* As many as Xen gives, and all of them back. */
static uint32_t take_all(void)
{
    uint32_t count = 0;
    while (grant_access(self, frame, false) >= 0)
        count++;
    for (uint32_t ref = 0; ref < count; ref++)
        grant_end(WIRE_GNTTAB_NR_RESERVED_ENTRIES + ref);
    return count;
}

void app_start(void)
{
    self = (uint16_t)setting_number("self", 1);
    frame = mmu_guest_frame(LINEAR_ARENA / WIRE_PAGE_SIZE);
    volatile uint32_t *own = linear_at(LINEAR_ARENA);

    int64_t ref = grant_access(self, frame, false);
    expect("first reference", ref, WIRE_GNTTAB_NR_RESERVED_ENTRIES);
    int64_t mapped = grant_map(self, (uint32_t)ref, true);
    expect("mapped at the end of the window", mapped, LINEAR_SIZE / WIRE_PAGE_SIZE - 1);
    volatile uint32_t *there = linear_at((uint32_t)mapped * WIRE_PAGE_SIZE);
    *there = MARK;
    expect("written", *there == MARK, 1);
    expect("the same page", *own == MARK, !PAGE_MOVES);
    expect("end while mapped", grant_end((uint32_t)ref), -WIRE_EBUSY);
    expect("unmap", grant_unmap((uint32_t)mapped), 0);
    expect("unmap again", grant_unmap((uint32_t)mapped), -WIRE_EINVAL);
    expect("end", grant_end((uint32_t)ref), 0);
    expect("end again", grant_end((uint32_t)ref), -WIRE_EINVAL);
    expect("map what is not granted", grant_map(self, (uint32_t)ref, true), -WIRE_EINVAL);
    expect("map beyond the table", grant_map(self, 1u << 20, true), -WIRE_EINVAL);
    expect("map of a domain that is not there", grant_map(99, 8, true), -WIRE_ESRCH);

    frame += PAGE_MOVES;
    int64_t readonly = grant_access(self, frame, true);
    expect("write a read-only grant", grant_map(self, (uint32_t)readonly, true), -WIRE_EINVAL);
    int64_t other = grant_access(99, frame, false);
    expect("map what another was granted", grant_map(self, (uint32_t)other, true), -WIRE_EINVAL);
    expect("end", grant_end((uint32_t)other) | grant_end((uint32_t)readonly), 0);

    uint32_t all = take_all();
    console_print("grants: %u references", all);
    expect("as many again", take_all(), all);
    guest_exit(0);
}

void app_upcall(void)
{
}

uint32_t app_turn(uint32_t now)
{
    (void)now;
    return TIMER_NEVER;
}
