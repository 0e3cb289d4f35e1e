/*
 * A guest in C without a kernel: sockets that block, a console, time. Link with libpvcalls-metal.a;
 * the image starts, brings itself up and calls app_main().
 *
 *     #include "pvcalls_guest.h"
 *
 *     int app_main(void)
 *     {
 *         struct pvcalls_address there = { PVCALLS_IP(127, 0, 0, 1), 7 };
 *         int32_t echo = guest_socket(5000);
 *         int result = guest_connect(echo, there, 5000);
 *         guest_print("connect: %s", pvcalls_strerror(result));
 *         return result;
 *     }
 *
 * RULES
 * - Timeouts are milliseconds: GUEST_FOREVER, or 0 not to wait at all. A call that has not done its
 *   work in time answers -PVCALLS_ETIMEDOUT, with a timeout of 0 -PVCALLS_EAGAIN (connect, bind,
 *   listen and close: -PVCALLS_EINPROGRESS). What it began goes on: call it again to go on waiting.
 * - Errors are negative, as in pvcalls.h; -EIO when the device was lost: close the socket and open
 *   another, which waits for the device to come back.
 * - One thread, no interrupts: between two calls nothing of this runs, so a guest that computes for
 *   long has its peers wait. There is a stack of 64 KiB, and no heap.
 */
#ifndef PVCALLS_GUEST_H
#define PVCALLS_GUEST_H

#include "pvcalls.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GUEST_FOREVER 0xffffffffu
#define GUEST_SOCKETS 64u /* open at once, at most */

/* The program. Its result ends the guest, after the device was closed: 0 powers off, others crash
 * (so that the toolstack tells). */
int app_main(void);

/* A TCP socket. Brings the device up first, or up again: waits for the backend. -ENODEV: there is
 * no xenstore, or the backend cannot be used (a line on the console says why). */
int32_t guest_socket(uint32_t timeout_ms);

/* The order of rings, 1 to 9, that connect or accept will make. */
int guest_set_ring_order(int32_t socket, uint32_t order);

/* 0; or the backend's error: -ECONNREFUSED, -EHOSTUNREACH, ... */
int guest_connect(int32_t socket, struct pvcalls_address address, uint32_t timeout_ms);

/* 0; or -EADDRINUSE, ... */
int guest_bind(int32_t socket, struct pvcalls_address address, uint32_t timeout_ms);
int guest_listen(int32_t socket, uint32_t backlog, uint32_t timeout_ms);

/* A connection to this listener. */
int32_t guest_accept(int32_t socket, uint32_t timeout_ms);

/* Bytes taken: all, or as many as there was time for; an error only when there was none. */
int32_t guest_send(int32_t socket, const void *from, size_t size, uint32_t timeout_ms);

/* Bytes that came, 1 to size, as soon as there are any; 0: end of the stream. */
int32_t guest_recv(int32_t socket, void *to, size_t size, uint32_t timeout_ms);

struct guest_poll {
    int32_t socket;
    uint32_t wanted; /* PVCALLS_IN | PVCALLS_OUT */
    uint32_t ready;  /* out: of these, and PVCALLS_ERR and PVCALLS_HUP, what holds */
};

/* Waits until something wanted holds; how many sockets are ready, 0 when time is up. On a listener
 * PVCALLS_IN says that guest_accept() will soon have a connection. */
int guest_poll(struct guest_poll *sockets, uint32_t count, uint32_t timeout_ms);

/* 0, once the backend has taken what was sent (it has 5 s) and let go; or how that failed. The
 * handle is gone then; when time is up, the close goes on by itself. */
int guest_close(int32_t socket, uint32_t timeout_ms);

/* Lets go of a socket without waiting, and drops what was sent. */
int guest_abort(int32_t socket);

/* ------------------------------------------------------------------ the rest of a guest */

/* A line on the console: %s string, %d int, %u uint32_t, %x uint64_t in hexadecimal; 254 bytes. */
void guest_print(const char *format, ...);

/* Text with ends of lines in it, of any length. */
void guest_write(const char *text, size_t size);

/* Milliseconds, modulo 2^32. */
uint32_t guest_now_ms(void);

/* Sleeps; sockets go on meanwhile. */
void guest_sleep(uint32_t ms);

/* `name=value` words of the boot arguments (xl: extra=). */
bool guest_setting_is(const char *name, const char *value);
uint32_t guest_setting_number(const char *name, uint32_t otherwise);

/* Ends the guest as it is: guest_stop() first closes the device, as the end of app_main() does. */
void guest_stop(uint32_t timeout_ms);
__attribute__((noreturn)) void guest_exit(int code);

/* For pvcalls_counters() and windows; do not poll its events. */
struct pvcalls *guest_instance(void);

#ifdef __cplusplus
}
#endif

#endif
