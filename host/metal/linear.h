/* Linear memory of the wasm: RAM, special pages and the window, behind one range of addresses. */
#ifndef PVCALLS_LINEAR_H
#define PVCALLS_LINEAR_H

#include <stdint.h>

#include "layout.h"

/* Puts RAM up to `ram_end` behind linear memory, zeroed, and the window's frames behind theirs. */
void linear_init(uint64_t ram_end);

/* Frames of RAM from LINEAR_ARENA on, without the program's. */
uint32_t linear_arena_frames(void);

/* How many frames a program that is a wasm module (guest-ts/program.c) wants behind the arena, for
 * a memory of its own; it gets half of what there is at most. Others do not define it. */
extern const uint32_t program_frames __attribute__((weak));

/* The first of them, zeroed; their count in `frames`. */
void *linear_program(uint32_t *frames);

/* What stands at a linear address. */
static inline void *linear_at(uint32_t address)
{
    return (void *)(LINEAR_BASE + (uint64_t)address);
}

#endif
