/* A guest over libpvcalls, its kernel and its backend, in one thread: for scenarios. */
#ifndef TEST_WORLD_H
#define TEST_WORLD_H

#include <stdio.h>
#include <stdlib.h>

#include "backend.h"
#include "kernel.h"
#include "pvcalls.h"

/* Ends the program at the first expectation that does not hold, and says which. */
#define CHECK(actual, expected)                                                                  \
    do {                                                                                         \
        long long actual_ = (long long)(actual), expected_ = (long long)(expected);              \
        if (actual_ != expected_) {                                                              \
            fprintf(stderr, "%s:%d: %s is %lld, not %lld\n", __FILE__, __LINE__, #actual,        \
                    actual_, expected_);                                                         \
            exit(1);                                                                             \
        }                                                                                        \
    } while (0)

#define PAGES_OF_WORLD 128u
#define NO_RESULT 12345

struct world {
    struct pvcalls pv;
    struct kernel kernel;
    struct backend backend;
    uint8_t *memory;
    uint32_t now_ms;
    int32_t frames; /* free at the start */
    uint32_t device, fault;
    int32_t done, closed; /* of the last DONE and CLOSED, or NO_RESULT */
    uint32_t ready;       /* READY events so far */
};

/* An instance over `pages` of memory; `config` has what is not the default. */
void world_init(struct world *world, uint32_t pages, struct pvcalls_config config);

/* Offers a ring to a new backend, and says that it is Connected. */
void world_attach(struct world *world);

/* A world with a device that is CONNECTED, 8 sockets, rings of order 1. */
void world_up(struct world *world);

/* Lets backend, interrupts and events run until nothing happens. */
void world_settle(struct world *world);

/* Time goes on, and world_settle(). */
void world_wait(struct world *world, uint32_t ms);

/* A socket that the backend has connected. */
int32_t world_connect(struct world *world);

/* Closes a handle, and sees it CLOSED with that result. */
void world_close(struct world *world, int32_t handle, int32_t result);

/* Device away, backend away: nothing may be left of either. */
void world_end(struct world *world);

int32_t new_socket(struct world *world);
struct pvcalls_address address(uint16_t port);

#endif
