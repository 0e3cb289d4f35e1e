/*
 * libpvcalls against a kernel and a backend that are not there: `scenarios` runs all, one line for
 * each that held. Compiled with sanitizers: what C forbids fails as well; `scenarios outside` does
 * such a thing.
 */
#include <string.h>

#include "scenarios.h"
#include "world.h"

#define RING 4096u /* bytes each way, order 1 */

static struct world world; /* of most scenarios */

static void connect_and_echo(void)
{
    uint8_t sent[3 * RING], came[3 * RING];
    for (uint32_t i = 0; i < sizeof sent; i++)
        sent[i] = (uint8_t)(i * 31 + (i >> 8) * 7);
    world_up(&world);
    int32_t handle = world_connect(&world);
    CHECK(pvcalls_poll(&world.pv, handle), PVCALLS_OUT);
    /* Sizes that fall on every place of the ring; the indices wrap at 2^32 as well. */
    for (uint32_t round = 0, size = 1; round < 300; round++, size = size * 7 % 4099 + 1) {
        uint32_t done = 0, back = 0;
        while (back < size) {
            int32_t result = pvcalls_send(&world.pv, handle, sent + done, size - done);
            CHECK(result >= 0 || result == -PVCALLS_EAGAIN, true);
            done += result > 0 ? (uint32_t)result : 0;
            world_settle(&world);
            result = pvcalls_recv(&world.pv, handle, came + back, sizeof came - back, 0);
            CHECK(result > 0 || result == -PVCALLS_EAGAIN, true);
            back += result > 0 ? (uint32_t)result : 0;
        }
        CHECK(back, size);
        CHECK(memcmp(sent, came, size), 0);
    }
    world_close(&world, handle, 0);
    world_end(&world);
}

static void readiness(void)
{
    uint8_t bytes[2 * RING] = { 0 };
    world_up(&world);
    int32_t handle = world_connect(&world);
    CHECK(pvcalls_recv(&world.pv, handle, bytes, 1, 0), -PVCALLS_EAGAIN);
    CHECK(world.ready, 0);
    CHECK(backend_send(&world.backend, (const uint8_t *)"abc", 3), 3);
    world_settle(&world);
    CHECK(world.ready, 1);
    CHECK(pvcalls_recv(&world.pv, handle, bytes, sizeof bytes, PVCALLS_PEEK), 3);
    CHECK(pvcalls_recv(&world.pv, handle, bytes, 2, 0), 2);
    CHECK(pvcalls_recv(&world.pv, handle, bytes + 2, sizeof bytes, 0), 1);
    CHECK(memcmp(bytes, "abc", 3), 0);
    world.backend.idle = true;
    CHECK(pvcalls_send(&world.pv, handle, bytes, sizeof bytes), RING);
    CHECK(pvcalls_send(&world.pv, handle, bytes, 0), 0);
    CHECK(pvcalls_send(&world.pv, handle, bytes, 1), -PVCALLS_EAGAIN);
    world.backend.idle = false;
    world_settle(&world);
    CHECK(world.ready, 2);
    world_close(&world, handle, 0);
    world_end(&world);
}

static void windows(void)
{
    struct pvcalls_span spans[2];
    world_up(&world);
    int32_t handle = world_connect(&world);
    CHECK(pvcalls_send_window(&world.pv, handle, spans), RING);
    CHECK(spans[0].size, 512); /* first_index is 512 before the end of the ring */
    CHECK(spans[1].size, RING - 512);
    memset(spans[0].at, 'x', spans[0].size);
    memset(spans[1].at, 'y', spans[1].size);
    CHECK(pvcalls_send_commit(&world.pv, handle, RING + 1), -PVCALLS_EINVAL);
    CHECK(pvcalls_send_commit(&world.pv, handle, (size_t)1 << 33), -PVCALLS_EINVAL);
    CHECK(pvcalls_send_commit(&world.pv, handle, 600), 600);
    world_settle(&world);
    CHECK(pvcalls_recv_window(&world.pv, handle, spans), 600);
    CHECK(spans[0].size, 512);
    CHECK(spans[0].at[511], 'x');
    CHECK(spans[1].at[87], 'y');
    CHECK(pvcalls_recv_commit(&world.pv, handle, 600), 600);
    CHECK(pvcalls_recv_window(&world.pv, handle, spans), -PVCALLS_EAGAIN);
    CHECK(spans[0].at == NULL && spans[1].size == 0, true);
    world_close(&world, handle, 0);
    world_end(&world);
}

static void listen_and_accept(void)
{
    uint8_t byte = 0;
    world_up(&world);
    int32_t listener = new_socket(&world);
    CHECK(pvcalls_listen(&world.pv, listener, 4), -PVCALLS_EDESTADDRREQ);
    CHECK(pvcalls_bind(&world.pv, listener, address(80)), -PVCALLS_EINPROGRESS);
    CHECK(pvcalls_bind(&world.pv, listener, address(80)), -PVCALLS_EALREADY);
    world_settle(&world);
    CHECK(world.done, 0);
    CHECK(pvcalls_listen(&world.pv, listener, 4), -PVCALLS_EINPROGRESS);
    world_settle(&world);
    CHECK(pvcalls_poll(&world.pv, listener), 0);
    world_settle(&world);
    backend_dial(&world.backend);
    world_settle(&world);
    CHECK(world.ready, 1);
    CHECK(pvcalls_poll(&world.pv, listener), PVCALLS_IN);
    CHECK(pvcalls_accept(&world.pv, listener), -PVCALLS_EAGAIN);
    world_settle(&world);
    int32_t handle = pvcalls_accept(&world.pv, listener);
    CHECK(handle > 0, true);
    CHECK(pvcalls_send(&world.pv, handle, "z", 1), 1);
    world_settle(&world);
    CHECK(pvcalls_recv(&world.pv, handle, &byte, 1, 0), 1);
    CHECK(byte, 'z');
    CHECK(pvcalls_accept(&world.pv, handle), -PVCALLS_EOPNOTSUPP);
    CHECK(pvcalls_accept(&world.pv, listener), -PVCALLS_EAGAIN);
    world_settle(&world);
    world_close(&world, handle, 0);
    world_close(&world, listener, 0); /* with an ACCEPT in flight */
    world_end(&world);
}

static void refusals(void)
{
    world_up(&world);
    struct pvcalls *pv = &world.pv;
    CHECK(pvcalls_socket(pv, 10, PVCALLS_SOCK_STREAM, 0), -PVCALLS_EAFNOSUPPORT);
    CHECK(pvcalls_socket(pv, PVCALLS_AF_INET, 2, 0), -PVCALLS_ENOTSUP);
    int32_t handle = new_socket(&world);
    CHECK(pvcalls_set_ring_order(pv, handle, MAX_ORDER + 1), -PVCALLS_EINVAL);
    CHECK(pvcalls_send(pv, handle, "a", 1), -PVCALLS_ENOTCONN);
    CHECK(pvcalls_connect(pv, handle, address(PORT_REFUSED)), -PVCALLS_EINPROGRESS);
    world_settle(&world);
    CHECK(world.done, -PVCALLS_ECONNREFUSED);
    CHECK(strcmp(pvcalls_strerror(world.done), "ECONNREFUSED"), 0);
    CHECK(pvcalls_bind(pv, handle, address(PORT_IN_USE)), -PVCALLS_EINPROGRESS);
    world_settle(&world);
    CHECK(world.done, -PVCALLS_EADDRINUSE);
    world_close(&world, handle, 0);
    CHECK(pvcalls_close(pv, handle), -PVCALLS_EBADF);
    CHECK(pvcalls_close(pv, -1), -PVCALLS_EBADF);
    world_end(&world);
}

static void end_of_stream(void)
{
    uint8_t bytes[16];
    world_up(&world);
    int32_t handle = world_connect(&world);
    CHECK(backend_send(&world.backend, (const uint8_t *)"last", 4), 4);
    backend_hang_up(&world.backend, -PVCALLS_ENOTCONN, -PVCALLS_ENOTCONN);
    world_settle(&world);
    CHECK(pvcalls_recv(&world.pv, handle, bytes, sizeof bytes, 0), 4);
    CHECK(pvcalls_recv(&world.pv, handle, bytes, sizeof bytes, 0), 0);
    CHECK(pvcalls_send(&world.pv, handle, bytes, 1), -PVCALLS_EPIPE);
    world_close(&world, handle, 0);
    handle = world_connect(&world);
    backend_hang_up(&world.backend, -PVCALLS_ECONNRESET, -PVCALLS_ECONNRESET);
    world_settle(&world);
    CHECK(pvcalls_recv(&world.pv, handle, bytes, sizeof bytes, 0), -PVCALLS_ECONNRESET);
    CHECK(pvcalls_send(&world.pv, handle, bytes, 1), -PVCALLS_ECONNRESET);
    world_close(&world, handle, 0);
    world_end(&world);
}

static void close_keeps_data(void)
{
    uint8_t bytes[1000];
    memset(bytes, 'k', sizeof bytes);
    world_up(&world);
    world.backend.echo = false;
    world.backend.idle = true;
    int32_t handle = world_connect(&world);
    CHECK(pvcalls_send(&world.pv, handle, bytes, sizeof bytes), 1000);
    CHECK(pvcalls_close(&world.pv, handle), 0);
    world_wait(&world, 900);
    CHECK(world.closed, NO_RESULT);
    CHECK(world.backend.seen[2], 0); /* RELEASE */
    world.backend.idle = false;
    world_settle(&world);
    CHECK(world.closed, 0);
    CHECK(world.backend.sockets[0].taken, 1000);
    CHECK(world.backend.sockets[0].hash, fnv1a(FNV_START, bytes, sizeof bytes));
    world.backend.idle = true; /* again, and nobody ever takes it */
    handle = world_connect(&world);
    CHECK(pvcalls_send(&world.pv, handle, bytes, sizeof bytes), 1000);
    world.closed = NO_RESULT;
    CHECK(pvcalls_close(&world.pv, handle), 0);
    world_wait(&world, 990);
    CHECK(world.closed, NO_RESULT);
    world_wait(&world, 50);
    CHECK(world.closed, 0);
    world_end(&world);
}

static void timeouts(void)
{
    world_up(&world);
    int32_t handle = new_socket(&world);
    world_settle(&world);
    world.backend.silent = true;
    CHECK(pvcalls_connect(&world.pv, handle, address(80)), -PVCALLS_EINPROGRESS);
    world_wait(&world, 1999);
    CHECK(world.done, NO_RESULT);
    world_wait(&world, 1);
    CHECK(world.done, -PVCALLS_ETIMEDOUT);
    CHECK(pvcalls_connect(&world.pv, handle, address(80)), -PVCALLS_ETIMEDOUT);
    CHECK(pvcalls_abort(&world.pv, handle), 0);
    world_wait(&world, 3000);
    CHECK(world.closed, -PVCALLS_ETIMEDOUT);
    world_end(&world);
}

static const struct {
    const char *name;
    void (*run)(void);
} scenarios[] = {
    { "connect and echo", connect_and_echo },
    { "readiness", readiness },
    { "windows", windows },
    { "listen and accept", listen_and_accept },
    { "refusals", refusals },
    { "end of stream", end_of_stream },
    { "close keeps data", close_keeps_data },
    { "timeouts", timeouts },
    { "backend lies", backend_lies },
    { "device lost", device_lost },
    { "not enough", not_enough },
    { "storm", storm },
    { "two instances", two_instances },
    { "upcalls", upcalls },
};

int main(int count, char **arguments)
{
    if (count > 1 && strcmp(arguments[1], "outside") == 0) {
        outside();
        return 0;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (uint32_t i = 0; i < sizeof scenarios / sizeof scenarios[0]; i++) {
        scenarios[i].run();
        printf("%s\n", scenarios[i].name);
    }
    return 0;
}
