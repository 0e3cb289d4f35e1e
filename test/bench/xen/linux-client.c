/*
 * The other side of the measurement: Linux's own PV Calls frontend, called as a kernel would call
 * it. A module, because that frontend has no way in from user space; it works until dom0 says that
 * it is over, while it is being loaded. Compiled against Debian's headers and Debian's
 * pvcalls-front.h, and linked with pvcalls-front.ko, whose functions it calls.
 *
 * A full ring is where the frontend leaves its caller alone: sendmsg() polls the ring 5000 times
 * and returns what it has. With MSG_DONTWAIT it does not poll a ring that is full, but it still
 * does when a part of the bytes had room. The caller here asks so, and sleeps when none had.
 */
#include <linux/delay.h>
#include <linux/in.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/net.h>
#include <linux/uio.h>
#include <linux/vmalloc.h>
#include <net/net_namespace.h>
#include <net/sock.h>

#include "protocol.h"
#include "pvcalls-front.h"

#define ATTEMPTS 200
#define ATTEMPT_MS 50
#define SLEEP_US 50

static u8 *buffer;
static u32 calls, waits;

/* 0, or the error that ended it. */
static int give(struct socket *socket, void *from, size_t size)
{
    while (size > 0) {
        struct msghdr message = { .msg_flags = MSG_DONTWAIT };
        struct kvec vector = { from, size };
        int sent;

        iov_iter_kvec(&message.msg_iter, ITER_SOURCE, &vector, 1, size);
        sent = pvcalls_front_sendmsg(socket, &message, size);
        if (sent < 0 && sent != -EAGAIN)
            return sent;
        if (sent <= 0) {
            waits++;
            usleep_range(SLEEP_US, 2 * SLEEP_US);
            continue;
        }
        calls++;
        from += sent;
        size -= sent;
    }
    return 0;
}

/* Bytes, at least one, or an error. */
static int take_some(struct socket *socket, void *to, size_t size)
{
    struct msghdr message = {};
    struct kvec vector = { to, size };
    int got;

    iov_iter_kvec(&message.msg_iter, ITER_DEST, &vector, 1, size);
    got = pvcalls_front_recvmsg(socket, &message, size, 0);
    calls += got > 0;
    return got == 0 ? -EPIPE : got;
}

static int take(struct socket *socket, void *to, size_t size)
{
    while (size > 0) {
        int got = take_some(socket, to, size);

        if (got < 0)
            return got;
        to += got;
        size -= got;
    }
    return 0;
}

static int send_all(struct socket *socket, const struct bench_order *order)
{
    u32 left, size;
    int result = give(socket, buffer, order->lead);

    for (left = order->count; left > 0 && result == 0; left -= size) {
        size = min(left, order->chunk);
        result = give(socket, buffer, size);
    }
    return result ?: take(socket, buffer, BENCH_ACK);
}

static int receive_all(struct socket *socket, const struct bench_order *order)
{
    u32 left;

    for (left = order->count; left > 0;) {
        int got = take_some(socket, buffer, min(left, order->chunk));

        if (got < 0)
            return got;
        left -= got;
    }
    return 0;
}

static int echo_all(struct socket *socket, const struct bench_order *order)
{
    int result = 0;
    u32 i;

    for (i = 0; i < order->count && result == 0; i++)
        result = give(socket, buffer, order->chunk) ?:
             take(socket, buffer, order->chunk);
    return result;
}

static int perform(struct socket *socket, struct bench_order *order)
{
    if (order->op == BENCH_SEND)
        return send_all(socket, order);
    return order->op == BENCH_RECEIVE ? receive_all(socket, order) : echo_all(socket, order);
}

/* A connection to dom0, or the error; -EACCES while the device is not up. */
static int open(u16 port, struct socket **socket)
{
    struct sockaddr_in dom0 = {
        .sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    int result = sock_create_kern(&init_net, AF_INET, SOCK_STREAM, 0, socket);

    if (result)
        return result;
    result = pvcalls_front_socket(*socket);
    if (result == 0) {
        result = pvcalls_front_connect(*socket, (struct sockaddr *)&dom0, sizeof(dom0), 0);
        if (result)
            pvcalls_front_release(*socket);
    }
    if (result)
        sock_release(*socket);
    return result;
}

static void shut(struct socket *socket)
{
    pvcalls_front_release(socket);
    sock_release(socket);
}

static struct bench_report obey(struct bench_order *order)
{
    struct bench_report report = {};
    struct socket *socket;
    int result = open(BENCH_PORT_DATA, &socket);

    if (result == 0) {
        u64 since;

        result = give(socket, order, sizeof(*order)) ?: take(socket, buffer, BENCH_ACK);
        calls = waits = 0;
        since = ktime_get_ns();
        if (result == 0)
            result = perform(socket, order);
        report.ns = ktime_get_ns() - since;
        report.notifications = calls;
        report.waits = waits;
        shut(socket);
    }
    report.error = -result;
    return report;
}

static int converse(struct socket *control)
{
    struct bench_hello hello = { .client = BENCH_LINUX };
    struct bench_order order;
    int result = give(control, &hello, sizeof(hello));

    while (result == 0) {
        struct bench_report report;

        result = take(control, &order, sizeof(order));
        if (result || order.op == BENCH_END)
            return result;
        report = obey(&order);
        result = give(control, &report, sizeof(report));
    }
    return result;
}

static int __init bench_init(void)
{
    struct socket *control;
    int i, result = -EACCES;

    buffer = vzalloc(BENCH_CHUNK_MAX);
    if (!buffer)
        return -ENOMEM;
    for (i = 0; i < ATTEMPTS && result == -EACCES; i++) {
        result = open(BENCH_PORT_CONTROL, &control);
        if (result == -EACCES)
            msleep(ATTEMPT_MS);
    }
    if (result == 0) {
        result = converse(control);
        shut(control);
    }
    pr_info("bench: %d\n", result);
    vfree(buffer);
    return result;
}

static void __exit bench_exit(void)
{
}

module_init(bench_init);
module_exit(bench_exit);
MODULE_DESCRIPTION("Client that measures Linux's PV Calls frontend");
MODULE_LICENSE("Dual MIT/GPL");
