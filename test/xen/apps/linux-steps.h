/*
 * What the guest of test/xen/apps/linux-scenario.c says on its connections, one step after the
 * other. A step's `start` sets up what goes each way once the connection stands; its `turn` goes on
 * until nothing is to be had. Part of that file, which has the ways to send and receive.
 */
#ifndef PVCALLS_TEST_LINUX_STEPS_H
#define PVCALLS_TEST_LINUX_STEPS_H

/* Echo: every size around the edges of the ring, each sent whole and compared as it comes back. */
static uint32_t echo_sizes[16], echo_count, echo_at;

static void add_edges(uint32_t edge)
{
    for (uint32_t size = edge - 1; size <= edge + 1; size++)
        echo_sizes[echo_count++] = size;
}

static void echo_next(void)
{
    outgoing.left = incoming.left = echo_sizes[echo_at++];
}

static void echo_start(void)
{
    echo_count = echo_at = 0;
    add_edges(2);
    add_edges(ring_size / 2);
    add_edges(ring_size);
    add_edges(2 * ring_size);
    expect(&outgoing, 0);
    expect(&incoming, 0);
    echo_next();
}

static bool echo_turn(void)
{
    for (;;) {
        bool sent = send_pattern();
        if (!receive_pattern() || !sent)
            return false;
        if (echo_at == echo_count)
            return true;
        echo_next();
    }
}

static uint8_t answer[SHA256_SIZE];
static uint32_t answered;

/* Sink: the length, the bytes, and back comes what dom0 says their hash is. */
static void sink_start(void)
{
    expect(&outgoing, setting_number("bytes", TRANSFER_BYTES));
    send_raw(&outgoing.left, sizeof outgoing.left);
    answered = 0;
}

static bool sink_turn(void)
{
    if (!send_pattern())
        return false;
    bool ended = false;
    while (answered < SHA256_SIZE) {
        uint32_t size = receive(SHA256_SIZE - answered, &ended);
        if (size == 0)
            break;
        for (uint32_t i = 0; i < size; i++)
            answer[answered++] = ((const uint8_t *)linear_at(INCOMING))[i];
    }
    if (ended)
        fail(EXIT_BYTES, "the stream ended before the hash", (int32_t)answered);
    if (answered < SHA256_SIZE)
        return false;
    uint8_t digest[SHA256_SIZE];
    sha256_end(&outgoing.hash, digest);
    for (uint32_t i = 0; i < SHA256_SIZE; i++)
        if (digest[i] != answer[i])
            fail(EXIT_BYTES, "dom0 has another hash from byte", (int32_t)i);
    return true;
}

/* Source: the length; the bytes come, and their hash goes back for dom0 to note. */
static void source_start(void)
{
    expect(&incoming, setting_number("bytes", TRANSFER_BYTES));
    expect(&outgoing, 0);
    send_raw(&incoming.left, sizeof incoming.left);
    answered = 0;
}

static bool source_turn(void)
{
    if (!flush() || !receive_pattern())
        return false;
    if (answered == 0) {
        uint8_t digest[SHA256_SIZE];
        sha256_end(&incoming.hash, digest);
        send_raw(digest, sizeof digest);
        answered = SHA256_SIZE;
    }
    return flush();
}

/* Tail: a whole ring of bytes, and close() at once. What arrives is dom0's to say. */
static void tail_start(void)
{
    expect(&outgoing, ring_size);
}

static bool tail_turn(void)
{
    return send_pattern();
}

/*
 * Burst: more than a ring, behind which dom0 closes at once. All of it has to come; the end of the
 * stream may be lost in Linux's backend, so it is waited for, but not long, and told.
 */
static bool is_whole;     /* the last byte has come, */
static uint32_t whole_ms; /* at this time */

static void burst_start(void)
{
    expect(&incoming, BURST_BYTES);
    expect(&outgoing, 0);
    send_raw(&incoming.left, sizeof incoming.left);
    is_whole = false;
}

static bool burst_turn(void)
{
    bool ended = false;
    if (!flush() || !receive_pattern())
        return false;
    uint32_t more = receive(1, &ended);
    if (more > 0)
        fail(EXIT_BYTES, "bytes beyond the end", (int32_t)more);
    if (!is_whole)
        whole_ms = now;
    is_whole = true;
    if (!ended && now - whole_ms < EOF_PATIENCE_MS)
        return false;
    console_print("linux: burst: end of stream %s after %u ms", ended ? "seen" : "lost",
                  now - whole_ms);
    return true;
}

static const struct step steps[] = {
    { "echo", SERVICE_ECHO, echo_start, echo_turn },
    { "sink", SERVICE_SINK, sink_start, sink_turn },
    { "source", SERVICE_SOURCE, source_start, source_turn },
    { "tail", SERVICE_TAIL, tail_start, tail_turn },
    { "burst", SERVICE_BURST, burst_start, burst_turn },
    { "refused", SERVICE_NONE, NULL, NULL },
};
#define STEPS (sizeof steps / sizeof steps[0])

#endif
