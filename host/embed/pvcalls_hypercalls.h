/*
 * The seam: all that libpvcalls.a asks of a kernel on Xen. Supply these functions, and memcpy(),
 * memmove() and memset(). docs/embedding.md maps them to mini-os, Zephyr and Unikraft.
 *
 * - They are called from pvcalls_*() calls only, in the context of the caller: from an interrupt
 *   handler only if the kernel itself makes such a call in one. They may take locks and make
 *   hypercalls; they must not block for long, and must not call back into the instance.
 * - `kernel` is that of struct pvcalls_config.
 * - An error is a negative errno, -1 to -4095. Any will do, but for -16 (-EBUSY).
 */
#ifndef PVCALLS_HYPERCALLS_H
#define PVCALLS_HYPERCALLS_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * EVTCHNOP_alloc_unbound: a channel, 1 to 4095, that domain `remote` may bind; or an error. From
 * connect, accept and attach_offer. An event on it has to lead to pvcalls_handle_event() (or
 * pvcalls_handle_upcall()), later, and not from within this function; so leave it unmasked.
 */
int32_t pvcalls_evtchn_alloc_unbound(void *kernel, uint16_t remote);

/* EVTCHNOP_send: marks the channel pending at the other end. From nearly every call. The result is
 * ignored: the other end may be gone. It must be a full barrier to memory, as a hypercall is. */
int pvcalls_evtchn_send(void *kernel, uint32_t port);

/*
 * Keeps the channel from interrupting; it may still become pending. A bit of evtchn_mask in
 * shared_info. From an event or upcall, when the other end floods the channel. The result is
 * ignored; a kernel may do nothing, and then has the flood.
 */
int pvcalls_evtchn_mask(void *kernel, uint32_t port);

/* EVTCHNOP_unmask: lets it again, and what became pending meanwhile is told now, or after this
 * function: clearing the bit alone loses it. From pvcalls_handle_timeout(). Ignored as well. */
int pvcalls_evtchn_unmask(void *kernel, uint32_t port);

/* EVTCHNOP_close: frees the channel. Events on it that are still on their way are harmless. */
int pvcalls_evtchn_close(void *kernel, uint32_t port);

/*
 * Lets domain `remote` map the 4096 bytes at `page`, which lie in the memory of
 * struct pvcalls_config. Result: the grant reference, not 0, or an error such as -28 (-ENOSPC).
 * `readonly` is always false.
 */
int32_t pvcalls_gnttab_grant_access(void *kernel, uint16_t remote, void *page, bool readonly);

/*
 * Takes a grant back and frees its reference. 0; or -16 (-EBUSY) when the other end still has the
 * page mapped: then nothing has changed, the page is not used again, and the call is repeated every
 * 500 ms until it succeeds. It must not wait for that.
 */
int pvcalls_gnttab_end_access(void *kernel, uint32_t ref);

/* A bug of the library, told in a few words. Must not return: stop the kernel, or the thread; the
 * instance is dead and its pages stay granted. */
__attribute__((noreturn)) void pvcalls_trap(const char *reason);

#ifdef __cplusplus
}
#endif

#endif
