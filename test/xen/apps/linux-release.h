/*
 * Sockets released in every state. Linux's backend never answers an ACCEPT or POLL whose listener
 * is released, which costs a command slot for as long as the ring lives. Part of linux-calls.c.
 *
 * A RELEASE that comes before the backend's worker has looked at an ACCEPT makes dom0's kernel
 * fault (docs/protocols/linux-backend.md): so there is time between, unless `hasty` is 1.
 */
#ifndef PVCALLS_TEST_LINUX_RELEASE_H
#define PVCALLS_TEST_LINUX_RELEASE_H

#define PORT_RELEASE 6100 /* and on: a port of a connection that was accepted stays taken a while */
#define SETTLE_MS 200u    /* from ACCEPT to RELEASE */
#define STARVED_SLOTS 24u /* lost slots at which accept() refuses */

enum state {
    UNHEARD,    /* SOCKET is not answered yet */
    CONNECTING, /* CONNECT is in flight */
    REFUSED,    /* CONNECT has failed */
    UNREAD,     /* connected, bytes of the peer stand in the ring */
    UNTAKEN,    /* connected, bytes of ours stand in the ring */
    HURRIED,    /* as above, and abort() while close() waits */
    BINDING,
    BOUND,
    LISTENING_SOON, /* LISTEN is in flight */
    LISTENING,
    ACCEPTING, /* ACCEPT is in flight */
    POLLING,   /* POLL is in flight */
    UNFETCHED, /* a connection was accepted that nobody has fetched */
    STATES
};

static const char *const state_names[STATES] = {
    "unheard", "connecting", "refused",   "unread",    "untaken", "hurried",   "binding",
    "bound",   "to listen",  "listening", "accepting", "polling", "unfetched",
};

static bool reach_active(enum state state, uint32_t socket)
{
    SCRIPT_BEGINS
    ask_connect(socket, state == REFUSED ? SERVICE_NONE : SERVICE_ECHO);
    if (state == CONNECTING)
        SCRIPT_OVER;
    AWAIT(is_done(socket));
    expect_done("connect answers", socket, state == REFUSED ? -WIRE_ECONNREFUSED : 0);
    if (state == REFUSED)
        SCRIPT_OVER;
    uint32_t bytes = least(state == UNREAD ? 100 : ring_size, TALK_CHUNK);
    expect_result("send", (int32_t)w2c_core_send(&module, socket, BUFFERS, bytes), (int32_t)bytes);
    if (state == UNREAD)
        AWAIT(w2c_core_poll(&module, socket) & WIRE_POLLIN);
    SCRIPT_ENDS
}

static bool reach_passive(enum state state, uint32_t socket, uint32_t other)
{
    static uint32_t since;
    SCRIPT_BEGINS
    ask_bind(socket, (uint16_t)(PORT_RELEASE + state));
    if (state == BINDING)
        SCRIPT_OVER;
    AWAIT(is_done(socket));
    expect_done("bind answers", socket, 0);
    if (state == BOUND)
        SCRIPT_OVER;
    ask_listen(socket, 1);
    if (state == LISTENING_SOON)
        SCRIPT_OVER;
    AWAIT(is_done(socket));
    expect_done("listen answers", socket, 0);
    if (state == POLLING)
        expect_result("poll", (int32_t)w2c_core_poll(&module, socket), 0);
    if (state == ACCEPTING || state == UNFETCHED)
        expect_result("accept", (int32_t)w2c_core_accept(&module, socket), -WIRE_EAGAIN);
    since = now;
    if (state == ACCEPTING && setting_number("hasty", 0) == 0)
        AWAIT(has_passed(since, SETTLE_MS));
    if (state != UNFETCHED)
        SCRIPT_OVER;
    ask_connect(other, (uint16_t)(PORT_RELEASE + state));
    AWAIT(is_done(other));
    expect_done("connect to ourselves answers", other, 0);
    AWAIT(w2c_core_poll(&module, socket) == WIRE_POLLIN);
    SCRIPT_ENDS
}

static bool reach(enum state state, uint32_t socket, uint32_t other)
{
    if (state == UNHEARD)
        return true;
    return state < BINDING ? reach_active(state, socket) : reach_passive(state, socket, other);
}

/* Each state, and close(): RELEASE is answered with 0, and ACCEPT and POLL alone cost a slot. */
static bool releases(void)
{
    static enum state state;
    static uint32_t socket, other, lost;
    SCRIPT_BEGINS
    for (state = UNHEARD; state < STATES; state++) {
        lost = counter_now(WIRE_COUNTER_LOST);
        socket = open_socket();
        other = state == UNFETCHED ? open_socket() : 0;
        AWAIT(reach(state, socket, other));
        close_socket(socket);
        if (state == HURRIED) {
            w2c_core_abort(&module, socket); /* unless the backend was quick to take it all */
        }
            AWAIT(is_closed(socket));
        expect_closed(socket);
        expect_result("close of what is closed", (int32_t)w2c_core_close(&module, socket),
                      -WIRE_EBADF);
        console_print("linux: releases: %s, slots lost: %u", state_names[state],
                      counter_now(WIRE_COUNTER_LOST) - lost);
        if (other != 0) {
            close_socket(other);
            AWAIT(is_closed(other));
        }
    }
    SCRIPT_ENDS
}

/*
 * Listeners released while POLL is in flight, as many as are allowed; then accept() refuses, and
 * all other commands work. With the last socket the core starts the device afresh, which brings the
 * slots back.
 */
static bool starved(void)
{
    static uint32_t socket, talker, count;
    static struct talk talk;
    SCRIPT_BEGINS
    talker = open_socket();
    ask_connect(talker, SERVICE_ECHO);
    AWAIT(is_done(talker));
    expect_done("connect answers", talker, 0);
    do {
        count = counter_now(WIRE_COUNTER_LOST);
        socket = open_socket();
        ask_bind(socket, (uint16_t)(PORT_RELEASE + STATES + count));
        AWAIT(is_done(socket));
        expect_done("bind answers", socket, 0);
        ask_listen(socket, 1);
        AWAIT(is_done(socket));
        expect_done("listen answers", socket, 0);
        if (count < STARVED_SLOTS)
            expect_result("poll", (int32_t)w2c_core_poll(&module, socket), 0);
        else
            expect_result("accept without a slot", (int32_t)w2c_core_accept(&module, socket),
                          -WIRE_ENOBUFS);
        close_socket(socket);
        AWAIT(is_closed(socket));
        expect_closed(socket);
    } while (count < STARVED_SLOTS);
    talk = talk_of(talker, 3 * ring_size, 3 * ring_size);
    AWAIT(talk_is_over(&talk));
    console_print("linux: starved: slots lost: %u", counter_now(WIRE_COUNTER_LOST));
    may_be_lost = true;
    close_socket(talker);
    AWAIT(is_closed(talker));
    AWAIT(device != WIRE_DEVICE_CONNECTED);
    AWAIT(device == WIRE_DEVICE_CONNECTED);
    may_be_lost = false;
    console_print("linux: starved: device is afresh, slots lost: %u",
                  counter_now(WIRE_COUNTER_LOST));
    SCRIPT_ENDS
}

#endif
