/*
 * What every guest of Linux's backend does: bring the device up over xenbus, take events, take the
 * device down when its work is over, and see that nothing is left. The file that includes this is
 * the application; it supplies go_on(), take_done() and take_closed().
 *
 * Settings: order (of data rings), first (their first index), flags (as struct init has them), wait
 * (ms for the backend), command (ms for an answer), timeout (ms for everything), parked (frames
 * that the backend is known to keep when all is over; there must be as many then).
 */
#ifndef PVCALLS_TEST_LINUX_GUEST_H
#define PVCALLS_TEST_LINUX_GUEST_H

#include "app.h"
#include "console.h"
#include "linear.h"
#include "panic.h"
#include "settings.h"
#include "store.h"
#include "timer.h"
#include "wire.h"

#include "core.h"

#define EXIT_DEVICE 3 /* the device did not come up, or was lost */
#define EXIT_CALL 4   /* a call failed that should not, or did not that should */
#define EXIT_BYTES 5  /* other bytes came than were to come */
#define EXIT_LEAK 6   /* something was not given back */
#define EXIT_TIME 7

#ifdef __x86_64__
#define ARCHITECTURE WIRE_ARCHITECTURE_X86_64
#else
#define ARCHITECTURE WIRE_ARCHITECTURE_ARM64
#endif

#define CONFIG LINEAR_RAM
#define EVENT (LINEAR_RAM + 0x100)
#define ADDRESS (LINEAR_RAM + 0x200)
#define COUNTERS (LINEAR_RAM + 0x300)
#define BUFFERS (LINEAR_RAM + 0x1000) /* the application's, up to LINEAR_ARENA */

#ifndef SOCKETS
#define SOCKETS 16u
#endif
#define LINUX_ORDER 4u /* what Linux publishes as max-page-order */

static w2c_core module;
static enum { COMING_UP, WORKING, GOING_DOWN } life;
static uint32_t device = WIRE_DEVICE_DOWN;
static uint32_t started_ms, now, ring_size, frames_free;
static const char *doing = "device"; /* for the console: what the application is at */
static bool may_be_lost; /* the application expects to lose the device, and looks at `device` */

/* The application's: goes one thing further, while the device is connected; whether it could. */
static bool go_on(void);
static void take_done(uint32_t handle, uint32_t command, int32_t result);
static void take_closed(uint32_t handle, int32_t result);

static void fail(int code, const char *what, int32_t result)
{
    console_print("linux: %s: %s: %d", doing, what, result);
    guest_exit(code);
}

static uint32_t *word(uint32_t address)
{
    return linear_at(address);
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

#define LOOPBACK 0x7f000001u /* dom0 itself */

/* Wire: the family in our order, port and address in the network's. */
static void write_address_at(uint32_t ip, uint16_t port)
{
    uint8_t *address = linear_at(ADDRESS);
    const uint8_t bytes[8] = { 2, 0, (uint8_t)(port >> 8), (uint8_t)port, (uint8_t)(ip >> 24),
                               (uint8_t)(ip >> 16), (uint8_t)(ip >> 8), (uint8_t)ip };
    for (uint32_t i = 0; i < WIRE_ADDR_SIZE; i++)
        address[i] = i < sizeof bytes ? bytes[i] : 0;
}

static inline void write_address(uint16_t port)
{
    write_address_at(LOOPBACK, port);
}

static uint32_t new_socket(void)
{
    int32_t result = (int32_t)w2c_core_socket(&module, 2, 1, 0);
    if (result <= 0)
        fail(EXIT_CALL, "socket", result);
    return (uint32_t)result;
}

/* The application's work is over, and its sockets are closed. */
static void guest_stop(void)
{
    doing = "device";
    life = GOING_DOWN;
    w2c_core_xenbus_stop(&module);
}

static void take_device(uint32_t state, uint32_t reason, uint32_t value)
{
    device = state;
    if (reason == WIRE_FAULT_OFFER)
        fail(EXIT_DEVICE, "no ring can be offered to the backend's domain", (int32_t)value);
    if (reason != WIRE_FAULT_NONE)
        console_print("linux: device: fault %u, value %d", reason, (int)value);
    bool lost = state == WIRE_DEVICE_CLOSED && life != GOING_DOWN && !may_be_lost;
    if (state == WIRE_DEVICE_FAILED || lost)
        fail(EXIT_DEVICE, "the device is lost in state", (int32_t)state);
}

static void take_events(void)
{
    while (w2c_core_poll_event(&module, EVENT) != WIRE_EVENT_NONE) {
        uint32_t handle = *word(EVENT + WIRE_EVENT_HANDLE), a = *word(EVENT + WIRE_EVENT_A);
        uint32_t b = *word(EVENT + WIRE_EVENT_B), c = *word(EVENT + WIRE_EVENT_C);
        uint32_t kind = *word(EVENT + WIRE_EVENT_KIND);
        if (kind == WIRE_EVENT_DEVICE)
            take_device(a, b, c);
        else if (kind == WIRE_EVENT_DONE)
            take_done(handle, a, (int32_t)b);
        else if (kind == WIRE_EVENT_CLOSED)
            take_closed(handle, (int32_t)b);
        /* READY says "ask again", which every turn does anyway */
    }
}

static uint32_t counter(uint32_t field)
{
    return *word(COUNTERS + field);
}

/* The end: nothing may be out, or the backend or this core has leaked it. */
static void account(void)
{
    w2c_core_counters(&module, COUNTERS);
    uint32_t kept = setting_number("parked", 0);
    uint32_t parked = counter(WIRE_COUNTER_PARKED), lost = counter(WIRE_COUNTER_LOST);
    uint32_t sockets = counter(WIRE_COUNTER_SOCKETS);
    uint32_t frames = frames_free - counter(WIRE_COUNTER_FRAMES_FREE);
    console_print("linux: counters: requests %u, responses %u, notifications %u, events %u, "
                  "spurious %u, unknown %u, late %u",
                  counter(WIRE_COUNTER_REQUESTS), counter(WIRE_COUNTER_RESPONSES),
                  counter(WIRE_COUNTER_NOTIFICATIONS), counter(WIRE_COUNTER_EVENTS),
                  counter(WIRE_COUNTER_SPURIOUS), counter(WIRE_COUNTER_UNKNOWN),
                  counter(WIRE_COUNTER_LATE));
    console_print("linux: left over: parked %u, lost %u, sockets %u, frames %u", parked, lost,
                  sockets, frames);
    if (parked != kept || lost != 0 || sockets != 0 || frames != kept)
        guest_exit(EXIT_LEAK);
}

static bool advance(void)
{
    if (life == WORKING)
        return go_on();
    if (life == GOING_DOWN && device == WIRE_DEVICE_CLOSED) {
        account();
        console_print("linux: all done after %u ms", now_ms() - started_ms);
        guest_exit(0);
    }
    if (life == GOING_DOWN || device != WIRE_DEVICE_CONNECTED)
        return false;
    console_print("linux: connected after %u ms", now - started_ms);
    life = WORKING;
    return true;
}

/* Milliseconds until `limit` after `since`; fails when that is past. */
static uint32_t patience(uint32_t since, uint32_t limit, int code, const char *what)
{
    if (now - since >= limit)
        fail(code, what, (int32_t)limit);
    return limit - (now - since);
}

static void configure(uint32_t field, uint32_t value)
{
    *word(CONFIG + field) = value;
}

void app_start(void)
{
    if (store_page() == 0)
        fail(EXIT_DEVICE, "xl gave this guest no xenstore", 0);
    uint32_t order = setting_number("order", WIRE_RING_ORDER_DEFAULT);
    ring_size = 1u << ((order == WIRE_RING_ORDER_DEFAULT ? LINUX_ORDER : order) + 11);
    started_ms = now = now_ms();
    wasm2c_core_instantiate(&module, 0, 0);
    configure(WIRE_INIT_ARENA, LINEAR_ARENA);
    configure(WIRE_INIT_FRAMES, linear_arena_frames());
    configure(WIRE_INIT_SOCKETS, SOCKETS);
    configure(WIRE_INIT_RING_ORDER, order);
    configure(WIRE_INIT_SHARED_INFO, LINEAR_SHARED_INFO);
    configure(WIRE_INIT_ARCHITECTURE, ARCHITECTURE);
    configure(WIRE_INIT_STORE_PAGE, store_page());
    configure(WIRE_INIT_STORE_PORT, store_port());
    configure(WIRE_INIT_COMMAND_TIMEOUT_MS, setting_number("command", 20000));
    configure(WIRE_INIT_CLOSE_TIMEOUT_MS, setting_number("command", 20000));
    configure(WIRE_INIT_FLAGS, setting_number("flags", 0));
    configure(WIRE_INIT_FIRST_INDEX, setting_number("first", 0));
    int32_t result = (int32_t)w2c_core_init(&module, CONFIG);
    if (result < 0)
        fail(EXIT_DEVICE, "init", result);
    frames_free = (uint32_t)result;
    w2c_core_handle_timeout(&module, now);
    w2c_core_xenbus_start(&module);
    console_print("linux: guest is up, %u frames, rings of %u bytes", frames_free, ring_size);
}

void app_upcall(void)
{
    w2c_core_handle_upcall(&module);
}

/* A turn of the device and the application; the latter's own patience is its own affair. */
static uint32_t guest_turn(void)
{
    w2c_core_handle_timeout(&module, now);
    do
        take_events();
    while (advance());
    uint32_t whole = setting_number("timeout", 60000), wait = setting_number("wait", 10000);
    uint32_t left = patience(started_ms, whole, EXIT_TIME, "time is up, ms");
    if (life == COMING_UP)
        left = least(left, patience(started_ms, wait, EXIT_DEVICE,
                                    "no backend (is pvcalls-back loaded in dom0?), ms"));
    return least(left, w2c_core_poll_timeout(&module));
}

#endif
