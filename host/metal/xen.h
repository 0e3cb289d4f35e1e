/*
 * Xen's ABI: the hypercalls this host makes, and their structures. Numbers and layouts are
 * held against libxen-dev by test/native/metal.test.ts; what the core shares with Xen or a peer is
 * in wire.h. On arm64 all memory that Xen reads or writes must be normal, write-back and
 * inner-shareable.
 */
#ifndef PVCALLS_XEN_H
#define PVCALLS_XEN_H

#include <stdint.h>

/* Hypercall numbers. C reference: public/xen.h. */
#define HYPERCALL_MEMORY_OP 12
#define HYPERCALL_CONSOLE_IO 18
#define HYPERCALL_GRANT_TABLE_OP 20
#define HYPERCALL_SCHED_OP 29
#define HYPERCALL_EVENT_CHANNEL_OP 32
#define HYPERCALL_HVM_OP 34

/* public/xen.h: CONSOLEIO_*. */
#define OP_CONSOLE_WRITE 0

/* public/memory.h: struct xen_add_to_physmap. `frame` is where in our address space it goes. */
#define OP_ADD_TO_PHYSMAP 7
#define SPACE_SHARED_INFO 0u
#define SPACE_GRANT_TABLE 1u
struct add_to_physmap {
    uint16_t domid;
    uint16_t size;
    uint32_t space;
    uint64_t index;
    uint64_t frame;
};

/* public/sched.h: SCHEDOP_*, SHUTDOWN_*. */
#define OP_SHUTDOWN 2
#define SHUTDOWN_FOR_POWEROFF 0u
#define SHUTDOWN_FOR_CRASH 3u
struct shutdown {
    uint32_t reason;
};

/* public/arch-arm.h: GUEST_EVTCHN_PPI, by which event channels interrupt. */
#define EVENT_INTERRUPT 31u

/* public/event_channel.h: EVTCHNOP_*. */
#define OP_BIND_INTERDOMAIN 0
#define OP_CLOSE 3
#define OP_SEND 4
#define OP_ALLOC_UNBOUND 6
#define OP_UNMASK 9
struct alloc_unbound {
    uint16_t domid;
    uint16_t remote;
    uint32_t port; /* out */
};
struct bind_interdomain {
    uint16_t remote;
    uint32_t remote_port;
    uint32_t port; /* out */
};
struct port {
    uint32_t port;
};

/* public/grant_table.h: GNTTABOP_*, GNTMAP_*, GNTST_*. */
#define OP_MAP_GRANT_REF 0
#define OP_UNMAP_GRANT_REF 1
#define OP_QUERY_SIZE 6
#define MAP_HOST 2u
#define MAP_READONLY 4u
#define STATUS_OKAY 0
#define STATUS_BAD_DOMAIN (-2)
#define STATUS_NO_SPACE (-7)
#define STATUS_PERMISSION_DENIED (-8)
#define STATUS_AGAIN (-12)
struct map_grant_ref {
    uint64_t address; /* guest-physical */
    uint32_t flags;
    uint32_t ref;
    uint16_t domid;
    int16_t status;   /* out */
    uint32_t handle;  /* out */
    uint64_t bus;     /* out */
};
struct unmap_grant_ref {
    uint64_t address;
    uint64_t bus;
    uint32_t handle;
    int16_t status; /* out */
};
struct query_size {
    uint16_t domid;
    uint32_t frames;     /* out */
    uint32_t max_frames; /* out */
    int16_t status;      /* out */
};
/* struct grant_entry_v1. Xen sets the reading and writing bits of flags at any time. */
struct grant_entry {
    uint16_t flags;
    uint16_t domid;
    uint32_t frame;
};

/* public/hvm/hvm_op.h and params.h. */
#define OP_GET_PARAM 1
#define PARAM_STORE_FRAME 1u
#define PARAM_STORE_PORT 2u
#define PARAM_CONSOLE_FRAME 17u
#define PARAM_CONSOLE_PORT 18u
struct hvm_param {
    uint16_t domid;
    uint32_t index;
    uint64_t value;
};

/* public/io/console.h: struct xencons_interface. */
struct console_ring {
    uint8_t in[1024];
    uint8_t out[2048];
    uint32_t in_cons;
    uint32_t in_prod;
    uint32_t out_cons; /* console daemon writes: untrusted */
    uint32_t out_prod; /* we write */
};

/*
 * hypercall.S. A pointer goes as a virtual address; Xen walks our tables itself. Result: a negative
 * errno, or what the operation says.
 */
long hypercall(uint64_t first, uint64_t second, uint64_t third, uint64_t number);

static inline long memory_op(uint64_t operation, void *argument)
{
    return hypercall(operation, (uint64_t)argument, 0, HYPERCALL_MEMORY_OP);
}

static inline long event_channel_op(uint64_t operation, void *argument)
{
    return hypercall(operation, (uint64_t)argument, 0, HYPERCALL_EVENT_CHANNEL_OP);
}

/* One operation at a time: its own result stands in its status. */
static inline long grant_table_op(uint64_t operation, void *argument)
{
    return hypercall(operation, (uint64_t)argument, 1, HYPERCALL_GRANT_TABLE_OP);
}

#endif
