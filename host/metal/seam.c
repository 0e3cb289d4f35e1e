/*
 * The seam: what the wasm imports from `hypercalls`, by Xen's ABI. assembly/hypercalls.ts says what
 * each means; results from -4095 to -1 are errors, as Xen's are. A `frame` is one of linear memory.
 */
#include "console.h"
#include "grant-table.h"
#include "layout.h"
#include "linear.h"
#include "mmu.h"
#include "wire.h"
#include "xen.h"

#ifdef __x86_64__
#define EVTCHN_MASK WIRE_X86_64_EVTCHN_MASK
#else
#define EVTCHN_MASK WIRE_ARM64_EVTCHN_MASK
#endif

struct w2c_hypercalls;

/* Xen's default policy, SILO, keeps guests apart: worth a line, once; all else is silent. */
static void explain_refusal(const char *operation, long result)
{
    static bool told;
    if (result != -WIRE_EPERM || told)
        return;
    told = true;
    console_print("%s: -EPERM: Xen's security policy keeps these domains apart; boot Xen with "
                  "xsm=dummy",
                  operation);
}

uint32_t w2c_hypercalls_evtchn_alloc_unbound(struct w2c_hypercalls *xen, uint32_t remote)
{
    (void)xen;
    struct alloc_unbound request = { .domid = WIRE_DOMID_SELF, .remote = (uint16_t)remote };
    long result = event_channel_op(OP_ALLOC_UNBOUND, &request);
    explain_refusal("evtchn_alloc_unbound", result);
    return result < 0 ? (uint32_t)result : request.port;
}

uint32_t w2c_hypercalls_evtchn_bind_interdomain(struct w2c_hypercalls *xen, uint32_t remote,
                                                uint32_t remote_port)
{
    (void)xen;
    struct bind_interdomain request = { .remote = (uint16_t)remote, .remote_port = remote_port };
    long result = event_channel_op(OP_BIND_INTERDOMAIN, &request);
    explain_refusal("evtchn_bind_interdomain", result);
    return result < 0 ? (uint32_t)result : request.port;
}

uint32_t w2c_hypercalls_evtchn_send(struct w2c_hypercalls *xen, uint32_t port)
{
    (void)xen;
    struct port request = { port };
    return (uint32_t)event_channel_op(OP_SEND, &request);
}

/* A bit that Xen only reads: no hypercall. */
uint32_t w2c_hypercalls_evtchn_mask(struct w2c_hypercalls *xen, uint32_t port)
{
    (void)xen;
    if (port >= WIRE_EVTCHN_2L_NR_CHANNELS)
        return (uint32_t)-WIRE_EINVAL;
    uint64_t *words = linear_at(LINEAR_SHARED_INFO + EVTCHN_MASK);
    __atomic_fetch_or(&words[port / 64], 1ull << port % 64, __ATOMIC_SEQ_CST);
    return 0;
}

/* Xen raises the upcall itself if the port became pending meanwhile. */
uint32_t w2c_hypercalls_evtchn_unmask(struct w2c_hypercalls *xen, uint32_t port)
{
    (void)xen;
    struct port request = { port };
    return (uint32_t)event_channel_op(OP_UNMASK, &request);
}

uint32_t w2c_hypercalls_evtchn_close(struct w2c_hypercalls *xen, uint32_t port)
{
    (void)xen;
    struct port request = { port };
    return (uint32_t)event_channel_op(OP_CLOSE, &request);
}

uint32_t w2c_hypercalls_gnttab_grant_access(struct w2c_hypercalls *xen, uint32_t remote,
                                            uint32_t frame, uint32_t readonly)
{
    (void)xen;
    uint64_t guest_frame = mmu_guest_frame(frame);
    if (guest_frame == NO_FRAME)
        return (uint32_t)-WIRE_EINVAL;
    return (uint32_t)grant_access((uint16_t)remote, guest_frame, readonly != 0);
}

uint32_t w2c_hypercalls_gnttab_end_access(struct w2c_hypercalls *xen, uint32_t ref)
{
    (void)xen;
    return (uint32_t)grant_end(ref);
}

uint32_t w2c_hypercalls_gnttab_map(struct w2c_hypercalls *xen, uint32_t remote, uint32_t ref,
                                   uint32_t writable)
{
    (void)xen;
    int64_t result = grant_map((uint16_t)remote, ref, writable != 0);
    explain_refusal("gnttab_map", result);
    return (uint32_t)result;
}

uint32_t w2c_hypercalls_gnttab_unmap(struct w2c_hypercalls *xen, uint32_t frame)
{
    (void)xen;
    return (uint32_t)grant_unmap(frame);
}
