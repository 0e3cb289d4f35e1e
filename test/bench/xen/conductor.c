/*
 * Dom0's side of the measurement: serves the data connections, is itself the client that goes over
 * TCP loopback, and lets the clients take turns, one alone at a time. Each turn becomes a line of
 * JSON in the file named on the command line.
 *
 * usage: conductor LOGFILE CLIENTS ROUNDS OP:COUNT:CHUNK:LEAD...   (OP: 1 send, 2 receive, 3 echo)
 * CLIENTS: bits of those that take turns.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "protocol.h"

#define NS_PER_S 1000000000ull
#define ORDERS_MAX 16

static uint8_t buffer[BENCH_CHUNK_MAX];

static void fail(const char *what)
{
    fprintf(stderr, "conductor: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int put(int socket, const void *from, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t sent = write(socket, (const char *)from + done, size - done);
        if (sent <= 0)
            return -1;
        done += (size_t)sent;
    }
    return 0;
}

static int get(int socket, void *to, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t got = read(socket, (char *)to + done, size - done);
        if (got <= 0)
            return -1;
        done += (size_t)got;
    }
    return 0;
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static int put_all(int socket, const struct bench_order *order)
{
    if (put(socket, buffer, order->lead) < 0)
        return -1;
    for (uint32_t left = order->count, size; left > 0; left -= size) {
        size = least(left, order->chunk);
        if (put(socket, buffer, size) < 0)
            return -1;
    }
    return 0;
}

static int get_all(int socket, const struct bench_order *order)
{
    for (uint32_t left = order->count + order->lead; left > 0;) {
        ssize_t got = read(socket, buffer, least(left, BENCH_CHUNK_MAX));
        if (got <= 0)
            return -1;
        left -= (uint32_t)got;
    }
    return 0;
}

/* ------------------------------------------------------------------ the server */

/* Interrupts that dom0's backend has had from frontends, of all connections that are open now. */
static uint64_t backend_interrupts(void)
{
    FILE *file = fopen("/proc/interrupts", "r");
    unsigned long long sum = 0, count;
    char line[512];
    if (file == NULL)
        fail("/proc/interrupts");
    while (fgets(line, sizeof line, file) != NULL)
        if (strstr(line, "pvcalls") != NULL && sscanf(line, " %*[^:]: %llu", &count) == 1)
            sum += count;
    fclose(file);
    return sum;
}

static int serve_order(int socket, const struct bench_order *order)
{
    if (order->op == BENCH_RECEIVE)
        return put_all(socket, order);
    if (order->op == BENCH_SEND)
        return get_all(socket, order) < 0 ? -1 : put(socket, buffer, BENCH_ACK);
    for (uint32_t i = 0; i < order->count; i++)
        if (get(socket, buffer, order->chunk) < 0 || put(socket, buffer, order->chunk) < 0)
            return -1;
    return 0;
}

/* One connection after the other; for each, how often its client interrupted goes to `counts`. */
static void serve(int listener, int counts)
{
    for (int socket; (socket = accept(listener, NULL, NULL)) >= 0; close(socket)) {
        struct bench_order order;
        uint64_t before = backend_interrupts();
        if (get(socket, &order, sizeof order) < 0 ||
            put(socket, buffer, BENCH_ACK) < 0 || serve_order(socket, &order) < 0)
            fail("a data connection");
        uint64_t count = backend_interrupts() - before;
        if (put(counts, &count, sizeof count) < 0)
            break;
        while (read(socket, buffer, sizeof buffer) > 0)
            continue; /* until the client closes: its is the first move, as in Linux's backend */
    }
    exit(0);
}

/* ------------------------------------------------------------------ the client of loopback */

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static int connect_to(uint16_t port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int connection = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(connection, (void *)&address, sizeof address) < 0)
        fail("loopback: connect");
    return connection;
}

static int perform(int socket, const struct bench_order *order)
{
    if (order->op == BENCH_SEND)
        return put_all(socket, order) < 0 ? -1 : get(socket, buffer, BENCH_ACK);
    if (order->op == BENCH_RECEIVE)
        return get_all(socket, order);
    for (uint32_t i = 0; i < order->count; i++)
        if (put(socket, buffer, order->chunk) < 0 || get(socket, buffer, order->chunk) < 0)
            return -1;
    return 0;
}

static void be_loopback(void)
{
    int control = connect_to(BENCH_PORT_CONTROL);
    struct bench_hello hello = { BENCH_LOOPBACK, 0 };
    struct bench_order order;
    put(control, &hello, sizeof hello);
    while (get(control, &order, sizeof order) == 0 && order.op != BENCH_END) {
        int data = connect_to(BENCH_PORT_DATA);
        int result = put(data, &order, sizeof order) < 0 ? -1 : get(data, buffer, BENCH_ACK);
        uint64_t since = now_ns();
        if (result == 0)
            result = perform(data, &order);
        struct bench_report report = { .ns = now_ns() - since };
        report.error = result < 0 ? (uint32_t)errno : 0;
        close(data);
        put(control, &report, sizeof report);
    }
    exit(0);
}

/* ------------------------------------------------------------------ the conductor */

static const char *const names[BENCH_CLIENTS] = { "guest", "linux", "loopback" };
static const char *const ops[] = { "end", "send", "receive", "echo" };
static int controls[BENCH_CLIENTS];

static int listen_on(uint16_t port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener, (void *)&address, sizeof address) < 0 || listen(listener, 16) < 0)
        fail("listen");
    return listener;
}

static void take_clients(int listener, unsigned wanted, FILE *log)
{
    struct bench_hello hello;
    while (wanted != 0) {
        int control = accept(listener, NULL, NULL);
        if (control < 0 || get(control, &hello, sizeof hello) < 0 || hello.client >= BENCH_CLIENTS)
            fail("a client's hello");
        controls[hello.client] = control;
        wanted &= ~(1u << hello.client);
        printf("conductor: %s is here\n", names[hello.client]);
        fprintf(log, "{\"client\":\"%s\",\"connectedUs\":%u}\n", names[hello.client],
                hello.connected_us);
    }
    fflush(stdout);
}

static void turn(unsigned round, unsigned client, const struct bench_order *order, int counts,
                 FILE *log)
{
    struct bench_report report;
    uint64_t interrupts;
    if (put(controls[client], order, sizeof *order) < 0 ||
        get(controls[client], &report, sizeof report) < 0)
        fail(names[client]);
    if (report.error != 0 || get(counts, &interrupts, sizeof interrupts) < 0) {
        errno = (int)report.error;
        fail(names[client]);
    }
    fprintf(log,
            "{\"round\":%u,\"client\":\"%s\",\"op\":\"%s\",\"count\":%u,\"chunk\":%u,"
            "\"lead\":%u,\"ns\":%llu,\"notifications\":%u,\"waits\":%u,\"interrupts\":%llu}\n",
            round, names[client], ops[order->op], order->count, order->chunk, order->lead,
            (unsigned long long)report.ns, report.notifications, report.waits,
            (unsigned long long)interrupts);
    fflush(log);
}

static int read_orders(char **from, int count, struct bench_order *orders)
{
    for (int i = 0; i < count; i++) {
        struct bench_order *order = &orders[i];
        if (i == ORDERS_MAX ||
            sscanf(from[i], "%u:%u:%u:%u", &order->op, &order->count, &order->chunk,
                   &order->lead) != 4 ||
            order->op < BENCH_SEND || order->op > BENCH_ECHO || order->chunk > BENCH_CHUNK_MAX ||
            order->lead > BENCH_CHUNK_MAX)
            return -1;
    }
    return count;
}

int main(int argc, char **argv)
{
    struct bench_order orders[ORDERS_MAX], end = { .op = BENCH_END };
    int counts[2], order_count = argc < 5 ? -1 : read_orders(argv + 4, argc - 4, orders);
    if (order_count < 0) {
        fprintf(stderr, "usage: conductor LOGFILE CLIENTS ROUNDS OP:COUNT:CHUNK:LEAD...\n");
        return 2;
    }
    unsigned clients = (unsigned)atoi(argv[2]);
    unsigned rounds = (unsigned)atoi(argv[3]);
    FILE *log = fopen(argv[1], "w");
    int control = listen_on(BENCH_PORT_CONTROL), data = listen_on(BENCH_PORT_DATA);
    signal(SIGCHLD, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    if (log == NULL || pipe(counts) < 0)
        fail(argv[1]);
    if (fork() == 0)
        serve(data, counts[1]);
    if (clients & 1u << BENCH_LOOPBACK && fork() == 0)
        be_loopback();
    take_clients(control, clients, log);
    for (unsigned round = 0; round < rounds; round++)
        for (int i = 0; i < order_count; i++)
            for (unsigned n = 0; n < BENCH_CLIENTS; n++) {
                unsigned client = (n + round) % BENCH_CLIENTS; /* nobody is always the first */
                if (clients & 1u << client)
                    turn(round, client, &orders[i], counts[0], log);
            }
    for (unsigned client = 0; client < BENCH_CLIENTS; client++)
        if (clients & 1u << client)
            put(controls[client], &end, sizeof end);
    fclose(log);
    return 0;
}
