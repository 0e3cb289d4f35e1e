/*
 * Linear memory of the wasm. Page 0 is never mapped, so that an address of 0 faults; what lies
 * between RAM and the window is not mapped either.
 */
#include <stddef.h>
#include <string.h>

#include "layout.h"
#include "linear.h"
#include "mmu.h"
#include "panic.h"
#include "wasm-rt.h"
#include "wire.h"

static uint32_t ram_frames;

static wasm_rt_shared_memory_t memory = {
    .data = (uint8_t *)LINEAR_BASE,
    .data_end = (uint8_t *)LINEAR_BASE + LINEAR_SIZE,
    .page_size = 65536,
    .pages = LINEAR_SIZE / 65536,
    .max_pages = LINEAR_SIZE / 65536,
    .size = LINEAR_SIZE,
};

struct w2c_env;
wasm_rt_shared_memory_t *w2c_env_memory(struct w2c_env *env);

/* A module is instantiated with a memory of its own, or with NULL for linear memory. */
wasm_rt_shared_memory_t *w2c_env_memory(struct w2c_env *env)
{
    return env == NULL ? &memory : (wasm_rt_shared_memory_t *)env;
}

void linear_init(uint64_t ram_end)
{
    uint64_t frames = (ram_end - RAM_IMAGE_END) / WIRE_PAGE_SIZE;
    uint64_t frames_max = (LINEAR_WINDOW - LINEAR_RAM) / WIRE_PAGE_SIZE;
    ram_frames = (uint32_t)(frames < frames_max ? frames : frames_max);
    if (ram_end < RAM_IMAGE_END || ram_frames < (LINEAR_ARENA - LINEAR_RAM) / WIRE_PAGE_SIZE)
        panic("memory: RAM ends at %x, give the guest %u MiB or more", ram_end, RAM_MIB_MIN);
    for (uint32_t i = 0; i < ram_frames; i++)
        mmu_map_linear(LINEAR_RAM / WIRE_PAGE_SIZE + i, RAM_IMAGE_END / WIRE_PAGE_SIZE + i);
    for (uint32_t i = 0; i < (LINEAR_SIZE - LINEAR_WINDOW) / WIRE_PAGE_SIZE; i++)
        mmu_map_linear(LINEAR_WINDOW / WIRE_PAGE_SIZE + i, WINDOW_BASE / WIRE_PAGE_SIZE + i);
    memset(linear_at(LINEAR_RAM), 0, (size_t)ram_frames * WIRE_PAGE_SIZE);
}

/* Frames of the program's own. */
static uint32_t own_frames(void)
{
    uint32_t half = (ram_frames - (LINEAR_ARENA - LINEAR_RAM) / WIRE_PAGE_SIZE) / 2;
    uint32_t wanted = &program_frames == NULL ? 0 : program_frames;
    return wanted < half ? wanted : half;
}

uint32_t linear_arena_frames(void)
{
    return ram_frames - (LINEAR_ARENA - LINEAR_RAM) / WIRE_PAGE_SIZE - own_frames();
}

void *linear_program(uint32_t *frames)
{
    *frames = own_frames();
    return linear_at(LINEAR_RAM + (ram_frames - own_frames()) * WIRE_PAGE_SIZE);
}
