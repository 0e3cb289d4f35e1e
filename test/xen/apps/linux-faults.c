/*
 * A guest that shows what Linux's own pvcalls backend does wrong, one fault for each value of the
 * setting `fault` (docs/protocols/linux-backend.md). It says what it sees; the test judges.
 *
 * Settings: those of linux-guest.h; fault (1 to 5, see below), times (of the first and last).
 */
#include "linux-talk.h"

#define QUIET_MS 300u
#define PORT_SELVES 6040
#define REQUESTS_ONCE 4u /* SOCKET, BIND, LISTEN and RELEASE of a listener */
#define REQUESTS_EACH 5u /* ACCEPT, SOCKET, CONNECT and two RELEASE of a connection to it */
#define MARK 0x5ce00000u /* index that new rings start at (setting `first`): it tells a ring */

/* Events that come while nothing is done, in QUIET_MS. */
static bool count_events(const char *when)
{
    static uint32_t since, events;
    SCRIPT_BEGINS
    since = now;
    events = counter_now(WIRE_COUNTER_EVENTS);
    AWAIT(has_passed(since, QUIET_MS));
    console_print("linux: faults: %s: %u events in %u ms", when,
                  counter_now(WIRE_COUNTER_EVENTS) - events, now - since);
    SCRIPT_ENDS
}

/* The server closes without reading, and we go on sending: events without end, until close(). */
static bool storm(void)
{
    static uint32_t socket;
    SCRIPT_BEGINS
    socket = open_socket();
    ask_connect(socket, SERVICE_BURST);
    AWAIT(is_done(socket));
    expect_done("connect answers", socket, 0);
    *word(BUFFERS) = 0;
    expect_result("send", (int32_t)w2c_core_send(&module, socket, BUFFERS, 4), 4);
    AWAIT(count_events("the peer closes"));
    expect_result("send to a closed peer",
                  (int32_t)w2c_core_send(&module, socket, BUFFERS, 100), 100);
    AWAIT(count_events("its reset comes"));
    console_print("linux: faults: send answers %d",
                  (int)w2c_core_send(&module, socket, BUFFERS, 100));
    AWAIT(count_events("after a send that fails"));
    console_print("linux: faults: send answers %d",
                  (int)w2c_core_send(&module, socket, BUFFERS, 100));
    close_socket(socket);
    AWAIT(is_closed(socket));
    expect_closed(socket);
    AWAIT(count_events("after close"));
    SCRIPT_ENDS
}

/* Streams that the server closes at once: all bytes come, but how often does the end? */
static bool ends(void)
{
    static uint32_t count, lost, since;
    static struct talk talk;
    SCRIPT_BEGINS
    for (count = 0; count < setting_number("times", 10); count++) {
        talk = talk_of(open_socket(), 0, BURST_BYTES);
        ask_connect(talk.handle, SERVICE_BURST);
        AWAIT(is_done(talk.handle));
        expect_done("connect answers", talk.handle, 0);
        *word(BUFFERS) = BURST_BYTES;
        expect_result("send", (int32_t)w2c_core_send(&module, talk.handle, BUFFERS, 4), 4);
        AWAIT(talk_is_over(&talk));
        since = now;
        AWAIT(w2c_core_recv(&module, talk.handle, BUFFERS, 1, 0) == 0 ||
              has_passed(since, QUIET_MS));
        lost += w2c_core_recv(&module, talk.handle, BUFFERS, 1, 0) != 0;
        close_socket(talk.handle);
        AWAIT(is_closed(talk.handle));
        expect_closed(talk.handle);
    }
    console_print("linux: faults: %u streams came whole, the end of %u was lost", count, lost);
    SCRIPT_ENDS
}

/*
 * Connections to ourselves: with two processors in dom0, CONNECT and ACCEPT are answered by two
 * threads at a time, on one ring. A wrong answer the core calls by its fault, one that never comes
 * ends in a deadline, and what was asked twice shows in the number of requests.
 */
static bool selves(void)
{
    static uint32_t listener, ours, theirs, count;
    SCRIPT_BEGINS
    listener = open_socket();
    ask_bind(listener, PORT_SELVES);
    AWAIT(is_done(listener));
    expect_done("bind answers", listener, 0);
    ask_listen(listener, 8);
    AWAIT(is_done(listener));
    expect_done("listen answers", listener, 0);
    for (count = 0; count < setting_number("times", 10); count++) {
        theirs = accept_next(listener);
        ours = open_socket();
        ask_connect(ours, PORT_SELVES);
        AWAIT(theirs != 0 || (theirs = accept_next(listener)) != 0);
        AWAIT(is_done(ours));
        expect_done("connect to ourselves answers", ours, 0);
        close_socket(ours);
        close_socket(theirs);
        AWAIT(is_closed(ours) && is_closed(theirs));
        expect_closed(ours);
        expect_closed(theirs);
    }
    close_socket(listener);
    AWAIT(is_closed(listener));
    console_print("linux: faults: %u connections to ourselves, requests asked again: %u", count,
                  counter_now(WIRE_COUNTER_REQUESTS) - REQUESTS_ONCE - count * REQUESTS_EACH);
    SCRIPT_ENDS
}

/* The indexes page of the ring that connect() has just made, and has not offered yet. */
static uint32_t fresh_ring(void)
{
    uint32_t end = LINEAR_ARENA + linear_arena_frames() * WIRE_PAGE_SIZE;
    for (uint32_t page = LINEAR_ARENA; page < end; page += WIRE_PAGE_SIZE)
        if (*word(page + WIRE_IN_CONS) == MARK && *word(page + WIRE_OUT_PROD) == MARK &&
            *word(page + WIRE_V1_RING_ORDER) == LINUX_ORDER)
            return page;
    fail(EXIT_CALL, "no ring with the mark, is `first` set?", (int32_t)MARK);
    return 0;
}

/* CONNECT with a ring order that the core would refuse, written over the one it has put there. */
static bool other_order(uint32_t order)
{
    static uint32_t socket;
    SCRIPT_BEGINS
    socket = open_socket();
    ask_connect(socket, SERVICE_ECHO);
    *word(fresh_ring() + WIRE_V1_RING_ORDER) = order;
    AWAIT(is_done(socket));
    console_print("linux: faults: connect with a ring of order %u answers %d", order,
                  (int)call_of(socket)->done);
    close_socket(socket);
    AWAIT(is_closed(socket));
    console_print("linux: faults: release answers %d", (int)call_of(socket)->closed);
    SCRIPT_ENDS
}

static bool order_zero(void)
{
    return other_order(0);
}

static bool order_five(void)
{
    return other_order(LINUX_ORDER + 1);
}

static bool (*const faults[])(void) = {
    ends, storm, order_zero, order_five, selves,
};

static bool go_on(void)
{
    doing = "faults";
    if (faults[setting_number("fault", 1) - 1]())
        guest_stop();
    return life == GOING_DOWN;
}
