/*
 * The floor of the byte ring: Xen's own macros with sequentially consistent indices, each checked
 * as the core checks it. One command a line on standard input; the answer is a line with the
 * nanoseconds of the fastest of RUNS runs, each on an empty ring:
 *
 *   one SIZE CHUNKS   writes and reads CHUNKS times SIZE bytes on one thread
 *   two SIZE CHUNKS   one thread writes, this one reads, both looking at the indices
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define xen_mb() __sync_synchronize()
#define xen_rmb() __sync_synchronize()
#define xen_wmb() __sync_synchronize()
#define __XEN_INTERFACE_VERSION__ __XEN_LATEST_INTERFACE_VERSION__
#include <xen/xen.h>
#include <xen/io/pvcalls.h>

#define RING_ORDER 7 /* 256 KiB each way, as in ring.bench.ts */
#define RING_BYTES XEN_FLEX_RING_SIZE(RING_ORDER)
#define CHUNK_MAX 65536
#define RUNS 8 /* as in rounds.ts, fastest() */

static union {
    struct pvcalls_data_intf intf;
    unsigned char bytes[4096];
} page __attribute__((aligned(4096)));
static unsigned char out[RING_BYTES] __attribute__((aligned(4096)));
static unsigned char from[CHUNK_MAX] __attribute__((aligned(64)));
static unsigned char to[CHUNK_MAX] __attribute__((aligned(64)));

/* Each end has its own lines, as two domains have. */
static struct end {
    RING_IDX prod, cons, told;
} writer __attribute__((aligned(128))), reader __attribute__((aligned(128)));

static volatile unsigned notified;

static RING_IDX load(RING_IDX *index)
{
    return __atomic_load_n(index, __ATOMIC_SEQ_CST);
}

static void store(RING_IDX *index, RING_IDX value)
{
    __atomic_store_n(index, value, __ATOMIC_SEQ_CST);
}

/* The peer's index may only move forward, and not beyond our own. */
static int put(uint32_t size)
{
    RING_IDX cons = load(&page.intf.out_cons), masked;
    RING_IDX used = writer.prod - cons;

    if (used > writer.prod - writer.cons)
        abort();
    writer.cons = cons;
    if (RING_BYTES - used < size)
        return 0;
    masked = pvcalls_mask(writer.prod, RING_BYTES);
    pvcalls_write_packet(out, from, size, &masked, pvcalls_mask(cons, RING_BYTES), RING_BYTES);
    writer.prod += size;
    store(&page.intf.out_prod, writer.prod);
    return 1;
}

static int take(uint32_t size)
{
    RING_IDX prod = load(&page.intf.out_prod), masked;
    RING_IDX ready = prod - reader.cons;

    if (ready > RING_BYTES || ready < reader.prod - reader.cons)
        abort();
    reader.prod = prod;
    if (ready < size)
        return 0;
    masked = pvcalls_mask(reader.cons, RING_BYTES);
    pvcalls_read_packet(to, out, size, pvcalls_mask(prod, RING_BYTES), &masked, RING_BYTES);
    reader.cons += size;
    store(&page.intf.out_cons, reader.cons);
    if (load(&page.intf.out_prod) - reader.told >= RING_BYTES) {
        reader.told = reader.cons;
        notified = notified + 1;
    }
    return 1;
}

struct job {
    uint32_t size, chunks;
    int started;
};

static void *write_all(void *argument)
{
    struct job *job = argument;

    __atomic_store_n(&job->started, 1, __ATOMIC_SEQ_CST);
    for (uint32_t i = 0; i < job->chunks; i++)
        while (!put(job->size))
            ;
    return NULL;
}

static double now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1e9 + now.tv_nsec;
}

static double one(struct job *job)
{
    double started = now_ns();

    for (uint32_t i = 0; i < job->chunks; i++)
        if (!put(job->size) || !take(job->size))
            abort();
    return now_ns() - started;
}

static double two(struct job *job)
{
    pthread_t thread;
    double started;

    if (pthread_create(&thread, NULL, write_all, job))
        abort();
    while (!__atomic_load_n(&job->started, __ATOMIC_SEQ_CST))
        ;
    started = now_ns();
    for (uint32_t i = 0; i < job->chunks; i++)
        while (!take(job->size))
            ;
    started = now_ns() - started;
    pthread_join(thread, NULL);
    return started;
}

/* One run, checked; negative when the bytes did not come through. */
static double run(const char *what, struct job *job)
{
    double ns;

    job->started = 0;
    memset(&page, 0, sizeof(page));
    memset(&writer, 0, sizeof(writer));
    memset(&reader, 0, sizeof(reader));
    memset(to, 0, job->size);
    ns = strcmp(what, "two") ? one(job) : two(job);
    return memcmp(to, from, job->size) ? -1 : ns;
}

int main(void)
{
    char what[8];
    struct job job;

    for (int i = 0; i < CHUNK_MAX; i++)
        from[i] = (unsigned char)(i * 31 + 1);
    while (scanf("%7s %u %u", what, &job.size, &job.chunks) == 3) {
        double least = 1e18;

        if (job.size > CHUNK_MAX)
            return 1;
        for (int i = 0; i < RUNS; i++) {
            double ns = run(what, &job);

            if (ns < 0)
                return 1;
            least = ns < least ? ns : least;
        }
        printf("%.0f\n", least);
        fflush(stdout);
    }
    return 0;
}
