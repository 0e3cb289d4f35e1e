/*
 * Stage 1 tables, 4 KiB pages, 39-bit addresses. Linear memory has an entry for every page: they
 * are the translation from linear frame to guest frame, for the processor as for grants.
 *
 * mmu_build() runs with MMU and caches off; the rest changes entries that were never valid, which
 * no TLB can hold.
 */
#include <stddef.h>

#include "arm64.h"
#include "layout.h"
#include "mmu.h"
#include "panic.h"

#define ENTRIES 512
#define PAGE_SHIFT 12
#define BLOCK_SHIFT 21
#define BLOCKS_LINEAR (LINEAR_SIZE >> BLOCK_SHIFT)

#define TABLE 3u
#define BLOCK 1u
#define PAGE 3u
#define ACCESSED (1u << 10)
#define INNER_SHAREABLE (3u << 8)
#define READ_ONLY (1u << 7)
#define NORMAL (1u << 2 | INNER_SHAREABLE | ACCESSED)
#define DEVICE ACCESSED
#define NEVER_EXECUTED (UINT64_C(3) << 53)
#define ADDRESS_BITS UINT64_C(0x0000fffffffff000)

typedef uint64_t table[ENTRIES] __attribute__((aligned(4096)));

table mmu_root;            /* 1 GiB an entry */
static table low;          /* 0 to 1 GiB: devices, grant table */
static table ram;          /* 1 to 2 GiB */
static table image;        /* first 2 MiB of RAM */
static table linear_root;  /* 4 to 5 GiB */
static table linear[BLOCKS_LINEAR];

extern char text_start[], data_start[], bss_end[], stack_guard[];

static uint64_t to_table(const void *next)
{
    return (uint64_t)next | TABLE;
}

/* Code and constants are read-only; data is never executed; what is neither does not exist. */
static void build_image(void)
{
    for (uint64_t i = 0; i < ENTRIES; i++) {
        uint64_t address = RAM_BASE + (i << PAGE_SHIFT);
        if (address < (uint64_t)text_start || address >= (uint64_t)bss_end)
            continue;
        if (address == (uint64_t)stack_guard)
            continue;
        if (address < (uint64_t)data_start)
            image[i] = address | NORMAL | READ_ONLY | PAGE;
        else
            image[i] = address | NORMAL | NEVER_EXECUTED | PAGE;
    }
}

void mmu_build(void)
{
    mmu_root[0] = to_table(low);
    mmu_root[RAM_BASE >> 30] = to_table(ram);
    mmu_root[LINEAR_BASE >> 30] = to_table(linear_root);
    ram[0] = to_table(image);
    build_image();
    for (uint64_t i = 1; i < ENTRIES; i++)
        ram[i] = (RAM_BASE + (i << BLOCK_SHIFT)) | NORMAL | NEVER_EXECUTED | BLOCK;
    for (uint64_t i = 0; i < BLOCKS_LINEAR; i++)
        linear_root[i] = to_table(linear[i]);
}

static void map_block(uint64_t address, uint64_t attributes)
{
    uint64_t index = address >> BLOCK_SHIFT;
    if (index >= ENTRIES)
        panic("mmu: %x is above 1 GiB, where no device is expected", address);
    low[index] = index << BLOCK_SHIFT | attributes | NEVER_EXECUTED | BLOCK;
    barrier();
    __asm__ volatile("isb");
}

void mmu_map_device(uint64_t address)
{
    map_block(address, DEVICE);
}

void mmu_map_normal(uint64_t address)
{
    map_block(address, NORMAL);
}

void mmu_forget_ram(void)
{
    for (uint64_t i = 1; i < ENTRIES; i++)
        ram[i] = 0;
    __asm__ volatile("dsb ishst\n\ttlbi vmalle1\n\tdsb ish\n\tisb" ::: "memory");
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
        panic("mmu: linear frame %x is taken, or none", linear_frame);
    *entry = guest_frame << PAGE_SHIFT | NORMAL | NEVER_EXECUTED | PAGE;
    __asm__ volatile("dsb ishst\n\tisb" ::: "memory");
}

uint64_t mmu_guest_frame(uint32_t linear_frame)
{
    const uint64_t *entry = linear_entry(linear_frame);
    return entry == NULL || *entry == 0 ? NO_FRAME : (*entry & ADDRESS_BITS) >> PAGE_SHIFT;
}
