/*
 * Page tables, four levels. Linear memory has an entry for every page: they are the translation
 * from linear frame to guest frame, for the processor as for grants.
 *
 * Entries that were never valid are in no TLB, so that only mmu_forget_ram() has to flush it.
 */
#include <stddef.h>

#include "layout.h"
#include "mmu.h"
#include "panic.h"

#define ENTRIES 512
#define PAGE_SHIFT 12
#define BLOCK_SHIFT 21
#define BLOCKS_LINEAR (LINEAR_SIZE >> BLOCK_SHIFT)

#define PRESENT 1u
#define WRITABLE 2u
#define BLOCK 0x80u
#define NEVER_EXECUTED (UINT64_C(1) << 63)
#define ADDRESS_BITS UINT64_C(0x000ffffffffff000)

typedef uint64_t table[ENTRIES] __attribute__((aligned(4096)));

table mmu_root;      /* 512 GiB an entry */
table mmu_gigabytes; /* 1 GiB an entry */
table mmu_low;       /* 0 to 1 GiB; image.S begins it */
static table image;  /* first 2 MiB of RAM */
static table linear_root; /* 4 to 5 GiB */
static table linear[BLOCKS_LINEAR];

_Static_assert(LINEAR_BASE == UINT64_C(4) << 30, "linear_root");

extern char text_start[], data_start[], bss_end[], stack_guard[], hypercall_page[];

static uint64_t to_table(const void *next)
{
    return (uint64_t)next | WRITABLE | PRESENT;
}

/* Code and constants are read-only; data is never executed; what is neither does not exist. */
static void build_image(void)
{
    for (uint64_t address = IMAGE_BASE; address < IMAGE_MAX; address += 1 << PAGE_SHIFT) {
        uint64_t *entry = &image[address >> PAGE_SHIFT];
        if (address < (uint64_t)text_start || address >= (uint64_t)bss_end)
            continue;
        if (address == (uint64_t)stack_guard)
            continue;
        if (address < (uint64_t)data_start || address == (uint64_t)hypercall_page)
            *entry = address | PRESENT;
        else
            *entry = address | NEVER_EXECUTED | WRITABLE | PRESENT;
    }
}

void mmu_forget_ram(void)
{
    build_image();
    for (uint32_t i = 0; i < BLOCKS_LINEAR; i++)
        linear_root[i] = to_table(linear[i]);
    mmu_gigabytes[LINEAR_BASE >> 30] = to_table(linear_root);
    mmu_low[0] = to_table(image);
    mmu_low[1] = 0;
    __asm__ volatile("mov %0, %%cr3" ::"r"(mmu_root) : "memory");
}

void mmu_map_normal(uint64_t address)
{
    mmu_low[address >> BLOCK_SHIFT] = address | NEVER_EXECUTED | BLOCK | WRITABLE | PRESENT;
}

static uint64_t *linear_entry(uint32_t linear_frame)
{
    uint32_t block = linear_frame / ENTRIES;
    return block < BLOCKS_LINEAR ? &linear[block][linear_frame % ENTRIES] : NULL;
}

void mmu_map_linear(uint32_t linear_frame, uint64_t guest_frame)
{
    uint64_t *entry = linear_entry(linear_frame);
    if (entry == NULL || *entry != 0)
        panic("mmu: linear frame %x is taken, or none", (uint64_t)linear_frame);
    *entry = guest_frame << PAGE_SHIFT | NEVER_EXECUTED | WRITABLE | PRESENT;
}

uint64_t mmu_guest_frame(uint32_t linear_frame)
{
    const uint64_t *entry = linear_entry(linear_frame);
    return entry == NULL || *entry == 0 ? NO_FRAME : (*entry & ADDRESS_BITS) >> PAGE_SHIFT;
}
