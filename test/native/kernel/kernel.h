/*
 * A kernel on a Xen that is not there: event channels and grants of one guest, and the memory they
 * are of, which is just memory. It supplies pvcalls_hypercalls.h; `struct kernel` is its cookie, so
 * that several guests live in one program. The other end is backend.h.
 */
#ifndef TEST_KERNEL_H
#define TEST_KERNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "pvcalls.h"

/* Numbers have gaps, and neither kind is a slot of the other end: nobody may count on either. */
#define PORTS 80u
#define FIRST_PORT 9u
#define PORT_STEP 7u
#define REFS 1200u
#define FIRST_REF 41u
#define REF_STEP 13u

struct channel {
    bool open, masked;
    bool pending_here;  /* the backend sent */
    bool pending_there; /* the guest sent */
    uint16_t remote;
};

struct grant {
    bool open;
    uint16_t remote;
    uint32_t mapped; /* how often the other end has it */
    void *page;
};

struct kernel {
    struct channel channels[PORTS];
    struct grant grants[REFS];
    uint8_t *memory; /* of the instance: what may be granted */
    uint64_t memory_size;
    int32_t allowed;     /* ports and grants still to be had; below 0: any number */
    uint32_t violations; /* what Xen would have refused */
    uint32_t sent;
};

void kernel_init(struct kernel *kernel, void *memory, uint64_t memory_size);

/* The other end: maps a grant (NULL: it may not), gives it back, sends to a port. */
void *kernel_map(struct kernel *kernel, uint16_t self, uint32_t ref);
void kernel_unmap(struct kernel *kernel, uint32_t ref);
void kernel_send_from(struct kernel *kernel, uint32_t port);

/* Whether the guest sent to this port since the last look. */
bool kernel_take_sent(struct kernel *kernel, uint32_t port);

/* The interrupt: hands every pending port to pvcalls_handle_event(). Whether there was any. */
bool kernel_deliver(struct kernel *kernel, struct pvcalls *pv);

uint32_t kernel_open_ports(const struct kernel *kernel);
uint32_t kernel_open_grants(const struct kernel *kernel);

#endif
