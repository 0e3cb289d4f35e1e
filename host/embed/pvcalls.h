/*
 * Xen PV Calls for other kernels: sockets of this guest that another domain carries out.
 *
 * Link with libpvcalls.a and supply the functions of pvcalls_hypercalls.h, memcpy(), memmove() and
 * memset(). An embedder in a page of code: docs/embedding.md.
 *
 * RULES
 * - Results: 0 or positive is success; -1 to -4095 is a negative PVCALLS_E*, numbered as Linux
 *   numbers them whatever this kernel's own <errno.h> says. pvcalls_strerror() names them.
 * - Nothing here blocks, waits, spins or reads a clock. What takes time answers -EINPROGRESS or
 *   -EAGAIN, and pvcalls_poll_event() tells later. pvcalls_guest.h has calls that block.
 * - One call at a time per instance. There is no lock: serialise with a mutex, or call from one
 *   thread. Never call from an interrupt handler that may interrupt another call, and never from a
 *   function of pvcalls_hypercalls.h. Instances do not know of each other.
 * - Pointers passed in are used during the call only and may point anywhere: bytes are copied once,
 *   between the caller's buffer and the ring.
 * - Time is milliseconds, from any origin, modulo 2^32. Sizes are bytes. An event channel is named
 *   by its port, as in Xen; the port in struct pvcalls_address is TCP's, and like the IP address
 *   it is an ordinary number, not in network order.
 * - Domain 0 or whoever is the backend is not trusted: whatever it writes, the worst outcome is an
 *   error here. pvcalls_trap() of the seam is reached only by a bug of this library.
 */
#ifndef PVCALLS_H
#define PVCALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PVCALLS_ABI_VERSION 1u
#define PVCALLS_PAGE_SIZE 4096u /* Xen's, whatever this kernel's is */

/* ------------------------------------------------------------------ an instance */

/*
 * A PV Calls device and its sockets. The caller's memory, anywhere, and not to be moved or copied
 * after pvcalls_init(). There is nothing to free: when the device is CLOSED and no handle is open,
 * forget it and its memory. Before that the backend still has pages of the memory mapped.
 */
struct pvcalls {
    uint64_t own[40];
};

/* All zero but the first three is right for a kernel that owns xenstore and its event channels. */
struct pvcalls_config {
    /*
     * Memory for tables and rings, the instance's until its end: contiguous virtual addresses of
     * ordinary RAM, aligned to 4096, at most 4 GiB - 4096. Need not be zeroed, nor be contiguous
     * physically. The first page is scratch; pages of the rest are granted to the backend.
     *
     * A socket takes 2^ring_order + 1 consecutive pages while it is connected, the command ring
     * one, and tables 4 pages for 16 sockets, 6 for 64, 38 for 1,024.
     */
    void *memory;
    size_t memory_size; /* bytes, a multiple of 4096 */
    uint32_t sockets;   /* handles at most, 1 to 4064 */

    void *kernel; /* first argument of every function of pvcalls_hypercalls.h; may be NULL */

    uint32_t command_timeout_ms; /* of socket, connect, bind, listen, release; 0: none */
    uint32_t close_timeout_ms;   /* how long close keeps bytes the backend has not taken */
    uint8_t ring_order;          /* 1 to 9: rings of 2^order pages; 0: 4, or what is allowed */
    bool reuse;                  /* keep released rings and offer them again */
    uint32_t first_index;        /* 0; tests: where the indices of data rings start */

    /*
     * Only for a kernel that leaves more to the library. Both pages have to lie within `memory`,
     * and then the arena says which part of it is for tables and rings; the page before the arena
     * is scratch, and `memory` itself may have holes elsewhere.
     */
    void *arena;              /* NULL: all of memory but its first page */
    size_t arena_size;        /* bytes */
    const void *shared_info;  /* Xen's page, for pvcalls_handle_upcall(); NULL: there is none */
    void *store_page;         /* xenstore's ring, for pvcalls_xenbus_start(); NULL: the kernel's */
    uint32_t store_port;      /* event channel of that ring */
};

/*
 * Starts an instance. Result: pages left for rings; -EINVAL for memory that is not aligned, too
 * large or without an arena, for `sockets` and for pages outside memory; -ENOMEM when the tables do
 * not fit: then there is no instance, and no other call may be made. Neither the seam nor the
 * backend is touched. A ring order that the backend does not allow is found out by connect and
 * accept: -EINVAL.
 */
int32_t pvcalls_init(struct pvcalls *pv, const struct pvcalls_config *config);

/* ------------------------------------------------------------------ what goes in */

/* The event channel `port` had an event: for a kernel that calls a handler per channel. Extra,
 * early and unknown ones are harmless; a missing one is not. */
void pvcalls_handle_event(struct pvcalls *pv, uint32_t port);

/* Xen's upcall came: handles every channel that is pending in shared_info. */
void pvcalls_handle_upcall(struct pvcalls *pv);

/* Time has come to `now_ms`. Call it before connect and close, whose deadlines count from it, and
 * when pvcalls_poll_timeout() has run out. */
void pvcalls_handle_timeout(struct pvcalls *pv, uint32_t now_ms);

/* ------------------------------------------------------------------ what comes out */

#define PVCALLS_NO_TIMEOUT 0xffffffffu

/* Milliseconds after the last pvcalls_handle_timeout() until the next is due, or
 * PVCALLS_NO_TIMEOUT. Read it after every other call: sleep no longer than this. */
uint32_t pvcalls_poll_timeout(struct pvcalls *pv);

enum pvcalls_event_kind {
    PVCALLS_EVENT_NONE,   /* sleep until a channel has an event, or the timeout */
    PVCALLS_EVENT_DEVICE, /* the device is in another state */
    PVCALLS_EVENT_DONE,   /* connect, bind or listen, which answered -EINPROGRESS, is over */
    PVCALLS_EVENT_READY,  /* after -EAGAIN: ask again. Once; it says nothing of the answer */
    PVCALLS_EVENT_CLOSED, /* forget the handle: its number may be given out again */
    PVCALLS_EVENT_STORE,  /* xenstore: an answer, or a watch event */
};

struct pvcalls_event {
    enum pvcalls_event_kind kind;
    int32_t handle; /* of DONE, READY and CLOSED; of STORE: the request's number, 0 for a watch */
    union {
        struct {
            uint32_t state; /* PVCALLS_DEVICE_* */
            uint32_t fault; /* why, when not 0: pvcalls_strfault() */
            uint32_t value; /* the offending number */
        } device;
        struct {
            uint32_t command; /* PVCALLS_CONNECT, _BIND or _LISTEN; _SOCKET: it was refused */
            int32_t result;   /* 0, the backend's own errno, -ETIMEDOUT, or -EIO: device lost */
        } done;
        struct {
            uint32_t bits; /* PVCALLS_IN | ... that hold now */
        } ready;
        struct {
            int32_t result; /* of release: the backend's, 0 if not asked, -ETIMEDOUT, -EIO */
        } closed;
        struct {
            const void *payload; /* until the next call of any kind */
            uint32_t size;
            uint32_t type; /* XS_* */
        } store;
    };
};

/* Numbers of commands, as on the wire. */
#define PVCALLS_SOCKET 0
#define PVCALLS_CONNECT 1
#define PVCALLS_BIND 3
#define PVCALLS_LISTEN 4

/*
 * Writes what happened next, and answers whether anything did. Call it until it answers false,
 * after pvcalls_handle_*() and after calls that may have caused something. Events of one kind and
 * one socket coalesce; nothing overflows.
 */
bool pvcalls_poll_event(struct pvcalls *pv, struct pvcalls_event *event);

/* ------------------------------------------------------------------ the device */

enum pvcalls_device {
    PVCALLS_DEVICE_DOWN,       /* not started, or xenstore has no such device */
    PVCALLS_DEVICE_CONNECTING, /* a ring is on offer, or on the way to it */
    PVCALLS_DEVICE_CONNECTED,  /* pvcalls_socket() works */
    PVCALLS_DEVICE_CLOSING,    /* open sockets answer -EIO */
    PVCALLS_DEVICE_CLOSED,     /* nothing is granted any more; may be started anew */
    PVCALLS_DEVICE_FAILED,     /* the backend broke the protocol: pvcalls_attach_detached() next */
};

/*
 * A kernel that owns xenstore and xenbus does this, in this order; docs/embedding.md has the nodes.
 *
 * 1. Backend in state InitWait: pvcalls_attach_offer(). Result: the grant reference for `ring-ref`;
 *    -EISCONN while there is a ring, -ENOBUFS without a page, grant or channel. DEVICE: CONNECTING.
 * 2. pvcalls_attach_port(): the number for `port`. Publish both, switch to Initialised.
 * 3. Backend in state Connected: pvcalls_attach_connected() with its `max-page-order`, and
 *    PVCALLS_FEATURE_RESET if it has `feature-reset` = 1. DEVICE: CONNECTED.
 * 4. Backend Closing, Closed or gone, or DEVICE: FAILED: close every handle, and
 *    pvcalls_attach_detached(). Pending calls end with -EIO, ring, channel and grant are given
 *    back; DEVICE: CLOSED. From 1 again.
 */
int32_t pvcalls_attach_offer(struct pvcalls *pv, uint16_t backend);
uint32_t pvcalls_attach_port(struct pvcalls *pv);
#define PVCALLS_FEATURE_RESET 1u
void pvcalls_attach_connected(struct pvcalls *pv, uint32_t max_page_order, uint32_t features);
void pvcalls_attach_detached(struct pvcalls *pv);

/*
 * Or, with store_page, the library does it: brings device/pvcalls/0 up, now or once it is there,
 * and takes it down. DEVICE events tell. Start again after CLOSED.
 */
void pvcalls_xenbus_start(struct pvcalls *pv);
void pvcalls_xenbus_stop(struct pvcalls *pv);

/*
 * The library's xenstore connection for other uses. Write up to 4096 bytes of payload at
 * pvcalls_store_buffer() (NULL while a message is being sent, and without store_page), then send:
 * the request's number, and PVCALLS_EVENT_STORE later. -EAGAIN: one is being sent, or 8 wait for
 * answers; -ENODEV; -EINVAL: size. Watch tokens `d` and `b` are the library's.
 */
void *pvcalls_store_buffer(struct pvcalls *pv);
int32_t pvcalls_store_request(struct pvcalls *pv, uint32_t type, uint32_t transaction,
                              uint32_t size);

/* ------------------------------------------------------------------ sockets */

#define PVCALLS_AF_INET 2     /* these are the wire's, and may not be this kernel's */
#define PVCALLS_SOCK_STREAM 1
#define PVCALLS_IPPROTO_TCP 6

/* An IPv4 address: PVCALLS_IP(127, 0, 0, 1) is the backend domain itself. */
struct pvcalls_address {
    uint32_t ip; /* 0: any, for bind */
    uint16_t port;
};
#define PVCALLS_IP(a, b, c, d) \
    ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (uint32_t)(d))

/*
 * A handle is positive, and this instance's. After PVCALLS_EVENT_CLOSED was polled every call
 * answers -EBADF. A socket's lasting error is answered by all but poll, close and abort: -EIO after
 * the device was lost, -ETIMEDOUT after a deadline, or what the backend refused the socket with.
 */

/* A new socket: PVCALLS_AF_INET, PVCALLS_SOCK_STREAM, 0 or PVCALLS_IPPROTO_TCP. -EAFNOSUPPORT;
 * -ENOTSUP; -ENETDOWN: the device is not CONNECTED; -ENFILE: `sockets` are open. */
int32_t pvcalls_socket(struct pvcalls *pv, uint32_t domain, uint32_t type, uint32_t protocol);

/* The order of the ring that connect, or accept on this listener, will make. -EINVAL. */
int pvcalls_set_ring_order(struct pvcalls *pv, int32_t handle, uint32_t order);

/* -EINPROGRESS, and DONE later; -EALREADY; -EISCONN; -EINVAL in a state that does not fit;
 * -ENOBUFS without pages, grants or channels, and nothing is left behind. */
int pvcalls_connect(struct pvcalls *pv, int32_t handle, struct pvcalls_address address);

/* -EINPROGRESS, and DONE later; -EALREADY; -EINVAL. Linux's backend reports an address in use
 * from bind itself. */
int pvcalls_bind(struct pvcalls *pv, int32_t handle, struct pvcalls_address address);

/* -EINPROGRESS, and DONE later; -EALREADY; -EDESTADDRREQ before bind; -EINVAL. */
int pvcalls_listen(struct pvcalls *pv, int32_t handle, uint32_t backlog);

/* The handle of a connection; -EAGAIN, and READY later; -EINVAL: not listening; -EOPNOTSUPP:
 * connected; -ENFILE, -ENOBUFS; the backend's own error, once. */
int32_t pvcalls_accept(struct pvcalls *pv, int32_t handle);

#define PVCALLS_IN 1u
#define PVCALLS_OUT 4u
#define PVCALLS_ERR 8u
#define PVCALLS_HUP 16u

/* What holds now, PVCALLS_IN | ...; 0 on a listener asks the backend, and READY later. On a
 * connected socket it is a look: only -EAGAIN of the other calls brings READY. */
int pvcalls_poll(struct pvcalls *pv, int32_t handle);

/* 0, and CLOSED later: waits until the backend has taken what was sent, an error, or
 * close_timeout_ms; then releases. Allowed in every state, once. */
int pvcalls_close(struct pvcalls *pv, int32_t handle);

/* 0, and CLOSED later: releases at once; may follow a close. */
int pvcalls_abort(struct pvcalls *pv, int32_t handle);

/* ------------------------------------------------------------------ bytes */

/* On connected sockets; else -ENOTCONN. */

/* Bytes taken, 1 to size; -EAGAIN: the ring is full, READY later; -EPIPE: nobody reads; any other
 * error of the stream as it is. Tells the backend once. size 0: 0, or an error. */
int32_t pvcalls_send(struct pvcalls *pv, int32_t handle, const void *from, size_t size);

#define PVCALLS_PEEK 2u

/* Bytes copied, 1 to size; 0: end of the stream (says nothing when size is 0); -EAGAIN, and READY
 * later; the stream's error, after all data. PVCALLS_PEEK leaves the bytes where they are. */
int32_t pvcalls_recv(struct pvcalls *pv, int32_t handle, void *to, size_t size, uint32_t flags);

struct pvcalls_span {
    uint8_t *at;
    uint32_t size;
};

/*
 * The ring itself, without a copy. Free bytes, or bytes that stand there (0: end of the stream), in
 * two spans, the second empty unless they wrap; else the errors of send and recv. Valid until the
 * next commit, send or recv in that direction, close or abort. What stands in a receive window is
 * the backend's to change at any time: copy it before you parse it.
 */
int32_t pvcalls_send_window(struct pvcalls *pv, int32_t handle, struct pvcalls_span spans[2]);
int32_t pvcalls_recv_window(struct pvcalls *pv, int32_t handle, struct pvcalls_span spans[2]);

/* Publishes, or gives back, the first `size` bytes of a window. -EINVAL: there were not as many. */
int32_t pvcalls_send_commit(struct pvcalls *pv, int32_t handle, size_t size);
int32_t pvcalls_recv_commit(struct pvcalls *pv, int32_t handle, size_t size);

/* ------------------------------------------------------------------ what happened */

struct pvcalls_counters {
    uint32_t requests;      /* commands sent */
    uint32_t responses;     /* accepted */
    uint32_t notifications; /* to the backend */
    uint32_t events;        /* channels handled */
    uint32_t spurious;      /* events that brought nothing */
    uint32_t unknown;       /* events of channels that are not ours */
    uint32_t late;          /* responses to what had been given up */
    uint32_t lost;          /* now: command slots that will never be answered */
    uint32_t parked;        /* now: pages that the backend still maps */
    uint32_t frames_free;   /* now: pages for rings */
    uint32_t sockets;       /* now: handles in use */
};

void pvcalls_counters(struct pvcalls *pv, struct pvcalls_counters *counters);

/* Name of an error, "ECONNREFUSED" for -111, or "unknown error"; "no error" for 0 and above. */
const char *pvcalls_strerror(int32_t error);

/* What the backend did, for the `fault` of a DEVICE event. */
const char *pvcalls_strfault(uint32_t fault);

/* The errors that this library answers by itself or that backends are known to pass on. */
#define PVCALLS_ERRORS(_)                                                                    \
    _(EPERM, 1) _(ENOENT, 2) _(EINTR, 4) _(EIO, 5) _(ENXIO, 6) _(EBADF, 9) _(EAGAIN, 11)     \
    _(ENOMEM, 12) _(EACCES, 13) _(EFAULT, 14) _(EBUSY, 16) _(EEXIST, 17) _(ENODEV, 19)       \
    _(EINVAL, 22) _(ENFILE, 23) _(EMFILE, 24) _(ENOSPC, 28) _(EPIPE, 32) _(ERANGE, 34)       \
    _(ENOSYS, 38) _(ENODATA, 61) _(ETIME, 62) _(EPROTO, 71) _(EOVERFLOW, 75)                 \
    _(ENOTSOCK, 88) _(EDESTADDRREQ, 89) _(EOPNOTSUPP, 95) _(EAFNOSUPPORT, 97)                \
    _(EADDRINUSE, 98) _(EADDRNOTAVAIL, 99) _(ENETDOWN, 100) _(ENETUNREACH, 101)              \
    _(ECONNABORTED, 103) _(ECONNRESET, 104) _(ENOBUFS, 105) _(EISCONN, 106)                  \
    _(ENOTCONN, 107) _(ESHUTDOWN, 108) _(ETIMEDOUT, 110) _(ECONNREFUSED, 111)                \
    _(EHOSTDOWN, 112) _(EHOSTUNREACH, 113) _(EALREADY, 114) _(EINPROGRESS, 115)              \
    _(ECANCELED, 125) _(ERESTARTSYS, 512) _(ENOTSUP, 524)

enum pvcalls_error {
#define PVCALLS_ERROR_(name, number) PVCALLS_##name = number,
    PVCALLS_ERRORS(PVCALLS_ERROR_)
#undef PVCALLS_ERROR_
};

#ifdef __cplusplus
}
#endif

#endif
