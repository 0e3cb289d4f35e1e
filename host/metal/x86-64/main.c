/*
 * The way up, and the main loop.
 *
 * Interrupts are masked but for the hlt of a wait, so nothing runs between two statements here. No
 * wake-up is lost: the upcall byte stays set until app_wait() takes it, and a hlt with the byte set
 * ends at once.
 */
#include <stddef.h>

#include "app.h"
#include "console.h"
#include "grant-table.h"
#include "layout.h"
#include "linear.h"
#include "mmu.h"
#include "panic.h"
#include "settings.h"
#include "shared-info.h"
#include "store.h"
#include "timer.h"
#include "wire.h"
#include "x86-64.h"
#include "xen.h"

#include "pvh.h"

extern char hypercall_page[];

struct cpuid {
    uint32_t a, b, c, d;
};

static struct cpuid cpuid(uint32_t leaf)
{
    struct cpuid result;
    __asm__ volatile("cpuid"
                     : "=a"(result.a), "=b"(result.b), "=c"(result.c), "=d"(result.d)
                     : "a"(leaf), "c"(0));
    return result;
}

/* Other hypervisors' leaves may come before Xen's. Without Xen there is nobody to tell. */
static void fill_hypercall_page(void)
{
    for (uint32_t base = CPUID_FIRST; base < CPUID_LAST; base += CPUID_STEP) {
        struct cpuid name = cpuid(base);
        if (name.b != 0x566e6558 || name.c != 0x65584d4d || name.d != 0x4d4d566e) /* XenVMMXenVMM */
            continue;
        uint32_t msr = cpuid(base + CPUID_PAGES).b;
        uint64_t page = (uint64_t)hypercall_page;
        __asm__ volatile("wrmsr" ::"c"(msr), "a"((uint32_t)page), "d"((uint32_t)(page >> 32))
                         : "memory");
        return;
    }
    for (;;)
        __asm__ volatile("hlt");
}

/* What the domain builder says has to lie where the first tables show it. */
static const void *told(uint64_t address)
{
    if (address == 0 || address >= RAM_IMAGE_END)
        panic("boot: the domain builder says something at %x, out of sight", address);
    return (const void *)address;
}

static uint32_t length(const char *text)
{
    uint32_t size = 0;
    while (text[size] != '\0')
        size++;
    return size;
}

/* Result: where RAM ends, of the part in which the image runs. */
static uint64_t read_start_info(uint64_t address)
{
    const struct pvh_start *start = told(address);
    if (start->magic != START_MAGIC || start->version < START_VERSION_MEMORY)
        panic("boot: no struct hvm_start_info with a map of memory at %x", address);
    if (start->arguments != 0) {
        const char *arguments = told(start->arguments);
        settings_init(arguments, length(arguments));
    }
    const struct memory_entry *memory = told(start->memory);
    for (uint32_t i = 0; i < start->memory_entries; i++) {
        uint64_t end = memory[i].address + memory[i].size;
        if (memory[i].type == MEMORY_RAM && memory[i].address <= IMAGE_BASE && end > IMAGE_BASE)
            return end;
    }
    panic("boot: the map of memory has no RAM where the image runs");
}

static bool take_upcall(void)
{
    uint8_t *upcall = linear_at(LINEAR_SHARED_INFO + WIRE_EVTCHN_UPCALL_PENDING);
    return __atomic_exchange_n(upcall, 0, __ATOMIC_SEQ_CST) != 0;
}

/* The end of the delay counts as an upcall, too: the module then finds nothing. */
bool app_wait(uint32_t delay_ms)
{
    if (take_upcall())
        return true;
    if (delay_ms == 0)
        return false;
    timer_arm(delay_ms);
    wait_for_interrupt();
    timer_take_event();
    return take_upcall();
}

__attribute__((noreturn)) void main(uint64_t start_info)
{
    fill_hypercall_page();
    uint64_t ram_end = read_start_info(start_info);
    mmu_forget_ram();
    interrupts_init(); /* from here on a fault has a line */
    linear_init(ram_end);
    shared_info_init();
    grant_table_init(GRANT_TABLE_BASE);
    console_init();
    store_init();
    timer_init();
    app_start();
    for (;;) {
        if (app_wait(app_turn(now_ms())))
            app_upcall();
    }
}
