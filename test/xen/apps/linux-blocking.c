/*
 * A guest of Linux's backend by the calls of pvcalls_guest.h alone: it connects, echoes, waits in
 * vain, and then serves `clients` connections at once, sending back what comes: `bytes` on each,
 * since Linux's backend may lose an end of stream. Result: the line of what did not hold, or 0.
 */
#include "pvcalls_guest.h"
#include "services.h"

#define PATIENCE_MS 20000u
#define BYTES 100001u
#define CLIENTS_MAX 8u

#define CHECK(actual, expected)                                                     \
    do {                                                                            \
        int32_t actual_ = (actual), expected_ = (expected);                         \
        if (actual_ != expected_) {                                                 \
            guest_print("blocking: line %d: %d (%s), not %d", __LINE__, actual_,    \
                        pvcalls_strerror(actual_), expected_);                      \
            return __LINE__;                                                        \
        }                                                                           \
    } while (0)

static uint8_t buffer[0x4000];

static struct pvcalls_address dom0(uint16_t port)
{
    return (struct pvcalls_address){ .ip = PVCALLS_IP(127, 0, 0, 1), .port = port };
}

static uint8_t pattern(uint32_t index)
{
    return (uint8_t)(index * 31 + (index >> 8) * 7 + 1);
}

static int echo(void)
{
    int32_t socket = guest_socket(PATIENCE_MS);
    CHECK(socket > 0, 1);
    guest_print("blocking: connected after %u ms", guest_now_ms());
    CHECK(guest_connect(socket, dom0(SERVICE_ECHO), PATIENCE_MS), 0);
    for (uint32_t at = 0, size; at < BYTES; at += size) {
        size = BYTES - at < sizeof buffer ? BYTES - at : sizeof buffer;
        for (uint32_t i = 0; i < size; i++)
            buffer[i] = pattern(at + i);
        CHECK(guest_send(socket, buffer, size, PATIENCE_MS), (int32_t)size);
        for (uint32_t came = 0; came < size;) {
            int32_t more = guest_recv(socket, buffer, size - came, PATIENCE_MS);
            CHECK(more > 0, 1);
            for (int32_t i = 0; i < more; i++)
                CHECK(buffer[i], pattern(at + came++));
        }
    }
    CHECK(guest_recv(socket, buffer, 1, 0), -PVCALLS_EAGAIN);
    uint32_t since = guest_now_ms();
    CHECK(guest_recv(socket, buffer, 1, 100), -PVCALLS_ETIMEDOUT);
    CHECK(guest_now_ms() - since >= 100, 1);
    CHECK(guest_close(socket, PATIENCE_MS), 0);
    CHECK(guest_recv(socket, buffer, 1, 0), -PVCALLS_EBADF);
    guest_print("blocking: echo of %u bytes done", BYTES);
    return 0;
}

static int refused(void)
{
    int32_t socket = guest_socket(PATIENCE_MS);
    CHECK(guest_connect(socket, dom0(SERVICE_NONE), PATIENCE_MS), -PVCALLS_ECONNREFUSED);
    CHECK(guest_close(socket, PATIENCE_MS), 0);
    guest_print("blocking: refused as it should be");
    return 0;
}

/* A connection has bytes: they go back. 1 when it was the last of them, and it is closed. */
static int serve(int32_t socket, uint32_t *left)
{
    int32_t size = guest_recv(socket, buffer, sizeof buffer, 0);
    CHECK(size > 0, 1);
    CHECK(guest_send(socket, buffer, (size_t)size, PATIENCE_MS), size);
    *left -= (uint32_t)size;
    if (*left > 0)
        return 0;
    CHECK(guest_close(socket, PATIENCE_MS), 0);
    return 1;
}

static int server(uint32_t clients, uint32_t bytes)
{
    struct guest_poll list[1 + CLIENTS_MAX];
    uint32_t left[1 + CLIENTS_MAX];
    uint32_t open = 0, ended = 0;
    int32_t listener = guest_socket(PATIENCE_MS);
    struct pvcalls_address here = { .ip = 0, .port = SERVICE_GUEST };
    CHECK(guest_bind(listener, here, PATIENCE_MS), 0);
    CHECK(guest_listen(listener, CLIENTS_MAX, PATIENCE_MS), 0);
    guest_print("blocking: listening");
    list[0] = (struct guest_poll){ .socket = listener, .wanted = PVCALLS_IN };
    while (ended < clients) {
        CHECK(guest_poll(list, 1 + open, PATIENCE_MS) > 0, 1);
        for (uint32_t i = open; i > 0; i--) {
            int result = list[i].ready ? serve(list[i].socket, &left[i]) : 0;
            if (result > 1)
                return result;
            if (result == 1) {
                left[i] = left[open];
                list[i] = list[open--];
                ended++;
            }
        }
        if (list[0].ready == 0)
            continue;
        int32_t accepted = guest_accept(listener, PATIENCE_MS);
        CHECK(accepted > 0, 1);
        list[++open] = (struct guest_poll){ .socket = accepted, .wanted = PVCALLS_IN };
        left[open] = bytes;
    }
    CHECK(guest_close(listener, PATIENCE_MS), 0);
    guest_print("blocking: served %u clients", clients);
    return 0;
}

int app_main(void)
{
    struct pvcalls_counters counters;
    int result = refused();
    if (result == 0)
        result = echo();
    if (result == 0)
        result = server(guest_setting_number("clients", 2), guest_setting_number("bytes", 1));
    guest_stop(PATIENCE_MS);
    pvcalls_counters(guest_instance(), &counters);
    guest_print("blocking: left over: parked %u, lost %u, sockets %u; result %d", counters.parked,
                counters.lost, counters.sockets, result);
    return result;
}
