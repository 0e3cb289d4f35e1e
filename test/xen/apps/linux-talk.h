/*
 * A connection on which the pattern goes both ways, so many bytes each: what is sent and what comes
 * are the same bytes, those of the pattern from its beginning.
 */
#ifndef PVCALLS_TEST_LINUX_TALK_H
#define PVCALLS_TEST_LINUX_TALK_H

#include "linux-script.h"
#include "pattern.h"

struct talk {
    uint32_t handle;
    uint32_t out, out_end; /* bytes sent, and to be sent */
    uint32_t in, in_end;
    int32_t error; /* of send() or recv(), when it has failed */
};

#define TALK_CHUNK 0x4000u

static struct talk talk_of(uint32_t handle, uint32_t out, uint32_t in)
{
    return (struct talk){ .handle = handle, .out_end = out, .in_end = in };
}

/* Some bytes out. Whether any went. */
static bool talk_send(struct talk *talk)
{
    uint32_t size = least(TALK_CHUNK, talk->out_end - talk->out);
    if (size == 0 || talk->error != 0)
        return false;
    pattern_fill(linear_at(BUFFERS), talk->out, size);
    int32_t sent = (int32_t)w2c_core_send(&module, talk->handle, BUFFERS, size);
    if (sent < 0 && sent != -WIRE_EAGAIN)
        talk->error = sent;
    talk->out += sent > 0 ? (uint32_t)sent : 0;
    return sent > 0;
}

/* Some bytes in, which have to be right. Whether any came. */
static bool talk_receive(struct talk *talk)
{
    uint32_t most = least(TALK_CHUNK, talk->in_end - talk->in);
    if (most == 0 || talk->error != 0)
        return false;
    int32_t got = (int32_t)w2c_core_recv(&module, talk->handle, BUFFERS, most, 0);
    if (got == 0)
        fail(EXIT_BYTES, "the stream ended early, bytes missing", (int32_t)most);
    if (got < 0) {
        talk->error = got == -WIRE_EAGAIN ? 0 : got;
        return false;
    }
    uint32_t right = pattern_match(linear_at(BUFFERS), talk->in, (uint32_t)got);
    if (right != (uint32_t)got)
        fail(EXIT_BYTES, "wrong byte at", (int32_t)(talk->in + right));
    talk->in += (uint32_t)got;
    return true;
}

/* A little of each direction. Whether anything moved. */
static bool talk_step(struct talk *talk)
{
    bool sent = talk_send(talk);
    return talk_receive(talk) || sent;
}

/* All that can be had now; whether all of it has gone both ways. */
static bool talk_is_over(struct talk *talk)
{
    while (talk_step(talk))
        ;
    if (talk->error != 0)
        fail(EXIT_CALL, "send or recv", talk->error);
    return talk->out == talk->out_end && talk->in == talk->in_end;
}

#endif
