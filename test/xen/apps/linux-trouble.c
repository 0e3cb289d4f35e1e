/*
 * A guest of Linux's own pvcalls backend whose device goes away under it. It sends and receives
 * without end, and waits for a client; when the device is lost, everybody who waited has to be told
 * EIO. Then it lets go of everything, starts the device again, and talks over the new one.
 *
 * Settings: those of linux-guest.h; rounds (how often the device goes and comes back; the guest
 * ends after the last).
 */
#include "linux-talk.h"

#define PORT_AGAIN 6030
#define ENDLESS 0x7fffffffu
#define MOVING (1u << 20) /* bytes each way, before the guest says that they move */
#define AGAIN_BYTES 123456u

static struct talk sender, receiver;
static uint32_t listener;

static void send_length(struct talk *talk)
{
    *word(BUFFERS) = ENDLESS;
    expect_result("send of a length",
                  (int32_t)w2c_core_send(&module, talk->handle, BUFFERS, sizeof(uint32_t)),
                  sizeof(uint32_t));
}

/* Both directions, and a listener with ACCEPT in flight. */
static bool begin_all(void)
{
    SCRIPT_BEGINS
    sender = talk_of(open_socket(), ENDLESS, 0);
    receiver = talk_of(open_socket(), 0, ENDLESS);
    listener = open_socket();
    ask_connect(sender.handle, SERVICE_SINK);
    ask_connect(receiver.handle, SERVICE_SOURCE);
    ask_bind(listener, PORT_AGAIN);
    AWAIT(is_done(sender.handle) && is_done(receiver.handle) && is_done(listener));
    expect_done("connect answers", sender.handle, 0);
    expect_done("connect answers", receiver.handle, 0);
    expect_done("bind answers", listener, 0);
    ask_listen(listener, 1);
    AWAIT(is_done(listener));
    expect_done("listen answers", listener, 0);
    send_length(&sender);
    send_length(&receiver);
    expect_result("accept", (int32_t)w2c_core_accept(&module, listener), -WIRE_EAGAIN);
    SCRIPT_ENDS
}

static bool has_moved(void)
{
    return sender.out >= MOVING && receiver.in >= MOVING;
}

/* All that can be had now, a little at a time; whether both streams have failed. */
static bool has_failed(void)
{
    static bool is_told;
    bool moved = talk_step(&sender) | talk_step(&receiver);
    if (has_moved() && !is_told)
        console_print("linux: trouble: bytes move both ways");
    is_told = has_moved();
    if (moved)
        script_nap = 1; /* back soon: the device is looked at between two steps */
    return sender.error != 0 && receiver.error != 0;
}

/* The device is gone: what each kind of waiter is told, and nothing else. */
static void expect_all_told(void)
{
    int32_t mask = WIRE_POLLIN | WIRE_POLLOUT | WIRE_POLLERR | WIRE_POLLHUP;
    expect_result("send of a lost device", sender.error, -WIRE_EIO);
    expect_result("recv of a lost device", receiver.error, -WIRE_EIO);
    expect_result("accept of a lost device", (int32_t)w2c_core_accept(&module, listener),
                  -WIRE_EIO);
    expect_result("poll of a lost device", (int32_t)w2c_core_poll(&module, sender.handle), mask);
    expect_result("poll of a lost listener", (int32_t)w2c_core_poll(&module, listener), mask);
    if (device != WIRE_DEVICE_CONNECTED)
        expect_result("socket of a lost device", (int32_t)w2c_core_socket(&module, 2, 1, 0),
                      -WIRE_ENETDOWN);
}

static void close_all(void)
{
    close_socket(sender.handle);
    close_socket(receiver.handle);
    close_socket(listener);
}

static bool closed_all(void)
{
    return is_closed(sender.handle) && is_closed(receiver.handle) && is_closed(listener);
}

static bool script(void)
{
    static uint32_t round, lost_ms;
    static struct talk talk;
    SCRIPT_BEGINS
    may_be_lost = true;
    for (round = 1; round <= setting_number("rounds", 1); round++) {
        doing = "trouble";
        AWAIT(begin_all());
        AWAIT(has_failed());
        lost_ms = now;
        expect_all_told();
        close_all();
        AWAIT(closed_all());
        console_print("linux: trouble: round %u: everybody is told EIO", round);
        AWAIT(device == WIRE_DEVICE_CLOSED || device == WIRE_DEVICE_DOWN ||
              device == WIRE_DEVICE_CONNECTED);
        if (device == WIRE_DEVICE_CLOSED)
            w2c_core_xenbus_start(&module);
        AWAIT(device == WIRE_DEVICE_CONNECTED);
        talk = talk_of(open_socket(), AGAIN_BYTES + round, AGAIN_BYTES + round);
        ask_connect(talk.handle, SERVICE_ECHO);
        AWAIT(is_done(talk.handle));
        expect_done("connect over the new device answers", talk.handle, 0);
        AWAIT(talk_is_over(&talk));
        close_socket(talk.handle);
        AWAIT(is_closed(talk.handle));
        expect_closed(talk.handle);
        console_print("linux: trouble: round %u: back after %u ms", round, now - lost_ms);
    }
    SCRIPT_ENDS
}

static bool go_on(void)
{
    if (script())
        guest_stop();
    return life == GOING_DOWN;
}
