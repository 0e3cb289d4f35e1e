/* Scenarios of the device, of what is not there, and of the memory: part of scenarios.c. */
#include <string.h>

#include "scenarios.h"
#include "world.h"

static struct world world;

/* Every lie is found out, numbered as it should be, and survived. */
void backend_lies(void)
{
    for (enum lie lie = LIE_RSP_PROD; lie <= LIE_OUT_ERROR; lie++) {
        uint8_t byte;
        world_up(&world);
        int32_t handle = world_connect(&world), second = new_socket(&world);
        world_settle(&world);
        world.backend.echo = false;
        backend_lie(&world.backend, lie);
        if (lie < LIE_IN_PROD)
            CHECK(pvcalls_bind(&world.pv, second, address(80)), -PVCALLS_EINPROGRESS);
        CHECK(pvcalls_recv(&world.pv, handle, &byte, 1, 0) < 0, true);
        world_settle(&world);
        CHECK(world.device, PVCALLS_DEVICE_FAILED);
        CHECK(world.fault, lie);
        CHECK(strcmp(pvcalls_strfault(world.fault), "unknown fault") != 0, true);
        CHECK(pvcalls_connect(&world.pv, second, address(80)), -PVCALLS_EIO);
        pvcalls_close(&world.pv, handle);
        pvcalls_close(&world.pv, second);
        world_end(&world);
    }
}

void device_lost(void)
{
    uint8_t bytes[64];
    world_up(&world);
    int32_t handle = world_connect(&world), other = new_socket(&world);
    world_settle(&world);
    world.backend.silent = true;
    CHECK(pvcalls_send(&world.pv, handle, "abc", 3), 3);
    CHECK(pvcalls_connect(&world.pv, other, address(80)), -PVCALLS_EINPROGRESS);
    pvcalls_attach_detached(&world.pv);
    world_settle(&world);
    CHECK(world.device, PVCALLS_DEVICE_CLOSED);
    CHECK(world.done, -PVCALLS_EIO);
    CHECK(pvcalls_send(&world.pv, handle, "abc", 3), -PVCALLS_EIO);
    CHECK(pvcalls_recv(&world.pv, handle, bytes, sizeof bytes, 0), 3); /* it was on its way */
    CHECK(pvcalls_recv(&world.pv, handle, bytes, sizeof bytes, 0), -PVCALLS_EIO);
    CHECK(pvcalls_socket(&world.pv, 2, 1, 0), -PVCALLS_ENETDOWN);
    world_close(&world, handle, 0); /* nobody to ask */
    world_close(&world, other, 0);
    backend_end(&world.backend);
    world_wait(&world, 500);
    world_attach(&world); /* and it comes back */
    handle = world_connect(&world);
    world_close(&world, handle, 0);
    world_end(&world);
}

void not_enough(void)
{
    const struct pvcalls_config config = { .sockets = 8, .ring_order = 1 };
    world_init(&world, 2, (struct pvcalls_config){ .sockets = 4064 });
    CHECK(world.frames, -PVCALLS_ENOMEM);
    free(world.memory);
    world_init(&world, 1, config);
    CHECK(world.frames, -PVCALLS_EINVAL);
    free(world.memory);
    world_init(&world, PAGES_OF_WORLD, (struct pvcalls_config){ .sockets = 0 });
    CHECK(world.frames, -PVCALLS_EINVAL);
    free(world.memory);
    world_init(&world, 9, config); /* tables 4 or so, the command ring, and one ring of 3 */
    world_attach(&world);
    int32_t first = world_connect(&world), second = new_socket(&world);
    CHECK(pvcalls_connect(&world.pv, second, address(80)), -PVCALLS_ENOBUFS);
    world_close(&world, first, 0);
    for (int32_t allowed = 0; allowed < 4; allowed++) { /* a ring takes 3 grants and a port */
        world.kernel.allowed = allowed;
        CHECK(pvcalls_connect(&world.pv, second, address(80)), -PVCALLS_ENOBUFS);
        CHECK(kernel_open_grants(&world.kernel), 1);
        CHECK(kernel_open_ports(&world.kernel), 1);
    }
    world.kernel.allowed = -1;
    CHECK(pvcalls_connect(&world.pv, second, address(80)), -PVCALLS_EINPROGRESS);
    world_settle(&world);
    world_close(&world, second, 0);
    world_end(&world);
}

/* A backend that sends for nothing is masked for a while; what it sent meanwhile is found. */
void storm(void)
{
    struct pvcalls_counters counters;
    uint8_t byte;
    world_up(&world);
    int32_t handle = world_connect(&world);
    uint32_t port = world.backend.sockets[0].data_port;
    for (uint32_t i = 0; i < 1000; i++) {
        kernel_send_from(&world.kernel, port);
        kernel_deliver(&world.kernel, &world.pv);
    }
    pvcalls_counters(&world.pv, &counters);
    CHECK(counters.spurious > 0 && counters.spurious < 100, true);
    CHECK(pvcalls_recv(&world.pv, handle, &byte, 1, 0), -PVCALLS_EAGAIN);
    CHECK(backend_send(&world.backend, (const uint8_t *)"s", 1), 1);
    world_settle(&world);
    CHECK(world.ready, 0);
    world_wait(&world, pvcalls_poll_timeout(&world.pv));
    CHECK(world.ready, 1);
    CHECK(pvcalls_recv(&world.pv, handle, &byte, 1, 0), 1);
    world_close(&world, handle, 0);
    world_end(&world);
}

/* Two guests in one program do not see each other. */
void two_instances(void)
{
    static struct world other;
    uint8_t byte;
    world_up(&world);
    world_up(&other);
    int32_t here = world_connect(&world), there = world_connect(&other);
    CHECK(pvcalls_send(&world.pv, here, "1", 1), 1);
    CHECK(pvcalls_send(&other.pv, there, "2", 1), 1);
    world_settle(&world);
    CHECK(pvcalls_recv(&other.pv, there, &byte, 1, 0), -PVCALLS_EAGAIN);
    world_settle(&other);
    CHECK(pvcalls_recv(&world.pv, here, &byte, 1, 0), 1);
    CHECK(byte, '1');
    CHECK(pvcalls_recv(&other.pv, there, &byte, 1, 0), 1);
    CHECK(byte, '2');
    pvcalls_attach_detached(&world.pv); /* one is lost, the other goes on */
    CHECK(pvcalls_send(&other.pv, there, "3", 1), 1);
    world_close(&world, here, 0);
    world_close(&other, there, 0);
    world_end(&world);
    world_end(&other);
}

/* A kernel that leaves event channels to the library: shared_info lies in memory with a hole. */
void upcalls(void)
{
    static uint8_t memory[64 * PVCALLS_PAGE_SIZE] __attribute__((aligned(4096)));
    struct pvcalls_counters counters;
    struct pvcalls_config config = {
        .memory = memory,
        .memory_size = sizeof memory,
        .sockets = 8,
        .arena = memory + 3 * PVCALLS_PAGE_SIZE,
        .arena_size = sizeof memory - 3 * PVCALLS_PAGE_SIZE,
        .shared_info = memory + PVCALLS_PAGE_SIZE,
    };
    world_init(&world, PAGES_OF_WORLD, (struct pvcalls_config){ .sockets = 8 });
    free(world.memory);
    kernel_init(&world.kernel, memory, sizeof memory);
    config.kernel = &world.kernel;
    CHECK(pvcalls_init(&world.pv, &config) > 0, true);
    CHECK(pvcalls_attach_offer(&world.pv, BACKEND_DOMAIN) > 0, true);
    uint32_t port = pvcalls_attach_port(&world.pv);
    uint64_t *pending = (uint64_t *)(memory + PVCALLS_PAGE_SIZE + 2048); /* evtchn_pending[0] */
    memory[PVCALLS_PAGE_SIZE] = 1;                                        /* upcall_pending */
    memory[PVCALLS_PAGE_SIZE + 8] = 1;                                    /* pending_sel */
    *pending = UINT64_C(1) << port;
    pvcalls_handle_upcall(&world.pv);
    CHECK(*pending, 0);
    pvcalls_counters(&world.pv, &counters);
    CHECK(counters.events, 1);
    CHECK(counters.unknown, 0);
    for (uint32_t i = 2 * PVCALLS_PAGE_SIZE - 64; i < 2 * PVCALLS_PAGE_SIZE; i++)
        CHECK(memory[i], 0); /* scratch begins above */
    pvcalls_attach_detached(&world.pv);
    CHECK(kernel_open_grants(&world.kernel) + kernel_open_ports(&world.kernel), 0);
    config.shared_info = memory + sizeof memory;
    CHECK(pvcalls_init(&world.pv, &config), -PVCALLS_EINVAL);
    config.shared_info = NULL;
    config.arena = memory; /* no page before it */
    CHECK(pvcalls_init(&world.pv, &config), -PVCALLS_EINVAL);
}

/* Tables beyond the memory that there is: must not survive, or the sanitizers watch nothing. */
void outside(void)
{
    const uint64_t size = 8 * PVCALLS_PAGE_SIZE;
    uint8_t *memory = aligned_alloc(PVCALLS_PAGE_SIZE, size);
    struct pvcalls_config config = {
        .memory = memory,
        .memory_size = 2 * size,
        .sockets = 8,
        .arena = memory + size,
        .arena_size = size,
    };
    pvcalls_init(&world.pv, &config);
}
