/*
 * What the core imports, by the functions of pvcalls_hypercalls.h. The core's `frame` is a page of
 * linear memory; a kernel is given its address, which it can translate.
 */
#include "instance.h"
#include "pvcalls_hypercalls.h"

#define PAGE_SHIFT 12

static struct instance *instance_behind(struct w2c_hypercalls *xen)
{
    return (struct instance *)xen;
}

wasm_rt_shared_memory_t *w2c_env_memory(struct w2c_env *env)
{
    return (wasm_rt_shared_memory_t *)env;
}

u32 w2c_hypercalls_evtchn_alloc_unbound(struct w2c_hypercalls *xen, u32 remote)
{
    return (u32)pvcalls_evtchn_alloc_unbound(instance_behind(xen)->kernel, (uint16_t)remote);
}

u32 w2c_hypercalls_evtchn_send(struct w2c_hypercalls *xen, u32 port)
{
    return (u32)pvcalls_evtchn_send(instance_behind(xen)->kernel, port);
}

u32 w2c_hypercalls_evtchn_mask(struct w2c_hypercalls *xen, u32 port)
{
    return (u32)pvcalls_evtchn_mask(instance_behind(xen)->kernel, port);
}

u32 w2c_hypercalls_evtchn_unmask(struct w2c_hypercalls *xen, u32 port)
{
    return (u32)pvcalls_evtchn_unmask(instance_behind(xen)->kernel, port);
}

u32 w2c_hypercalls_evtchn_close(struct w2c_hypercalls *xen, u32 port)
{
    return (u32)pvcalls_evtchn_close(instance_behind(xen)->kernel, port);
}

u32 w2c_hypercalls_gnttab_grant_access(struct w2c_hypercalls *xen, u32 remote, u32 frame,
                                       u32 readonly)
{
    struct instance *instance = instance_behind(xen);
    void *page = instance->memory.data + ((uint64_t)frame << PAGE_SHIFT);
    return (u32)pvcalls_gnttab_grant_access(instance->kernel, (uint16_t)remote, page,
                                            readonly != 0);
}

u32 w2c_hypercalls_gnttab_end_access(struct w2c_hypercalls *xen, u32 ref)
{
    return (u32)pvcalls_gnttab_end_access(instance_behind(xen)->kernel, ref);
}

void wasm_rt_trap(wasm_rt_trap_t trap)
{
    switch (trap) {
    case WASM_RT_TRAP_OOB:
        pvcalls_trap("pvcalls: access out of bounds");
    case WASM_RT_TRAP_UNREACHABLE:
        pvcalls_trap("pvcalls: unreachable");
    case WASM_RT_TRAP_UNALIGNED:
        pvcalls_trap("pvcalls: atomic access not aligned");
    default:
        pvcalls_trap("pvcalls: trap");
    }
}
