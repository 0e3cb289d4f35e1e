/*
 * What dom0's conductor and the three clients that it measures agree on: a guest of ours, Linux's
 * own frontend, and a process of dom0 itself over TCP loopback. Each keeps one connection on which
 * it is told what to do and answers how long it took, so that all of them live in one boot and take
 * turns. Numbers are little-endian.
 */
#ifndef PVCALLS_BENCH_PROTOCOL_H
#define PVCALLS_BENCH_PROTOCOL_H

#ifdef __KERNEL__
#include <linux/types.h>
#else
#include <stdint.h>
#endif

#define BENCH_PORT_CONTROL 5101 /* hello; then orders come, and a report goes back for each */
#define BENCH_PORT_DATA 5102    /* an order, BENCH_ACK bytes back, what it says; client closes */

#define BENCH_CLIENTS 3
#define BENCH_GUEST 0
#define BENCH_LINUX 1
#define BENCH_LOOPBACK 2

#define BENCH_END 0     /* the client ends */
#define BENCH_SEND 1    /* `count` bytes go to dom0, which answers BENCH_ACK bytes at the end */
#define BENCH_RECEIVE 2 /* `count` bytes come from dom0 */
#define BENCH_ECHO 3    /* `count` times `chunk` bytes go and come back */

/*
 * Behind an order, the time runs from here; and behind all that was sent, until here. The first
 * also empties the ring, so that without a lead calls of a power of two fill it exactly.
 */
#define BENCH_ACK 4
#define BENCH_CHUNK_MAX 65536

struct bench_hello {
    uint32_t client;
    uint32_t connected_us; /* from the client's first instruction to a connected device; or 0 */
};

struct bench_order {
    uint32_t op;
    uint32_t count;
    uint32_t chunk; /* bytes of a call, at most BENCH_CHUNK_MAX */
    uint32_t lead;  /* of BENCH_SEND: bytes of a first call, as a header would be */
};

struct bench_report {
    uint64_t ns;            /* from the first acknowledgement to the last byte back */
    uint32_t error;         /* 0, or what went wrong, as a positive errno */
    uint32_t notifications; /* sent to the backend meanwhile */
    uint32_t waits;         /* times that the client slept */
    uint32_t unused;
};

#endif
