/*
 * One of two Dom0less guests: streams a pattern to the other over build/dom0less.wasm, hashes the
 * pattern that comes back, tells the other what it found, and ends with an exit code.
 *
 * Settings: role=receiver|sender, peer (domid), bytes, order, first (index), ref (of the rendezvous
 * page), timeout (ms). Sizes of writes and reads vary, so that they fall on every edge of the ring,
 * and events that mean nothing are sent in between.
 */
#include "app.h"
#include "console.h"
#include "linear.h"
#include "panic.h"
#include "settings.h"
#include "timer.h"
#include "wire.h"

#include "dom0less.h"

#define EXIT_LINK 3   /* the link failed */
#define EXIT_BYTES 4  /* the other end found other bytes than were sent, or the stream was cut */

#define CONFIG LINEAR_RAM
#define OUTGOING (LINEAR_RAM + 0x1000)
#define INCOMING (LINEAR_RAM + 0x9000)
#define CHUNK_MAX 0x3000u
#define SPURIOUS_EVERY 16u

#define FNV_OFFSET 0x811c9dc5u
#define FNV_PRIME 0x01000193u

struct direction {
    uint32_t left;   /* bytes of the pattern still to come */
    uint32_t hash;   /* FNV-1a of those that came */
    uint32_t tail;   /* bytes of the other end's verdict, of 4 */
    uint32_t verdict;
};

static w2c_dom0less module;
static struct direction outgoing, incoming;
static uint32_t pattern; /* state of the generator */
static uint32_t chunks;  /* state of the sizes */
static uint32_t pending_from, pending_size;
static uint32_t turns, sends;
static bool closing;

static uint8_t *bytes_at(uint32_t address)
{
    return linear_at(address);
}

static uint32_t hash_of(uint32_t hash, const uint8_t *bytes, uint32_t size)
{
    for (uint32_t i = 0; i < size; i++)
        hash = (hash ^ bytes[i]) * FNV_PRIME;
    return hash;
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static uint32_t next_size(void)
{
    chunks = chunks * 1664525u + 1013904223u;
    return 1 + (chunks >> 8) % CHUNK_MAX;
}

/* The next bytes to send: of the pattern, and after it of the verdict on what came in. */
static void produce(void)
{
    uint8_t *bytes = bytes_at(OUTGOING);
    pending_from = OUTGOING;
    pending_size = least(next_size(), outgoing.left);
    for (uint32_t i = 0; i < pending_size; i++) {
        pattern = pattern * 1664525u + 1013904223u;
        bytes[i] = (uint8_t)(pattern >> 24);
    }
    outgoing.hash = hash_of(outgoing.hash, bytes, pending_size);
    outgoing.left -= pending_size;
    if (pending_size != 0 || incoming.left != 0 || outgoing.tail == 4)
        return;
    for (; outgoing.tail < 4; outgoing.tail++)
        bytes[outgoing.tail] = (uint8_t)(incoming.hash >> outgoing.tail * 8);
    pending_size = 4;
}

/* Whether something was sent. */
static bool send_some(void)
{
    if (pending_size == 0)
        produce();
    if (pending_size == 0)
        return false;
    int32_t result = (int32_t)w2c_dom0less_send(&module, pending_from, pending_size);
    if (result <= 0)
        return false;
    pending_from += (uint32_t)result;
    pending_size -= (uint32_t)result;
    if (++sends % SPURIOUS_EVERY == 0)
        w2c_hypercalls_evtchn_send(0, w2c_dom0less_port(&module));
    return true;
}

/* Whether something came, or the stream ended. */
static bool receive_some(void)
{
    uint32_t want = incoming.left != 0 ? least(next_size(), incoming.left) : 4 - incoming.tail;
    if (want == 0)
        return false;
    int32_t result = (int32_t)w2c_dom0less_recv(&module, INCOMING, want);
    if (result <= 0) {
        if (result == 0) {
            console_print("pair: the other end closed %u bytes early", incoming.left);
            guest_exit(EXIT_BYTES);
        }
        return false;
    }
    uint32_t size = (uint32_t)result;
    if (incoming.left != 0) {
        incoming.hash = hash_of(incoming.hash, bytes_at(INCOMING), size);
        incoming.left -= size;
        return true;
    }
    for (uint32_t i = 0; i < size; i++)
        incoming.verdict |= (uint32_t)bytes_at(INCOMING)[i] << (incoming.tail++ * 8);
    return true;
}

static bool is_done(void)
{
    return outgoing.left == 0 && pending_size == 0 && outgoing.tail == 4 && incoming.tail == 4;
}

static void report(void)
{
    console_print("pair: received hash %x, sent hash %x", (uint64_t)incoming.hash,
                  (uint64_t)outgoing.hash);
    console_print("pair: turns %u, events %u, notifications %u", turns,
                  w2c_dom0less_events(&module), w2c_dom0less_notifications(&module));
    if (incoming.verdict == outgoing.hash)
        return;
    console_print("pair: the other end received hash %x", (uint64_t)incoming.verdict);
    guest_exit(EXIT_BYTES);
}

static void configure(uint32_t field, uint32_t value)
{
    *(uint32_t *)linear_at(CONFIG + field) = value;
}

void app_start(void)
{
    bool receiver = setting_is("role", "receiver");
    outgoing.left = incoming.left = setting_number("bytes", 0x10000);
    outgoing.hash = incoming.hash = FNV_OFFSET;
    pattern = chunks = receiver ? 1 : 2;
    wasm2c_dom0less_instantiate(&module, 0, 0);
    configure(WIRE_LINK_ARENA, LINEAR_ARENA);
    configure(WIRE_LINK_FRAMES, linear_arena_frames());
    configure(WIRE_LINK_ROLE, receiver ? WIRE_ROLE_RECEIVER : WIRE_ROLE_SENDER);
    configure(WIRE_LINK_PEER, setting_number("peer", 1));
    configure(WIRE_LINK_SHARED_INFO, LINEAR_SHARED_INFO);
    configure(WIRE_LINK_RING_ORDER, setting_number("order", 4));
    configure(WIRE_LINK_RENDEZVOUS_REF, setting_number("ref", WIRE_GNTTAB_NR_RESERVED_ENTRIES));
    configure(WIRE_LINK_TIMEOUT_MS, setting_number("timeout", 5000));
    configure(WIRE_LINK_FIRST_INDEX, setting_number("first", 0));
    configure(WIRE_LINK_NOW_MS, now_ms());
    int32_t result = (int32_t)w2c_dom0less_init(&module, CONFIG);
    if (result < 0) {
        console_print("pair: init: %d", result);
        guest_exit(EXIT_LINK);
    }
    console_print("pair: %s is up", receiver ? "receiver" : "sender");
}

void app_upcall(void)
{
    w2c_dom0less_handle_upcall(&module);
}

uint32_t app_turn(uint32_t now)
{
    turns++;
    w2c_dom0less_handle_timeout(&module, now);
    uint32_t state = w2c_dom0less_state(&module);
    if (state == WIRE_LINK_CONNECTED) {
        for (bool more = true; more;)
            more = send_some() | receive_some();
        if (is_done() && !closing) {
            closing = true;
            report();
            w2c_dom0less_close(&module);
        }
        state = w2c_dom0less_state(&module);
    }
    if (state == WIRE_LINK_CLOSED)
        guest_exit(0);
    if (state == WIRE_LINK_FAILED) {
        console_print("pair: the link failed: %d", (int32_t)w2c_dom0less_reason(&module));
        guest_exit(EXIT_LINK);
    }
    return w2c_dom0less_poll_timeout(&module);
}
