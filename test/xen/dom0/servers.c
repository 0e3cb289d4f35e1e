/*
 * The TCP servers that a guest reaches through dom0's pvcalls backend. One process per connection;
 * at its end each writes one line of JSON to the file named on the command line: which service, how
 * many bytes came in and went out, the SHA-256 of each direction, and how it ended. Those lines,
 * not what the guest says of itself, are what the tests assert.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../apps/pattern.h"
#include "../apps/services.h"
#include "../apps/sha256.h"

#define CHUNK 65536u

struct side {
    uint64_t bytes;
    struct sha256 hash;
};

struct connection {
    int socket;
    struct side in, out;
    const char *end; /* "eof", "done", or the name of what failed */
    uint8_t claim[SHA256_SIZE];
    int claimed;
};

static uint8_t buffer[CHUNK];

static void count(struct side *side, const uint8_t *bytes, size_t size)
{
    side->bytes += size;
    sha256_add(&side->hash, bytes, (uint32_t)size);
}

/* Some bytes, 0 at the end of the stream, or -1; `end` says why there are none. */
static ssize_t take(struct connection *c, size_t most)
{
    ssize_t got = read(c->socket, buffer, most);
    if (got > 0)
        count(&c->in, buffer, (size_t)got);
    else
        c->end = got == 0 ? "eof" : strerrorname_np(errno);
    return got;
}

static int take_all(int socket, void *into, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t got = read(socket, (char *)into + done, size - done);
        if (got <= 0)
            return -1;
        done += (size_t)got;
    }
    return 0;
}

static int give(struct connection *c, const uint8_t *bytes, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t put = write(c->socket, bytes + done, size - done);
        if (put < 0) {
            c->end = strerrorname_np(errno);
            return -1;
        }
        done += (size_t)put;
    }
    count(&c->out, bytes, size);
    return 0;
}

static void echo(struct connection *c)
{
    for (ssize_t got; (got = take(c, CHUNK)) > 0;)
        if (give(c, buffer, (size_t)got) < 0)
            return;
}

static void sink(struct connection *c)
{
    uint32_t left;
    if (take_all(c->socket, &left, sizeof left) < 0)
        return;
    while (left > 0) {
        ssize_t got = take(c, left < CHUNK ? left : CHUNK);
        if (got <= 0)
            return;
        left -= (uint32_t)got;
    }
    struct sha256 whole = c->in.hash;
    uint8_t digest[SHA256_SIZE];
    sha256_end(&whole, digest);
    if (give(c, digest, sizeof digest) == 0)
        c->end = "done";
}

/* Answers as much of the pattern as the client asks for. */
static int pour(struct connection *c)
{
    uint32_t size;
    if (take_all(c->socket, &size, sizeof size) < 0)
        return -1;
    for (uint32_t done = 0; done < size;) {
        uint32_t part = size - done < CHUNK ? size - done : CHUNK;
        pattern_fill(buffer, done, part);
        if (give(c, buffer, part) < 0)
            return -1;
        done += part;
    }
    c->end = "done";
    return 0;
}

static void source(struct connection *c)
{
    if (pour(c) == 0)
        c->claimed = take_all(c->socket, c->claim, sizeof c->claim) == 0;
}

static void tail(struct connection *c)
{
    while (take(c, CHUNK) > 0)
        ;
}

static void burst(struct connection *c)
{
    (void)pour(c);
}

static const struct service {
    const char *name;
    uint16_t port;
    void (*serve)(struct connection *);
} services[] = {
    { "echo", SERVICE_ECHO, echo },       { "sink", SERVICE_SINK, sink },
    { "source", SERVICE_SOURCE, source }, { "tail", SERVICE_TAIL, tail },
    { "burst", SERVICE_BURST, burst },
};
#define SERVICES (sizeof services / sizeof services[0])

static const char *hex(const uint8_t digest[SHA256_SIZE], char text[2 * SHA256_SIZE + 1])
{
    for (unsigned i = 0; i < SHA256_SIZE; i++)
        sprintf(text + 2 * i, "%02x", digest[i]);
    return text;
}

static void note(int log, const struct service *service, struct connection *c)
{
    uint8_t in[SHA256_SIZE], out[SHA256_SIZE];
    char a[2 * SHA256_SIZE + 1], b[2 * SHA256_SIZE + 1], d[2 * SHA256_SIZE + 1], line[512];
    sha256_end(&c->in.hash, in);
    sha256_end(&c->out.hash, out);
    int size = snprintf(line, sizeof line,
                        "{\"service\":\"%s\",\"end\":\"%s\",\"in\":%llu,\"inHash\":\"%s\","
                        "\"out\":%llu,\"outHash\":\"%s\",\"claim\":\"%s\"}\n",
                        service->name, c->end, (unsigned long long)c->in.bytes, hex(in, a),
                        (unsigned long long)c->out.bytes, hex(out, b),
                        c->claimed ? hex(c->claim, d) : "");
    if (write(log, line, (size_t)size) != size)
        perror("servers: the log");
}

static void serve(int log, const struct service *service, int socket)
{
    struct connection c = { .socket = socket, .end = "short" };
    sha256_start(&c.in.hash);
    sha256_start(&c.out.hash);
    service->serve(&c);
    close(socket);
    note(log, service, &c);
}

static int listen_on(uint16_t port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (void *)&address, sizeof address) < 0 || listen(listener, 16) < 0)
        return -1;
    return listener;
}

int main(int argc, char **argv)
{
    struct pollfd listeners[SERVICES];
    int log = argc == 2 ? open(argv[1], O_WRONLY | O_CREAT | O_APPEND, 0644) : -1;
    if (log < 0) {
        fprintf(stderr, "usage: servers LOGFILE\n");
        return 2;
    }
    signal(SIGCHLD, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < SERVICES; i++) {
        listeners[i] = (struct pollfd){ .fd = listen_on(services[i].port), .events = POLLIN };
        if (listeners[i].fd < 0) {
            perror("servers: listen");
            return 1;
        }
    }
    if (daemon(1, 1) < 0) /* the ports are open when the command returns */
        return 1;
    while (poll(listeners, SERVICES, -1) >= 0 || errno == EINTR)
        for (size_t i = 0; i < SERVICES; i++) {
            if (!(listeners[i].revents & POLLIN))
                continue;
            int socket = accept(listeners[i].fd, NULL, NULL);
            if (socket >= 0 && fork() == 0) {
                serve(log, &services[i], socket);
                _exit(0);
            }
            close(socket);
        }
    return 1;
}
