/*
 * A guest of Linux's own pvcalls backend that calls dom0's servers one after the other.
 *
 * Each step is a connection: what it sends and expects is told by its `turn`, which goes on until
 * nothing is to be had and is called again after every wake-up. The guest ends with code 0 only if
 * every byte was right; dom0's servers keep their own account (test/xen/dom0/servers.c).
 *
 * Settings: those of linux-guest.h, and bytes (each way).
 */
#include "linux-guest.h"
#include "pattern.h"
#include "services.h"
#include "sha256.h"

#define OUTGOING BUFFERS
#define INCOMING (BUFFERS + CHUNK)
#define CHUNK 0x10000u
#define EOF_PATIENCE_MS 1000u

struct direction {
    uint32_t offset, left;
    struct sha256 hash;
};

struct step {
    const char *name;
    uint16_t port;
    void (*start)(void);
    bool (*turn)(void); /* whether the step is done, and the socket is to be closed */
};

static enum { BEGINNING, CONNECTING, TALKING, CLOSING } phase;
static const struct step *step;
static uint32_t handle, step_ms;
static struct direction outgoing, incoming;
static uint32_t pending_from, pending_size;
static bool is_done, is_closed;
static int32_t done_result, closed_result;

static void expect(struct direction *direction, uint32_t bytes)
{
    direction->offset = 0;
    direction->left = bytes;
    sha256_start(&direction->hash);
}

/* Bytes beside the pattern: lengths and digests. All before them has been sent. */
static void send_raw(const void *bytes, uint32_t size)
{
    for (uint32_t i = 0; i < size; i++)
        ((uint8_t *)linear_at(OUTGOING))[i] = ((const uint8_t *)bytes)[i];
    pending_from = OUTGOING;
    pending_size = size;
}

/* Whether everything that was produced is in the ring. */
static bool flush(void)
{
    while (pending_size > 0) {
        int32_t sent = (int32_t)w2c_core_send(&module, handle, pending_from, pending_size);
        if (sent == -WIRE_EAGAIN)
            return false;
        if (sent <= 0)
            fail(EXIT_CALL, "send", sent);
        pending_from += (uint32_t)sent;
        pending_size -= (uint32_t)sent;
    }
    return true;
}

/* Whether all of `outgoing` is in the ring. */
static bool send_pattern(void)
{
    while (flush() && outgoing.left > 0) {
        uint32_t size = least(CHUNK, outgoing.left);
        pattern_fill(linear_at(OUTGOING), outgoing.offset, size);
        sha256_add(&outgoing.hash, linear_at(OUTGOING), size);
        outgoing.offset += size;
        outgoing.left -= size;
        pending_from = OUTGOING;
        pending_size = size;
    }
    return pending_size == 0 && outgoing.left == 0;
}

/* Bytes received, or 0 when there are none yet. An end of the stream is told by `ended`. */
static uint32_t receive(uint32_t most, bool *ended)
{
    int32_t got = (int32_t)w2c_core_recv(&module, handle, INCOMING, least(CHUNK, most), 0);
    *ended = got == 0;
    if (got < 0 && got != -WIRE_EAGAIN)
        fail(EXIT_CALL, "recv", got);
    return got < 0 ? 0 : (uint32_t)got;
}

/* Whether all of `incoming` has come. */
static bool receive_pattern(void)
{
    bool ended = false;
    while (incoming.left > 0) {
        uint32_t size = receive(incoming.left, &ended);
        if (size == 0)
            break;
        uint32_t right = pattern_match(linear_at(INCOMING), incoming.offset, size);
        if (right != size)
            fail(EXIT_BYTES, "wrong byte at", (int32_t)(incoming.offset + right));
        sha256_add(&incoming.hash, linear_at(INCOMING), size);
        incoming.offset += size;
        incoming.left -= size;
    }
    if (ended)
        fail(EXIT_BYTES, "the stream ended early, bytes missing", (int32_t)incoming.left);
    return incoming.left == 0;
}

#include "linux-steps.h"

static void begin(void)
{
    step = step == NULL ? steps : step + 1;
    if (step == steps + STEPS) {
        guest_stop();
        return;
    }
    doing = step->name;
    step_ms = now_ms();
    phase = CONNECTING;
    is_done = is_closed = false;
    pending_size = 0;
    handle = new_socket();
    write_address(step->port);
    int32_t result = (int32_t)w2c_core_connect(&module, handle, ADDRESS, WIRE_SOCKADDR_IN_SIZE);
    if (result != -WIRE_EINPROGRESS)
        fail(EXIT_CALL, "connect", result);
}

/* The answer to connect(): what it has to be depends on whether anybody listens. */
static void judge_connect(void)
{
    int32_t wanted = step->turn == NULL ? -WIRE_ECONNREFUSED : 0;
    if (done_result != wanted)
        fail(EXIT_CALL, "connect answers", done_result);
    if (step->start != NULL)
        step->start();
    phase = TALKING;
}

static void take_done(uint32_t of, uint32_t command, int32_t result)
{
    if (of != handle || command != WIRE_PVCALLS_CONNECT)
        fail(EXIT_CALL, "unexpected end of command", (int32_t)command);
    is_done = true;
    done_result = result;
}

static void take_closed(uint32_t of, int32_t result)
{
    is_closed = of == handle;
    closed_result = result;
}

static bool go_on(void)
{
    switch (phase) {
    case BEGINNING:
        begin();
        return true;
    case CONNECTING:
        if (!is_done)
            return false;
        judge_connect();
        return true;
    case TALKING:
        if (step->turn != NULL && !step->turn())
            return false;
        w2c_core_close(&module, handle);
        phase = CLOSING;
        return true;
    default:
        if (!is_closed)
            return false;
        if (closed_result != 0)
            fail(EXIT_CALL, "release answers", closed_result);
        console_print("linux: %s: done after %u ms", step->name, now_ms() - step_ms);
        begin();
        return true;
    }
}

uint32_t app_turn(uint32_t time_ms)
{
    now = time_ms;
    uint32_t left = guest_turn();
    return phase == TALKING && step->port == SERVICE_BURST ? least(left, EOF_PATIENCE_MS) : left;
}
