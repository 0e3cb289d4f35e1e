/*
 * Guests of Linux's backend written as scripts: one thing after the other, where each wait is a
 * line. A script is called from the top after every wake-up and goes on at the wait it stopped at;
 * so its own variables are static. What became of every socket is kept here.
 */
#ifndef PVCALLS_TEST_LINUX_SCRIPT_H
#define PVCALLS_TEST_LINUX_SCRIPT_H

#define SOCKETS 32u

#include "linux-guest.h"
#include "services.h"

/*
 * A script is a function `bool name(...) { SCRIPT_BEGINS ... SCRIPT_ENDS }`; its result is whether
 * it is over. A script may wait for another.
 */
#define SCRIPT_BEGINS                                                                              \
    static uint32_t script_line;                                                                   \
    switch (script_line) {                                                                         \
    case 0:
#define AWAIT(condition)                                                                           \
    do {                                                                                           \
        script_line = __LINE__;                                                                    \
        __attribute__((fallthrough));                                                              \
    case __LINE__:                                                                                 \
        if (!(condition))                                                                          \
            return false;                                                                          \
    } while (0)
#define SCRIPT_OVER                                                                                \
    do {                                                                                           \
        script_line = 0;                                                                           \
        return true;                                                                               \
    } while (0)
#define SCRIPT_ENDS                                                                                \
    }                                                                                              \
    SCRIPT_OVER;

static uint32_t script_nap; /* ms until a wait is to be looked at again, or 0: at the next event */

/* Whether so many ms have gone by; if not, it will be looked at again when they have. */
static inline bool has_passed(uint32_t since, uint32_t ms)
{
    if (now - since >= ms)
        return true;
    script_nap = ms - (now - since);
    return false;
}

/* What is known of a socket: the result of what was asked last, and of close(). */
struct call {
    uint32_t handle;
    bool is_done, is_closed;
    int32_t done, closed;
};

static struct call calls[SOCKETS];

static struct call *call_of(uint32_t handle)
{
    for (uint32_t i = 0; i < SOCKETS; i++)
        if (calls[i].handle == handle)
            return &calls[i];
    fail(EXIT_CALL, "an event for a handle that was never given out", (int32_t)handle);
    return calls;
}

/* From here on the handle's events are kept, in the place of a socket that is closed. */
static uint32_t keep(uint32_t handle)
{
    for (uint32_t i = 0; i < SOCKETS; i++)
        if (calls[i].handle == 0 || calls[i].is_closed) {
            calls[i] = (struct call){ .handle = handle };
            return handle;
        }
    fail(EXIT_CALL, "more sockets at a time than", SOCKETS);
    return 0;
}

static void take_done(uint32_t handle, uint32_t command, int32_t result)
{
    struct call *call = call_of(handle);
    (void)command;
    call->is_done = true;
    call->done = result;
}

static void take_closed(uint32_t handle, int32_t result)
{
    struct call *call = call_of(handle);
    call->is_closed = true;
    call->closed = result;
}

static bool is_done(uint32_t handle)
{
    return call_of(handle)->is_done;
}

static bool is_closed(uint32_t handle)
{
    return call_of(handle)->is_closed;
}

static void expect_result(const char *what, int32_t result, int32_t wanted)
{
    if (result != wanted)
        fail(EXIT_CALL, what, result);
}

/* The answer to what was asked last has to be this. */
static void expect_done(const char *what, uint32_t handle, int32_t wanted)
{
    expect_result(what, call_of(handle)->done, wanted);
}

static void expect_closed(uint32_t handle)
{
    expect_result("release answers", call_of(handle)->closed, 0);
}

static uint32_t open_socket(void)
{
    return keep(new_socket());
}

static void ask_connect_at(uint32_t handle, uint32_t ip, uint16_t port)
{
    write_address_at(ip, port);
    call_of(handle)->is_done = false;
    expect_result("connect", (int32_t)w2c_core_connect(&module, handle, ADDRESS, WIRE_ADDR_SIZE),
                  -WIRE_EINPROGRESS);
}

static void ask_connect(uint32_t handle, uint16_t port)
{
    ask_connect_at(handle, LOOPBACK, port);
}

static inline void ask_bind_at(uint32_t handle, uint32_t ip, uint16_t port)
{
    write_address_at(ip, port);
    call_of(handle)->is_done = false;
    expect_result("bind", (int32_t)w2c_core_bind(&module, handle, ADDRESS, WIRE_ADDR_SIZE),
                  -WIRE_EINPROGRESS);
}

static inline void ask_bind(uint32_t handle, uint16_t port)
{
    ask_bind_at(handle, LOOPBACK, port);
}

static inline void ask_listen(uint32_t handle, uint32_t backlog)
{
    call_of(handle)->is_done = false;
    expect_result("listen", (int32_t)w2c_core_listen(&module, handle, backlog), -WIRE_EINPROGRESS);
}

static void close_socket(uint32_t handle)
{
    expect_result("close", (int32_t)w2c_core_close(&module, handle), 0);
}

/* The handle of the next connection, whose events are kept, or 0 when there is none yet. */
static inline uint32_t accept_next(uint32_t listener)
{
    int32_t result = (int32_t)w2c_core_accept(&module, listener);
    if (result == -WIRE_EAGAIN)
        return 0;
    if (result <= 0)
        fail(EXIT_CALL, "accept", result);
    return keep((uint32_t)result);
}

static inline uint32_t counter_now(uint32_t field)
{
    w2c_core_counters(&module, COUNTERS);
    return counter(field);
}

uint32_t app_turn(uint32_t time_ms)
{
    now = time_ms;
    script_nap = 0;
    uint32_t left = guest_turn();
    return script_nap == 0 ? left : least(left, script_nap);
}

#endif
