/* What `own` of struct pvcalls holds. For this library's own files. */
#ifndef PVCALLS_INSTANCE_H
#define PVCALLS_INSTANCE_H

#include "core.h"
#include "pvcalls.h"

/*
 * The core's linear memory is the caller's: linear address 0 is where it begins. What the core
 * reads and writes for a call (a config, an address, spans) stands in the scratch page before the
 * arena, at `scratch`, for that call only.
 */
struct instance {
    w2c_core core;
    wasm_rt_shared_memory_t memory;
    uint32_t scratch; /* linear address, not 0 */
    void *kernel;
};

static inline struct instance *instance_of(struct pvcalls *pv)
{
    return (struct instance *)pv->own;
}

static inline w2c_core *core_of(struct pvcalls *pv)
{
    return &instance_of(pv)->core;
}

#endif
