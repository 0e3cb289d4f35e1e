/* Linear memory of the wasm: RAM, special pages and the window, behind one range of addresses. */
#ifndef PVCALLS_LINEAR_H
#define PVCALLS_LINEAR_H

#include <stdint.h>

#include "layout.h"

/* Puts RAM up to `ram_end` behind linear memory, zeroed, and the window's frames behind theirs. */
void linear_init(uint64_t ram_end);

/* Frames of RAM from LINEAR_ARENA on. */
uint32_t linear_arena_frames(void);

/* What stands at a linear address. */
static inline void *linear_at(uint32_t address)
{
    return (void *)(LINEAR_BASE + (uint64_t)address);
}

#endif
