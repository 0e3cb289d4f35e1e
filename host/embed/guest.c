/*
 * The calls of pvcalls_guest.h: the main loop turned inside out. A call that has to wait sleeps,
 * takes upcalls and events as the main loop of host/metal would, and tries again.
 */
#include "app.h"
#include "linear.h"
#include "pvcalls_guest.h"
#include "store.h"
#include "timer.h"

#define CLOSE_MS 5000u
#define STOP_MS 5000u

/* What is known of an open handle: the command in progress, and how it or the close ended. */
struct socket {
    int32_t handle; /* 0: free */
    uint32_t command; /* PVCALLS_CONNECT, ...; 0: none is in progress */
    int32_t result;
    bool done, closed, awaited; /* awaited: guest_close() wants the result */
};

static struct pvcalls pv;
static struct socket sockets[GUEST_SOCKETS];
static uint32_t device = PVCALLS_DEVICE_DOWN, fault;
static bool has_store, started;

static struct socket *find(int32_t handle)
{
    for (uint32_t i = 0; i < GUEST_SOCKETS; i++)
        if (sockets[i].handle == handle && handle > 0)
            return &sockets[i];
    return NULL;
}

/* Notes a handle that the core has given out: there is room, the core has no more than we. */
static int32_t note(int32_t handle)
{
    for (uint32_t i = 0; i < GUEST_SOCKETS && handle > 0; i++) {
        if (sockets[i].handle != 0)
            continue;
        sockets[i] = (struct socket){ .handle = handle };
        break;
    }
    return handle;
}

/* ------------------------------------------------------------------ waiting */

/* When a call gives up. It looks at the world once even when it may not wait. */
struct limit {
    uint32_t timeout_ms, since_ms;
    bool over;
};

static struct limit limit_of(uint32_t timeout_ms)
{
    return (struct limit){ .timeout_ms = timeout_ms, .since_ms = now_ms() };
}

static uint32_t left_of(const struct limit *limit)
{
    if (limit->timeout_ms == GUEST_FOREVER)
        return TIMER_NEVER;
    uint32_t gone = now_ms() - limit->since_ms;
    return gone < limit->timeout_ms ? limit->timeout_ms - gone : 0;
}

static void take_device(const struct pvcalls_event *event)
{
    device = event->device.state;
    if (event->device.fault == 0)
        return;
    fault = event->device.fault;
    guest_print("pvcalls: device: %s (%d)", pvcalls_strfault(fault), (int)event->device.value);
}

static void take_events(void)
{
    struct pvcalls_event event;
    while (pvcalls_poll_event(&pv, &event)) {
        struct socket *socket = find(event.handle);
        if (event.kind == PVCALLS_EVENT_DEVICE) {
            take_device(&event);
        } else if (event.kind == PVCALLS_EVENT_DONE && socket != NULL) {
            socket->done = true;
            socket->result = event.done.result;
        } else if (event.kind == PVCALLS_EVENT_CLOSED && socket != NULL) {
            socket->closed = true;
            socket->result = event.closed.result;
            if (!socket->awaited)
                socket->handle = 0;
        } /* READY: whoever waits asks again anyway */
    }
}

/* Sleeps until something happens, and takes it. False once the time is up. */
static bool wait_on(struct limit *limit)
{
    if (limit->over)
        return false;
    uint32_t left = left_of(limit), due = pvcalls_poll_timeout(&pv);
    limit->over = left == 0;
    if (app_wait(left < due ? left : due))
        pvcalls_handle_upcall(&pv);
    pvcalls_handle_timeout(&pv, now_ms());
    take_events();
    return true;
}

/* The core learns the time before a call that starts a deadline. */
static void tell_time(void)
{
    pvcalls_handle_timeout(&pv, now_ms());
    take_events();
}

static int timed_out(uint32_t timeout_ms, int at_once)
{
    return timeout_ms == 0 ? at_once : -PVCALLS_ETIMEDOUT;
}

/* ------------------------------------------------------------------ sockets */

/* Brings the device up, or up again. */
static int connect_device(uint32_t timeout_ms)
{
    struct limit limit = limit_of(timeout_ms);
    if (!has_store)
        return -PVCALLS_ENODEV;
    while (device != PVCALLS_DEVICE_CONNECTED) {
        if (!started || (device == PVCALLS_DEVICE_CLOSED && fault == 0)) {
            started = true;
            device = PVCALLS_DEVICE_DOWN;
            tell_time();
            pvcalls_xenbus_start(&pv);
        } else if (device == PVCALLS_DEVICE_CLOSED) {
            fault = 0; /* the next call may try again */
            return -PVCALLS_ENODEV;
        }
        if (!wait_on(&limit))
            return timed_out(timeout_ms, -PVCALLS_EAGAIN);
    }
    return 0;
}

int32_t guest_socket(uint32_t timeout_ms)
{
    int result = connect_device(timeout_ms);
    if (result < 0)
        return result;
    return note(pvcalls_socket(&pv, PVCALLS_AF_INET, PVCALLS_SOCK_STREAM, 0));
}

int guest_set_ring_order(int32_t handle, uint32_t order)
{
    return pvcalls_set_ring_order(&pv, handle, order);
}

/* What is said of a command that has been started, or was by an earlier call. */
static int await(struct socket *socket, uint32_t timeout_ms)
{
    struct limit limit = limit_of(timeout_ms);
    while (!socket->done && wait_on(&limit))
        continue;
    if (!socket->done)
        return timed_out(timeout_ms, -PVCALLS_EINPROGRESS);
    socket->command = 0;
    return socket->result;
}

static int perform(int32_t handle, uint32_t command, struct pvcalls_address address,
                   uint32_t backlog, uint32_t timeout_ms)
{
    struct socket *socket = find(handle);
    if (socket == NULL)
        return -PVCALLS_EBADF;
    if (socket->command == command)
        return await(socket, timeout_ms);
    tell_time();
    socket->done = false;
    int result = command == PVCALLS_CONNECT ? pvcalls_connect(&pv, handle, address)
                 : command == PVCALLS_BIND  ? pvcalls_bind(&pv, handle, address)
                                            : pvcalls_listen(&pv, handle, backlog);
    if (result != -PVCALLS_EINPROGRESS)
        return result;
    socket->command = command;
    return await(socket, timeout_ms);
}

int guest_connect(int32_t handle, struct pvcalls_address address, uint32_t timeout_ms)
{
    return perform(handle, PVCALLS_CONNECT, address, 0, timeout_ms);
}

int guest_bind(int32_t handle, struct pvcalls_address address, uint32_t timeout_ms)
{
    return perform(handle, PVCALLS_BIND, address, 0, timeout_ms);
}

int guest_listen(int32_t handle, uint32_t backlog, uint32_t timeout_ms)
{
    return perform(handle, PVCALLS_LISTEN, (struct pvcalls_address){ 0 }, backlog, timeout_ms);
}

int32_t guest_accept(int32_t handle, uint32_t timeout_ms)
{
    struct limit limit = limit_of(timeout_ms);
    int32_t result;
    do
        result = pvcalls_accept(&pv, handle);
    while (result == -PVCALLS_EAGAIN && wait_on(&limit));
    return result == -PVCALLS_EAGAIN ? timed_out(timeout_ms, result) : note(result);
}

int32_t guest_send(int32_t handle, const void *from, size_t size, uint32_t timeout_ms)
{
    struct limit limit = limit_of(timeout_ms);
    size_t done = 0;
    int32_t result;
    do {
        result = pvcalls_send(&pv, handle, (const uint8_t *)from + done, size - done);
        done += result > 0 ? (size_t)result : 0;
        if (result >= 0 && done == size)
            return (int32_t)done;
    } while (result >= 0 || (result == -PVCALLS_EAGAIN && wait_on(&limit)));
    if (done > 0)
        return (int32_t)done;
    return result == -PVCALLS_EAGAIN ? timed_out(timeout_ms, result) : result;
}

int32_t guest_recv(int32_t handle, void *to, size_t size, uint32_t timeout_ms)
{
    struct limit limit = limit_of(timeout_ms);
    int32_t result;
    do
        result = pvcalls_recv(&pv, handle, to, size, 0);
    while (result == -PVCALLS_EAGAIN && wait_on(&limit));
    return result == -PVCALLS_EAGAIN ? timed_out(timeout_ms, result) : result;
}

/* What holds of what is wanted; and what does not, arms its event. */
static uint32_t look_at(struct guest_poll *entry)
{
    struct pvcalls_span spans[2];
    if (entry->wanted & PVCALLS_IN)
        pvcalls_recv_window(&pv, entry->socket, spans);
    if (entry->wanted & PVCALLS_OUT)
        pvcalls_send_window(&pv, entry->socket, spans);
    int bits = pvcalls_poll(&pv, entry->socket);
    if (bits < 0)
        return PVCALLS_ERR;
    return (uint32_t)bits & (entry->wanted | PVCALLS_ERR | PVCALLS_HUP);
}

int guest_poll(struct guest_poll *list, uint32_t count, uint32_t timeout_ms)
{
    struct limit limit = limit_of(timeout_ms);
    int ready;
    do {
        ready = 0;
        for (uint32_t i = 0; i < count; i++) {
            list[i].ready = look_at(&list[i]);
            ready += list[i].ready != 0;
        }
    } while (ready == 0 && wait_on(&limit));
    return ready;
}

int guest_close(int32_t handle, uint32_t timeout_ms)
{
    struct limit limit = limit_of(timeout_ms);
    struct socket *socket = find(handle);
    if (socket == NULL)
        return -PVCALLS_EBADF;
    tell_time();
    int result = pvcalls_close(&pv, handle);
    if (result < 0 && !(result == -PVCALLS_EBADF && socket->handle != 0))
        return result; /* EBADF: closing already, and waited for once more */
    socket->closed = false;
    socket->awaited = true;
    while (!socket->closed && wait_on(&limit))
        continue;
    socket->awaited = false;
    if (!socket->closed)
        return timed_out(timeout_ms, -PVCALLS_EINPROGRESS);
    socket->handle = 0;
    return socket->result;
}

int guest_abort(int32_t handle)
{
    tell_time();
    return pvcalls_abort(&pv, handle);
}

/* ------------------------------------------------------------------ the rest of a guest */

void guest_sleep(uint32_t ms)
{
    struct limit limit = limit_of(ms);
    while (wait_on(&limit))
        continue;
}

struct pvcalls *guest_instance(void)
{
    return &pv;
}

void guest_stop(uint32_t timeout_ms)
{
    struct limit limit = limit_of(timeout_ms);
    for (uint32_t i = 0; i < GUEST_SOCKETS; i++)
        if (sockets[i].handle != 0)
            guest_abort(sockets[i].handle);
    if (!started)
        return;
    pvcalls_xenbus_stop(&pv);
    while (device != PVCALLS_DEVICE_CLOSED && device != PVCALLS_DEVICE_DOWN && wait_on(&limit))
        continue;
    started = false;
}

void app_start(void)
{
    struct pvcalls_config config = {
        .memory = linear_at(0),
        .memory_size = LINEAR_ARENA + (size_t)linear_arena_frames() * PVCALLS_PAGE_SIZE,
        .sockets = GUEST_SOCKETS,
        .close_timeout_ms = CLOSE_MS,
        .arena = linear_at(LINEAR_ARENA),
        .arena_size = (size_t)linear_arena_frames() * PVCALLS_PAGE_SIZE,
        .shared_info = linear_at(LINEAR_SHARED_INFO),
        .store_page = store_page() == 0 ? NULL : linear_at(store_page()),
        .store_port = store_port(),
        .first_index = guest_setting_number("first", 0),
    };
    has_store = config.store_page != NULL;
    int32_t frames = pvcalls_init(&pv, &config);
    if (frames < 0) {
        guest_print("pvcalls: init: %s", pvcalls_strerror(frames));
        guest_exit(1);
    }
    tell_time();
    int code = app_main();
    guest_stop(STOP_MS);
    guest_exit(code);
}

/* app_start() does not return, so the main loop is never entered. */
void app_upcall(void)
{
}

uint32_t app_turn(uint32_t now)
{
    (void)now;
    return TIMER_NEVER;
}
