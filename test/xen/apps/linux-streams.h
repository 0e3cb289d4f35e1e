/*
 * Connections and what goes over them: every ring order, sixteen at a time, one beside a slow
 * CONNECT, many short ones. Part of linux-calls.c.
 */
#ifndef PVCALLS_TEST_LINUX_STREAMS_H
#define PVCALLS_TEST_LINUX_STREAMS_H

#define TOGETHER 16u
#define TOGETHER_BYTES 60000u /* of the first; each has 1009 more than the one before */
#define TOGETHER_STEP 1009u
#define ORDER_BYTES 100000u /* and the order */
#define PORT_DEAF 6020      /* whose queue is full, as nobody accepts */
#define SLOW_ROUNDS 10u
#define SLOW_BYTES 5000u /* a round */
#define SHORT_BYTES 64u

/* A ring of each order that Linux's backend takes; the core itself refuses the others. */
static bool orders(void)
{
    static uint32_t socket, order;
    static struct talk talk;
    SCRIPT_BEGINS
    for (order = 1; order <= LINUX_ORDER; order++) {
        socket = open_socket();
        expect_result("order 0", (int32_t)w2c_core_set_ring_order(&module, socket, 0),
                      -WIRE_EINVAL);
        expect_result("an order above max-page-order",
                      (int32_t)w2c_core_set_ring_order(&module, socket, LINUX_ORDER + 1),
                      -WIRE_EINVAL);
        expect_result("set_ring_order",
                      (int32_t)w2c_core_set_ring_order(&module, socket, order), 0);
        ask_connect(socket, SERVICE_ECHO);
        AWAIT(is_done(socket));
        expect_done("connect answers", socket, 0);
        uint32_t spans = BUFFERS, room = (uint32_t)w2c_core_send_window(&module, socket, spans);
        if (room != 1u << (order + WIRE_FLEX_RING_SHIFT))
            fail(EXIT_CALL, "the ring has bytes", (int32_t)room);
        talk = talk_of(socket, ORDER_BYTES + order, ORDER_BYTES + order);
        AWAIT(talk_is_over(&talk));
        close_socket(socket);
        AWAIT(is_closed(socket));
        expect_closed(socket);
    }
    SCRIPT_ENDS
}

static struct talk talks[TOGETHER];

/* A little of each in turn, while any of them moves. Whether all are over. */
static bool talks_are_over(void)
{
    bool moved, over;
    do {
        moved = false, over = true;
        for (uint32_t i = 0; i < TOGETHER; i++) {
            moved |= talk_step(&talks[i]);
            over = over && talks[i].in == talks[i].in_end;
            if (talks[i].error != 0)
                fail(EXIT_CALL, "send or recv", talks[i].error);
        }
    } while (moved);
    return over;
}

static bool all(bool (*holds)(uint32_t handle))
{
    for (uint32_t i = 0; i < TOGETHER; i++)
        if (!holds(talks[i].handle))
            return false;
    return true;
}

/* Sixteen connections at a time, of every order, that send and receive in turns. */
static bool together(void)
{
    static uint32_t i;
    SCRIPT_BEGINS
    for (i = 0; i < TOGETHER; i++) {
        uint32_t bytes = TOGETHER_BYTES + i * TOGETHER_STEP;
        talks[i] = talk_of(open_socket(), bytes, bytes);
        w2c_core_set_ring_order(&module, talks[i].handle, 1 + i % LINUX_ORDER);
        ask_connect(talks[i].handle, SERVICE_ECHO);
    }
    AWAIT(all(is_done));
    for (i = 0; i < TOGETHER; i++)
        expect_done("connect answers", talks[i].handle, 0);
    AWAIT(talks_are_over());
    for (i = 0; i < TOGETHER; i++)
        close_socket(talks[i].handle);
    AWAIT(all(is_closed));
    for (i = 0; i < TOGETHER; i++)
        expect_closed(talks[i].handle);
    SCRIPT_ENDS
}

/*
 * CONNECT to where nobody answers: Linux makes it in the thread of all commands, so another command
 * waits until it has failed, and the bytes of another connection do not. Dom0 gives up soon (see
 * tcp_syn_retries in the test), not after its two minutes.
 */
static bool slow(void)
{
    static uint32_t deaf, first, late, behind, round, start_ms, bytes_ms;
    static struct talk talk;
    SCRIPT_BEGINS
    deaf = open_socket();
    first = open_socket();
    late = open_socket();
    talk = talk_of(open_socket(), 0, 0);
    ask_bind(deaf, PORT_DEAF);
    ask_connect(talk.handle, SERVICE_ECHO);
    AWAIT(is_done(deaf) && is_done(talk.handle));
    expect_done("bind answers", deaf, 0);
    expect_done("connect answers", talk.handle, 0);
    ask_listen(deaf, 0);
    AWAIT(is_done(deaf));
    expect_done("listen answers", deaf, 0);
    ask_connect(first, PORT_DEAF);
    AWAIT(is_done(first));
    expect_done("connect into the queue answers", first, 0);
    ask_connect(late, PORT_DEAF);
    start_ms = now;
    behind = open_socket();
    ask_bind(behind, PORT_BOUND);
    for (round = 0; round < SLOW_ROUNDS; round++) {
        talk.out_end = talk.in_end += SLOW_BYTES;
        AWAIT(talk_is_over(&talk));
    }
    bytes_ms = now - start_ms;
    if (is_done(late) || is_done(behind))
        fail(EXIT_CALL, "a command was answered before the slow one", (int32_t)bytes_ms);
    AWAIT(is_done(late));
    expect_done("connect to a full queue answers", late, -WIRE_ETIMEDOUT);
    AWAIT(is_done(behind));
    expect_done("bind behind it answers", behind, 0);
    console_print("linux: slow: %u bytes went round in %u ms, commands stood for %u ms", talk.in,
                  bytes_ms, now - start_ms);
    close_socket(deaf);
    close_socket(first);
    close_socket(late);
    close_socket(behind);
    close_socket(talk.handle);
    AWAIT(is_closed(deaf) && is_closed(first) && is_closed(late) && is_closed(behind) &&
          is_closed(talk.handle));
    SCRIPT_ENDS
}

/* Connections one after the other, each of a few bytes there and back. */
static bool short_ones(void)
{
    static uint32_t socket, count, frames;
    static struct talk talk;
    SCRIPT_BEGINS
    for (count = 0; count < setting_number("short", 50); count++) {
        socket = open_socket();
        ask_connect(socket, SERVICE_ECHO);
        AWAIT(is_done(socket));
        expect_done("connect answers", socket, 0);
        talk = talk_of(socket, SHORT_BYTES, SHORT_BYTES);
        AWAIT(talk_is_over(&talk));
        close_socket(socket);
        AWAIT(is_closed(socket));
        expect_closed(socket);
        uint32_t free = counter_now(WIRE_COUNTER_FRAMES_FREE);
        if (count > 0 && free != frames)
            fail(EXIT_LEAK, "frames free change with every connection", (int32_t)free);
        frames = free;
    }
    console_print("linux: short: %u connections, %u frames kept for reuse", count,
                  frames_free - 1 - frames);
    SCRIPT_ENDS
}

#endif
