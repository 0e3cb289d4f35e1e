/*
 * Xen's own ring macros behind standard input: one question a line, one answer a line.
 * Used for the committed examples of layout.json and, with random and corner numbers, to compare
 * the core's index arithmetic (test/native/rings.test.ts). All numbers are decimal u32.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define xen_mb() __sync_synchronize()
#define xen_rmb() __sync_synchronize()
#define xen_wmb() __sync_synchronize()
#define __XEN_INTERFACE_VERSION__ __XEN_LATEST_INTERFACE_VERSION__
#include <xen/xen.h>
#include <xen/io/pvcalls.h>

static union {
    xen_pvcalls_sring_t sring;
    uint8_t bytes[4096];
} page;

static xen_pvcalls_front_ring_t fresh_front(void)
{
    xen_pvcalls_front_ring_t front;

    XEN_FRONT_RING_INIT(&front, &page.sring, sizeof(page));
    return front;
}

/* What byte number `index` of a stream is, for both sides of the comparison. */
static unsigned char pattern(uint32_t index)
{
    return (unsigned char)(index * 31 + (index >> 8) * 7 + 1);
}

static uint32_t fnv1a(const unsigned char *bytes, uint32_t size)
{
    uint32_t hash = 2166136261u;

    for (uint32_t i = 0; i < size; i++)
        hash = (hash ^ bytes[i]) * 16777619u;
    return hash;
}

/* write PROD CONS SIZE COUNT: the ring after COUNT bytes were written to it, zero before. */
static void answer_write(RING_IDX prod, RING_IDX cons, RING_IDX size, uint32_t count)
{
    unsigned char *ring = calloc(1, size), *bytes = malloc(count + 1);
    RING_IDX masked_prod = pvcalls_mask(prod, size);

    for (uint32_t i = 0; i < count; i++)
        bytes[i] = pattern(i);
    pvcalls_write_packet(ring, bytes, count, &masked_prod, pvcalls_mask(cons, size), size);
    printf("%u %u\n", fnv1a(ring, size), masked_prod);
    free(ring);
    free(bytes);
}

/* read PROD CONS SIZE COUNT: the first COUNT bytes of a ring that is full of the pattern. */
static void answer_read(RING_IDX prod, RING_IDX cons, RING_IDX size, uint32_t count)
{
    unsigned char *ring = malloc(size), *bytes = malloc(count + 1);
    RING_IDX masked_cons = pvcalls_mask(cons, size);

    for (uint32_t i = 0; i < size; i++)
        ring[i] = pattern(i);
    pvcalls_read_packet(bytes, ring, count, pvcalls_mask(prod, size), &masked_cons, size);
    printf("%u %u\n", fnv1a(bytes, count), masked_cons);
    free(ring);
    free(bytes);
}

/* push OLD NEW EVENT: the notify flag, and req_prod afterwards. */
static void answer_push(RING_IDX old, RING_IDX new, RING_IDX event)
{
    xen_pvcalls_front_ring_t front = fresh_front();
    int notify;

    page.sring.req_prod = old;
    page.sring.req_event = event;
    front.req_prod_pvt = new;
    RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&front, notify);
    printf("%d %u\n", notify, page.sring.req_prod);
}

/* final RSP_PROD RSP_CONS: whether there is work, and rsp_event afterwards. */
static void answer_final(RING_IDX rsp_prod, RING_IDX rsp_cons)
{
    xen_pvcalls_front_ring_t front = fresh_front();
    int work;

    page.sring.rsp_prod = rsp_prod;
    front.rsp_cons = rsp_cons;
    RING_FINAL_CHECK_FOR_RESPONSES(&front, work);
    printf("%d %u\n", work != 0, page.sring.rsp_event);
}

/* front REQ_PROD_PVT RSP_CONS RSP_PROD: slots in all, slots free, and an impossible rsp_prod. */
static void answer_front(RING_IDX req_prod_pvt, RING_IDX rsp_cons, RING_IDX rsp_prod)
{
    xen_pvcalls_front_ring_t front = fresh_front();

    front.req_prod_pvt = req_prod_pvt;
    front.rsp_cons = rsp_cons;
    printf("%u %u %d\n", (unsigned)RING_SIZE(&front), RING_FREE_REQUESTS(&front),
           RING_RESPONSE_PROD_OVERFLOW(&front, rsp_prod));
}

int main(void)
{
    char what[16];
    uint32_t a, b, c, d;

    while (scanf("%15s %u %u %u %u", what, &a, &b, &c, &d) == 5) {
        if (!strcmp(what, "push"))
            answer_push(a, b, c);
        else if (!strcmp(what, "final"))
            answer_final(a, b);
        else if (!strcmp(what, "front"))
            answer_front(a, b, c);
        else if (!strcmp(what, "queued"))
            printf("%u\n", pvcalls_queued(a, b, c));
        else if (!strcmp(what, "size"))
            printf("%lu\n", XEN_FLEX_RING_SIZE(a));
        else if (!strcmp(what, "write"))
            answer_write(a, b, c, d);
        else if (!strcmp(what, "read"))
            answer_read(a, b, c, d);
        else
            return 1;
    }
    return 0;
}
