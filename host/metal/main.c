/*
 * The way up, and the main loop.
 *
 * Interrupts are masked from the first instruction to the last: wfi wakes for a masked interrupt as
 * well, and the loop then asks the interrupt controller what it is. So nothing runs between two
 * statements here, and no wake-up is lost: an event that arrives after the upcall byte was cleared
 * makes the interrupt pending again, and the next wfi returns at once.
 */
#include <stddef.h>

#include "app.h"
#include "arm64.h"
#include "console.h"
#include "fdt.h"
#include "gic.h"
#include "grant-table.h"
#include "layout.h"
#include "linear.h"
#include "mmu.h"
#include "panic.h"
#include "params.h"
#include "settings.h"
#include "shared-info.h"
#include "store.h"
#include "timer.h"
#include "wire.h"
#include "xen.h"

#define FIRST_PRIVATE 16u

/* What the device tree says; defaults are those of every guest of Xen. */
static uint32_t event_interrupt = EVENT_INTERRUPT;
static uint64_t grant_table_base = GRANT_TABLE_BASE;
static uint64_t ram_end;

static void read_tree(const void *tree)
{
    if (!fdt_is_tree(tree))
        panic("boot: no device tree at %x", (uint64_t)tree);
    struct fdt_property arguments = fdt_find(tree, NULL, NULL, "bootargs");
    settings_init((const char *)arguments.bytes, arguments.size);
    struct fdt_property memory = fdt_find(tree, "device_type", "memory", "reg");
    ram_end = fdt_pair(memory, 0) + fdt_pair(memory, 2);
    if (fdt_pair(memory, 0) != RAM_BASE)
        panic("boot: RAM begins at %x, not where the image runs", fdt_pair(memory, 0));
    gic_init(tree);
    struct fdt_property xen = fdt_find(tree, "compatible", "xen,xen", "interrupts");
    if (xen.bytes == NULL)
        return; /* a Dom0less guest without xen,enhanced has no such node, and the defaults */
    event_interrupt = FIRST_PRIVATE + fdt_cell(xen, 1);
    grant_table_base = fdt_pair(fdt_find(tree, "compatible", "xen,xen", "reg"), 0);
}

bool app_wait(uint32_t delay_ms)
{
    volatile uint8_t *upcall = linear_at(LINEAR_SHARED_INFO + WIRE_EVTCHN_UPCALL_PENDING);
    bool events = false;
    timer_arm(delay_ms);
    wait_for_interrupt();
    for (;;) {
        uint32_t interrupt = gic_acknowledge();
        if (interrupt == GIC_NOTHING)
            return events;
        if (interrupt == event_interrupt) {
            *upcall = 0; /* before the end, or the level would raise it again */
            events = true;
        } else if (interrupt == TIMER_INTERRUPT) {
            timer_silence();
        }
        gic_end(interrupt);
    }
}

__attribute__((noreturn)) void main(const void *tree)
{
    read_tree(tree);
    mmu_forget_ram();
    linear_init(ram_end);
    shared_info_init();
    grant_table_init(grant_table_base);
    console_init();
    store_init();
    gic_enable(event_interrupt);
    gic_enable(TIMER_INTERRUPT);
    app_start();
    for (;;) {
        if (app_wait(app_turn(now_ms())))
            app_upcall();
    }
}
