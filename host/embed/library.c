/*
 * libpvcalls: the calls of pvcalls.h over the core as C. Everything of consequence happens in the
 * core; here are C types, the scratch page, and the one copy between the caller and a ring.
 */
#include <string.h>

#include "instance.h"
#include "wire.h"

_Static_assert(sizeof(struct instance) <= sizeof(struct pvcalls), "struct pvcalls has room");
_Static_assert(PVCALLS_ABI_VERSION == WIRE_ABI_VERSION, "the ABI this was written for");
_Static_assert(PVCALLS_PAGE_SIZE == WIRE_PAGE_SIZE, "Xen's page");

/* Not at its beginning: an address of 0 is a mistake. */
#define SCRATCH_OFFSET 64u
#define LINEAR_MAX (UINT64_C(0x100000000) - PVCALLS_PAGE_SIZE)

static uint32_t scratch_of(struct pvcalls *pv)
{
    return instance_of(pv)->scratch;
}

static uint8_t *at(struct pvcalls *pv, uint32_t address)
{
    return instance_of(pv)->memory.data + address;
}

static void put(struct pvcalls *pv, uint32_t offset, uint32_t value)
{
    memcpy(at(pv, scratch_of(pv) + offset), &value, sizeof value);
}

static uint32_t get(struct pvcalls *pv, uint32_t offset)
{
    uint32_t value;
    memcpy(&value, at(pv, scratch_of(pv) + offset), sizeof value);
    return value;
}

/* ------------------------------------------------------------------ an instance */

/* Whether `size` bytes at `start` are whole pages of the memory; where they are, in `linear`. */
static bool locate(const struct pvcalls_config *config, const void *start, uint64_t size,
                   uint32_t *linear)
{
    uint64_t offset = (uint64_t)((uintptr_t)start - (uintptr_t)config->memory);
    *linear = (uint32_t)offset;
    return (offset | size) % PVCALLS_PAGE_SIZE == 0 && size > 0 && offset <= config->memory_size &&
           size <= config->memory_size - offset;
}

/* Whether the memory is as it has to be. */
static bool usable(const struct pvcalls_config *config)
{
    uint64_t size = config->memory_size;
    return config->memory != NULL && (uintptr_t)config->memory % PVCALLS_PAGE_SIZE == 0 &&
           size % PVCALLS_PAGE_SIZE == 0 && size >= 2 * PVCALLS_PAGE_SIZE && size <= LINEAR_MAX;
}

static void become_instance(struct pvcalls *pv, const struct pvcalls_config *config)
{
    struct instance *instance = instance_of(pv);
    memset(pv, 0, sizeof *pv);
    instance->kernel = config->kernel;
    instance->memory = (wasm_rt_shared_memory_t){
        .data = config->memory,
        .data_end = (uint8_t *)config->memory + config->memory_size,
        .page_size = 65536,
        .pages = config->memory_size / 65536,
        .max_pages = 65536,
        .size = config->memory_size,
    };
    wasm2c_core_instantiate(&instance->core, (struct w2c_env *)&instance->memory,
                            (struct w2c_hypercalls *)instance);
}

int32_t pvcalls_init(struct pvcalls *pv, const struct pvcalls_config *config)
{
    uint32_t arena, shared_info = 0, store_page = 0;
    if (!usable(config))
        return -PVCALLS_EINVAL;
    bool whole = config->arena == NULL;
    const uint8_t *first = whole ? (uint8_t *)config->memory + PVCALLS_PAGE_SIZE : config->arena;
    uint64_t size = whole ? config->memory_size - PVCALLS_PAGE_SIZE : config->arena_size;
    if (!locate(config, first, size, &arena) || arena == 0)
        return -PVCALLS_EINVAL;
    if (config->shared_info != NULL &&
        !locate(config, config->shared_info, PVCALLS_PAGE_SIZE, &shared_info))
        return -PVCALLS_EINVAL;
    if (config->store_page != NULL &&
        !locate(config, config->store_page, PVCALLS_PAGE_SIZE, &store_page))
        return -PVCALLS_EINVAL;
    become_instance(pv, config);
    instance_of(pv)->scratch = arena - PVCALLS_PAGE_SIZE + SCRATCH_OFFSET;
    put(pv, WIRE_INIT_ARENA, arena);
    put(pv, WIRE_INIT_FRAMES, (uint32_t)(size / PVCALLS_PAGE_SIZE));
    put(pv, WIRE_INIT_SOCKETS, config->sockets);
    put(pv, WIRE_INIT_SHARED_INFO, shared_info);
#ifdef __aarch64__
    put(pv, WIRE_INIT_ARCHITECTURE, WIRE_ARCHITECTURE_ARM64);
#else
    put(pv, WIRE_INIT_ARCHITECTURE, WIRE_ARCHITECTURE_X86_64);
#endif
    put(pv, WIRE_INIT_STORE_PAGE, store_page);
    put(pv, WIRE_INIT_STORE_PORT, config->store_port);
    put(pv, WIRE_INIT_FLAGS, config->reuse ? WIRE_INIT_REUSE : 0);
    put(pv, WIRE_INIT_RING_ORDER,
        config->ring_order == 0 ? WIRE_RING_ORDER_DEFAULT : config->ring_order);
    put(pv, WIRE_INIT_COMMAND_TIMEOUT_MS, config->command_timeout_ms);
    put(pv, WIRE_INIT_CLOSE_TIMEOUT_MS, config->close_timeout_ms);
    put(pv, WIRE_INIT_FIRST_INDEX, config->first_index);
    return (int32_t)w2c_core_init(core_of(pv), scratch_of(pv));
}

void pvcalls_handle_event(struct pvcalls *pv, uint32_t port)
{
    w2c_core_handle_event(core_of(pv), port);
}

void pvcalls_handle_upcall(struct pvcalls *pv)
{
    w2c_core_handle_upcall(core_of(pv));
}

void pvcalls_handle_timeout(struct pvcalls *pv, uint32_t now_ms)
{
    w2c_core_handle_timeout(core_of(pv), now_ms);
}

uint32_t pvcalls_poll_timeout(struct pvcalls *pv)
{
    return w2c_core_poll_timeout(core_of(pv));
}

_Static_assert(PVCALLS_NO_TIMEOUT == WIRE_TIMEOUT_NONE, "");
_Static_assert((int)PVCALLS_EVENT_NONE == WIRE_EVENT_NONE, "");
_Static_assert((int)PVCALLS_EVENT_STORE == WIRE_EVENT_STORE, "");

bool pvcalls_poll_event(struct pvcalls *pv, struct pvcalls_event *event)
{
    memset(event, 0, sizeof *event);
    event->kind = (enum pvcalls_event_kind)w2c_core_poll_event(core_of(pv), scratch_of(pv));
    event->handle = (int32_t)get(pv, WIRE_EVENT_HANDLE);
    uint32_t a = get(pv, WIRE_EVENT_A), b = get(pv, WIRE_EVENT_B), c = get(pv, WIRE_EVENT_C);
    switch (event->kind) {
    case PVCALLS_EVENT_NONE:
        return false;
    case PVCALLS_EVENT_DEVICE:
        event->device.state = a;
        event->device.fault = b;
        event->device.value = c;
        return true;
    case PVCALLS_EVENT_DONE:
        event->done.command = a;
        event->done.result = (int32_t)b;
        return true;
    case PVCALLS_EVENT_READY:
        event->ready.bits = a;
        return true;
    case PVCALLS_EVENT_CLOSED:
        event->closed.result = (int32_t)b;
        return true;
    case PVCALLS_EVENT_STORE:
        event->store.payload = at(pv, a);
        event->store.size = b;
        event->store.type = c;
        return true;
    }
    return true;
}

void pvcalls_counters(struct pvcalls *pv, struct pvcalls_counters *counters)
{
    _Static_assert(sizeof *counters == WIRE_COUNTERS_SIZE, "fields in the same order");
    _Static_assert(offsetof(struct pvcalls_counters, sockets) == WIRE_COUNTER_SOCKETS, "");
    _Static_assert(offsetof(struct pvcalls_counters, lost) == WIRE_COUNTER_LOST, "");
    w2c_core_counters(core_of(pv), scratch_of(pv));
    memcpy(counters, at(pv, scratch_of(pv)), sizeof *counters);
}

/* ------------------------------------------------------------------ the device */

_Static_assert((int)PVCALLS_DEVICE_DOWN == WIRE_DEVICE_DOWN, "");
_Static_assert((int)PVCALLS_DEVICE_FAILED == WIRE_DEVICE_FAILED, "");
_Static_assert(PVCALLS_FEATURE_RESET == WIRE_FEATURE_RESET, "");

int32_t pvcalls_attach_offer(struct pvcalls *pv, uint16_t backend)
{
    return (int32_t)w2c_core_attach_offer(core_of(pv), backend);
}

uint32_t pvcalls_attach_port(struct pvcalls *pv)
{
    return w2c_core_attach_port(core_of(pv));
}

void pvcalls_attach_connected(struct pvcalls *pv, uint32_t max_page_order, uint32_t features)
{
    w2c_core_attach_connected(core_of(pv), max_page_order, features);
}

void pvcalls_attach_detached(struct pvcalls *pv)
{
    w2c_core_attach_detached(core_of(pv));
}

void pvcalls_xenbus_start(struct pvcalls *pv)
{
    w2c_core_xenbus_start(core_of(pv));
}

void pvcalls_xenbus_stop(struct pvcalls *pv)
{
    w2c_core_xenbus_stop(core_of(pv));
}

void *pvcalls_store_buffer(struct pvcalls *pv)
{
    uint32_t address = w2c_core_store_buffer(core_of(pv));
    return address == 0 ? NULL : at(pv, address);
}

int32_t pvcalls_store_request(struct pvcalls *pv, uint32_t type, uint32_t transaction,
                              uint32_t size)
{
    return (int32_t)w2c_core_store_request(core_of(pv), type, transaction, size);
}
