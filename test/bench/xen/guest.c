/*
 * Our side of the measurement: a guest over pvcalls_guest.h, with one copy between its buffer and
 * the ring, as the copy between user and ring of Linux's frontend.
 */
#include "protocol.h"
#include "pvcalls_guest.h"

#define NS_PER_S 1000000000u

static uint8_t buffer[BENCH_CHUNK_MAX];

static struct pvcalls_address dom0(uint16_t port)
{
    return (struct pvcalls_address){ .ip = PVCALLS_IP(127, 0, 0, 1), .port = port };
}

static uint64_t now_ns(void)
{
    uint64_t count, rate;
    __asm__ volatile("isb\n\tmrs %0, cntvct_el0\n\tmrs %1, cntfrq_el0" : "=r"(count), "=r"(rate));
    return count / rate * NS_PER_S + count % rate * NS_PER_S / rate;
}

/* 0, or the error that ended it. */
static int give(int32_t socket, const void *from, uint32_t size)
{
    int32_t sent = guest_send(socket, from, size, GUEST_FOREVER);
    return sent < 0 ? sent : 0;
}

static int take(int32_t socket, void *to, uint32_t size)
{
    for (uint32_t came = 0; came < size;) {
        int32_t more = guest_recv(socket, (uint8_t *)to + came, size - came, GUEST_FOREVER);
        if (more <= 0)
            return more == 0 ? -PVCALLS_EPIPE : more;
        came += (uint32_t)more;
    }
    return 0;
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static int send_all(int32_t socket, const struct bench_order *order)
{
    int result = give(socket, buffer, order->lead);
    for (uint32_t left = order->count, size; left > 0 && result == 0; left -= size) {
        size = least(left, order->chunk);
        result = give(socket, buffer, size);
    }
    return result == 0 ? take(socket, buffer, BENCH_ACK) : result;
}

static int receive_all(int32_t socket, const struct bench_order *order)
{
    for (uint32_t left = order->count; left > 0;) {
        int32_t more = guest_recv(socket, buffer, least(left, order->chunk), GUEST_FOREVER);
        if (more <= 0)
            return more == 0 ? -PVCALLS_EPIPE : more;
        left -= (uint32_t)more;
    }
    return 0;
}

static int echo_all(int32_t socket, const struct bench_order *order)
{
    int result = 0;
    for (uint32_t i = 0; i < order->count && result == 0; i++) {
        result = give(socket, buffer, order->chunk);
        if (result == 0)
            result = take(socket, buffer, order->chunk);
    }
    return result;
}

static int perform(int32_t socket, const struct bench_order *order)
{
    if (order->op == BENCH_SEND)
        return send_all(socket, order);
    return order->op == BENCH_RECEIVE ? receive_all(socket, order) : echo_all(socket, order);
}

/* The order goes to dom0, which is ready then. */
static int announce(int32_t socket, const struct bench_order *order)
{
    int result = give(socket, order, sizeof *order);
    return result == 0 ? take(socket, buffer, BENCH_ACK) : result;
}

static struct bench_report obey(const struct bench_order *order)
{
    struct pvcalls_counters before, after;
    int32_t socket = guest_socket(GUEST_FOREVER);
    int result = guest_connect(socket, dom0(BENCH_PORT_DATA), GUEST_FOREVER);
    if (result == 0)
        result = announce(socket, order);
    pvcalls_counters(guest_instance(), &before);
    uint64_t since = now_ns();
    if (result == 0)
        result = perform(socket, order);
    uint64_t ns = now_ns() - since;
    pvcalls_counters(guest_instance(), &after);
    guest_close(socket, GUEST_FOREVER);
    return (struct bench_report){
        .ns = ns,
        .error = (uint32_t)-result,
        .notifications = after.notifications - before.notifications,
        .waits = after.events - before.events,
    };
}

int app_main(void)
{
    struct bench_order order;
    uint64_t entered = now_ns();
    int32_t control = guest_socket(GUEST_FOREVER);
    struct bench_hello hello = { BENCH_GUEST, (uint32_t)((now_ns() - entered) / 1000) };
    int result = guest_connect(control, dom0(BENCH_PORT_CONTROL), GUEST_FOREVER);
    if (result == 0)
        result = give(control, &hello, sizeof hello);
    guest_print("bench: connected");
    while (result == 0 && (result = take(control, &order, sizeof order)) == 0) {
        if (order.op == BENCH_END)
            break;
        struct bench_report report = obey(&order);
        result = give(control, &report, sizeof report);
    }
    guest_print("bench: %s", pvcalls_strerror(result));
    return result;
}
