#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel.h"
#include "pvcalls_hypercalls.h"

void kernel_init(struct kernel *kernel, void *memory, uint64_t memory_size)
{
    memset(kernel, 0, sizeof *kernel);
    kernel->memory = memory;
    kernel->memory_size = memory_size;
    kernel->allowed = -1;
}

static int refuse(struct kernel *kernel, int error)
{
    kernel->violations++;
    return -error;
}

/* Whether one more port or grant is to be had. */
static bool take(struct kernel *kernel)
{
    if (kernel->allowed == 0)
        return false;
    if (kernel->allowed > 0)
        kernel->allowed--;
    return true;
}

static struct channel *channel_at(struct kernel *kernel, uint32_t port)
{
    uint32_t index = (port - FIRST_PORT) / PORT_STEP;
    bool known = port >= FIRST_PORT && (port - FIRST_PORT) % PORT_STEP == 0 && index < PORTS &&
                 kernel->channels[index].open;
    return known ? &kernel->channels[index] : NULL;
}

static struct grant *grant_at(struct kernel *kernel, uint32_t ref)
{
    uint32_t index = (ref - FIRST_REF) / REF_STEP;
    bool known = ref >= FIRST_REF && (ref - FIRST_REF) % REF_STEP == 0 && index < REFS &&
                 kernel->grants[index].open;
    return known ? &kernel->grants[index] : NULL;
}

/* ------------------------------------------------------------------ the seam */

int32_t pvcalls_evtchn_alloc_unbound(void *cookie, uint16_t remote)
{
    struct kernel *kernel = cookie;
    uint32_t index = 0;
    while (index < PORTS && kernel->channels[index].open)
        index++;
    if (index == PORTS || !take(kernel))
        return -PVCALLS_ENOSPC;
    kernel->channels[index] = (struct channel){ .open = true, .remote = remote };
    return (int32_t)(FIRST_PORT + index * PORT_STEP);
}

int pvcalls_evtchn_send(void *cookie, uint32_t port)
{
    struct kernel *kernel = cookie;
    struct channel *channel = channel_at(kernel, port);
    if (channel == NULL)
        return refuse(kernel, PVCALLS_EINVAL);
    channel->pending_there = true;
    kernel->sent++;
    return 0;
}

static int set_mask(struct kernel *kernel, uint32_t port, bool masked)
{
    struct channel *channel = channel_at(kernel, port);
    if (channel == NULL)
        return refuse(kernel, PVCALLS_EINVAL);
    channel->masked = masked; /* what is pending is delivered by the next kernel_deliver() */
    return 0;
}

int pvcalls_evtchn_mask(void *cookie, uint32_t port)
{
    return set_mask(cookie, port, true);
}

int pvcalls_evtchn_unmask(void *cookie, uint32_t port)
{
    return set_mask(cookie, port, false);
}

int pvcalls_evtchn_close(void *cookie, uint32_t port)
{
    struct kernel *kernel = cookie;
    struct channel *channel = channel_at(kernel, port);
    if (channel == NULL)
        return refuse(kernel, PVCALLS_EINVAL);
    channel->open = false;
    return 0;
}

int32_t pvcalls_gnttab_grant_access(void *cookie, uint16_t remote, void *page, bool readonly)
{
    struct kernel *kernel = cookie;
    uint64_t offset = (uint64_t)((uintptr_t)page - (uintptr_t)kernel->memory);
    if (offset % PVCALLS_PAGE_SIZE != 0 || offset >= kernel->memory_size || readonly)
        return refuse(kernel, PVCALLS_EINVAL);
    uint32_t index = REFS;
    while (index > 0 && kernel->grants[index - 1].open)
        index--; /* from the top: references of a ring do not ascend */
    if (index == 0 || !take(kernel))
        return -PVCALLS_ENOSPC;
    kernel->grants[index - 1] = (struct grant){ .open = true, .remote = remote, .page = page };
    return (int32_t)(FIRST_REF + (index - 1) * REF_STEP);
}

int pvcalls_gnttab_end_access(void *cookie, uint32_t ref)
{
    struct kernel *kernel = cookie;
    struct grant *grant = grant_at(kernel, ref);
    if (grant == NULL)
        return refuse(kernel, PVCALLS_EINVAL);
    if (grant->mapped > 0)
        return -PVCALLS_EBUSY;
    grant->open = false;
    return 0;
}

void pvcalls_trap(const char *reason)
{
    fprintf(stderr, "trap: %s\n", reason);
    abort();
}

/* ------------------------------------------------------------------ the other end */

void *kernel_map(struct kernel *kernel, uint16_t self, uint32_t ref)
{
    struct grant *grant = grant_at(kernel, ref);
    if (grant == NULL || grant->remote != self)
        return NULL;
    grant->mapped++;
    return grant->page;
}

void kernel_unmap(struct kernel *kernel, uint32_t ref)
{
    struct grant *grant = grant_at(kernel, ref);
    if (grant == NULL || grant->mapped == 0)
        kernel->violations++;
    else
        grant->mapped--;
}

void kernel_send_from(struct kernel *kernel, uint32_t port)
{
    struct channel *channel = channel_at(kernel, port);
    if (channel != NULL) /* Xen's: the guest may have closed it */
        channel->pending_here = true;
}

bool kernel_take_sent(struct kernel *kernel, uint32_t port)
{
    struct channel *channel = channel_at(kernel, port);
    if (channel == NULL || !channel->pending_there)
        return false;
    channel->pending_there = false;
    return true;
}

bool kernel_deliver(struct kernel *kernel, struct pvcalls *pv)
{
    bool any = false;
    for (uint32_t index = 0; index < PORTS; index++) {
        struct channel *channel = &kernel->channels[index];
        if (!channel->open || !channel->pending_here || channel->masked)
            continue;
        channel->pending_here = false;
        pvcalls_handle_event(pv, FIRST_PORT + index * PORT_STEP);
        any = true;
    }
    return any;
}

uint32_t kernel_open_ports(const struct kernel *kernel)
{
    uint32_t count = 0;
    for (uint32_t index = 0; index < PORTS; index++)
        count += kernel->channels[index].open;
    return count;
}

uint32_t kernel_open_grants(const struct kernel *kernel)
{
    uint32_t count = 0;
    for (uint32_t index = 0; index < REFS; index++)
        count += kernel->grants[index].open;
    return count;
}
