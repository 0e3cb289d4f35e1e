#include <string.h>

#include "world.h"

#define POISON 0xa5

void world_init(struct world *world, uint32_t pages, struct pvcalls_config config)
{
    memset(world, 0, sizeof *world);
    uint64_t size = (uint64_t)pages * PVCALLS_PAGE_SIZE;
    world->memory = aligned_alloc(PVCALLS_PAGE_SIZE, size);
    memset(world->memory, POISON, size);
    kernel_init(&world->kernel, world->memory, size);
    config.memory = world->memory;
    config.memory_size = size;
    config.kernel = &world->kernel;
    world->frames = pvcalls_init(&world->pv, &config);
    world->done = world->closed = NO_RESULT;
    world->now_ms = 0xffffff00; /* wraps soon */
    if (world->frames >= 0)
        pvcalls_handle_timeout(&world->pv, world->now_ms);
}

void world_attach(struct world *world)
{
    int32_t ref = pvcalls_attach_offer(&world->pv, BACKEND_DOMAIN);
    backend_init(&world->backend, &world->kernel, (uint32_t)ref,
                 pvcalls_attach_port(&world->pv));
    world->backend.echo = true;
    pvcalls_attach_connected(&world->pv, MAX_ORDER, 0);
    world_settle(world);
    CHECK(world->device, PVCALLS_DEVICE_CONNECTED);
}

void world_up(struct world *world)
{
    struct pvcalls_config config = { .sockets = 8, .ring_order = 1, .close_timeout_ms = 1000 };
    config.command_timeout_ms = 2000;
    config.first_index = 0xfffffe00;
    world_init(world, PAGES_OF_WORLD, config);
    CHECK(world->frames > 0, true);
    world_attach(world);
}

static bool take_event(struct world *world)
{
    struct pvcalls_event event;
    if (!pvcalls_poll_event(&world->pv, &event))
        return false;
    if (event.kind == PVCALLS_EVENT_DEVICE) {
        world->device = event.device.state;
        world->fault = event.device.fault;
    } else if (event.kind == PVCALLS_EVENT_DONE) {
        world->done = event.done.result;
    } else if (event.kind == PVCALLS_EVENT_READY) {
        world->ready++;
    } else if (event.kind == PVCALLS_EVENT_CLOSED) {
        world->closed = event.closed.result;
    }
    return true;
}

void world_settle(struct world *world)
{
    for (uint32_t turn = 0, any = true; any; turn++) {
        CHECK(turn < 10000, true);
        any = world->backend.sring != NULL && backend_step(&world->backend);
        any |= kernel_deliver(&world->kernel, &world->pv);
        any |= take_event(world);
    }
}

/* As an embedder sleeps: no longer than it is told to. */
void world_wait(struct world *world, uint32_t ms)
{
    for (uint32_t left = ms, step; left > 0; left -= step) {
        step = pvcalls_poll_timeout(&world->pv);
        step = step == 0 ? 1 : step < left ? step : left;
        world->now_ms += step;
        pvcalls_handle_timeout(&world->pv, world->now_ms);
        world_settle(world);
    }
}

struct pvcalls_address address(uint16_t port)
{
    return (struct pvcalls_address){ .ip = PVCALLS_IP(127, 0, 0, 1), .port = port };
}

int32_t new_socket(struct world *world)
{
    int32_t handle = pvcalls_socket(&world->pv, PVCALLS_AF_INET, PVCALLS_SOCK_STREAM, 0);
    CHECK(handle > 0, true);
    return handle;
}

int32_t world_connect(struct world *world)
{
    int32_t handle = new_socket(world);
    world->done = NO_RESULT;
    CHECK(pvcalls_connect(&world->pv, handle, address(80)), -PVCALLS_EINPROGRESS);
    world_settle(world);
    CHECK(world->done, 0);
    return handle;
}

void world_close(struct world *world, int32_t handle, int32_t result)
{
    world->closed = NO_RESULT;
    CHECK(pvcalls_close(&world->pv, handle), 0);
    world_settle(world);
    CHECK(world->closed, result);
    CHECK(pvcalls_poll(&world->pv, handle), -PVCALLS_EBADF);
}

void world_end(struct world *world)
{
    struct pvcalls_counters counters;
    if (world->device != PVCALLS_DEVICE_DOWN) {
        pvcalls_attach_detached(&world->pv);
        world_settle(world);
        CHECK(world->device, PVCALLS_DEVICE_CLOSED);
        backend_end(&world->backend);
        world_wait(world, 500); /* what was still mapped is given back now */
    }
    pvcalls_counters(&world->pv, &counters);
    CHECK(counters.sockets, 0);
    CHECK(counters.lost, 0);
    CHECK(counters.parked, 0);
    CHECK(counters.frames_free, world->frames);
    CHECK(kernel_open_ports(&world->kernel), 0);
    CHECK(kernel_open_grants(&world->kernel), 0);
    CHECK(world->kernel.violations, 0);
    CHECK(pvcalls_poll_timeout(&world->pv), PVCALLS_NO_TIMEOUT);
    free(world->memory);
}
