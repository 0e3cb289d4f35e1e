/*
 * Addresses and connections to come: bind, connect and their errors, poll, accept. Part of
 * linux-calls.c.
 */
#ifndef PVCALLS_TEST_LINUX_NAMES_H
#define PVCALLS_TEST_LINUX_NAMES_H

#define NOT_OURS 0x0a090909u    /* 10.9.9.9: dom0 has neither the address nor a route to it */
#define UNREACHABLE 0x0a080808u /* 10.8.8.8: dom0 has a route that says unreachable */
#define PORT_BOUND 6010
#define PORT_CLIENTS 6011
#define CLIENTS 4u /* that are connected at a time */

/* An address in use is told by bind itself; after a refusal the socket can be bound elsewhere. */
static bool names(void)
{
    static uint32_t first, second;
    SCRIPT_BEGINS
    first = open_socket();
    second = open_socket();
    ask_bind(first, PORT_BOUND);
    AWAIT(is_done(first));
    expect_done("bind answers", first, 0);
    ask_bind(second, PORT_BOUND);
    AWAIT(is_done(second));
    expect_done("bind of an address in use answers", second, -WIRE_EADDRINUSE);
    ask_bind(second, SERVICE_ECHO);
    AWAIT(is_done(second));
    expect_done("bind of dom0's own address answers", second, -WIRE_EADDRINUSE);
    ask_bind_at(second, NOT_OURS, PORT_BOUND);
    AWAIT(is_done(second));
    expect_done("bind of a foreign address answers", second, -WIRE_EADDRNOTAVAIL);
    close_socket(first);
    AWAIT(is_closed(first));
    expect_closed(first);
    ask_bind(second, PORT_BOUND);
    AWAIT(is_done(second));
    expect_done("bind of an address that is free again answers", second, 0);
    close_socket(second);
    AWAIT(is_closed(second));
    expect_closed(second);
    SCRIPT_ENDS
}

/* Every way to fail, one after the other on one socket, which then connects. */
static bool unreachable(void)
{
    static uint32_t socket;
    static struct talk talk;
    SCRIPT_BEGINS
    socket = open_socket();
    ask_connect(socket, SERVICE_NONE);
    AWAIT(is_done(socket));
    expect_done("connect where nobody listens answers", socket, -WIRE_ECONNREFUSED);
    ask_connect_at(socket, NOT_OURS, SERVICE_ECHO);
    AWAIT(is_done(socket));
    expect_done("connect without a route answers", socket, -WIRE_ENETUNREACH);
    ask_connect_at(socket, UNREACHABLE, SERVICE_ECHO);
    AWAIT(is_done(socket));
    expect_done("connect to the unreachable answers", socket, -WIRE_EHOSTUNREACH);
    ask_connect(socket, SERVICE_ECHO);
    AWAIT(is_done(socket));
    expect_done("connect after failures answers", socket, 0);
    talk = talk_of(socket, 1000, 1000);
    AWAIT(talk_is_over(&talk));
    close_socket(socket);
    AWAIT(is_closed(socket));
    expect_closed(socket);
    SCRIPT_ENDS
}

/*
 * A listener is polled while nobody is there; then so many clients of dom0 connect at once, all are
 * accepted before the first is answered, and each gets back what it sent.
 */
static bool clients(void)
{
    static uint32_t listener, accepted;
    static struct talk talks[CLIENTS];
    SCRIPT_BEGINS
    listener = open_socket();
    ask_bind(listener, PORT_CLIENTS);
    AWAIT(is_done(listener));
    expect_done("bind answers", listener, 0);
    ask_listen(listener, CLIENTS);
    AWAIT(is_done(listener));
    expect_done("listen answers", listener, 0);
    expect_result("poll without a client", (int32_t)w2c_core_poll(&module, listener), 0);
    console_print("linux: clients: polling at %u", (uint32_t)PORT_CLIENTS);
    AWAIT(w2c_core_poll(&module, listener) == WIRE_POLLIN);
    for (accepted = 0; accepted < CLIENTS; accepted++) {
        AWAIT((talks[accepted].handle = accept_next(listener)) != 0);
        console_print("linux: clients: accepted %u", accepted + 1);
    }
    for (accepted = 0; accepted < CLIENTS; accepted++) {
        talks[accepted] = talk_of(talks[accepted].handle, CLIENT_BYTES, CLIENT_BYTES);
        AWAIT(talk_is_over(&talks[accepted]));
        close_socket(talks[accepted].handle);
        AWAIT(is_closed(talks[accepted].handle));
        expect_closed(talks[accepted].handle);
    }
    close_socket(listener);
    AWAIT(is_closed(listener));
    expect_closed(listener);
    SCRIPT_ENDS
}

#endif
