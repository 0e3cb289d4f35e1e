/* The socket calls and the bytes of pvcalls.h. */
#include <string.h>

#include "instance.h"
#include "wire.h"

_Static_assert(PVCALLS_AF_INET == WIRE_AF_INET, "");
_Static_assert(PVCALLS_SOCK_STREAM == WIRE_SOCK_STREAM, "");
_Static_assert(PVCALLS_IPPROTO_TCP == WIRE_IPPROTO_TCP, "");
_Static_assert(PVCALLS_IN == WIRE_POLLIN && PVCALLS_OUT == WIRE_POLLOUT, "");
_Static_assert(PVCALLS_ERR == WIRE_POLLERR && PVCALLS_HUP == WIRE_POLLHUP, "");
_Static_assert(PVCALLS_PEEK == WIRE_MSG_PEEK, "");
_Static_assert(PVCALLS_SOCKET == WIRE_PVCALLS_SOCKET, "");
_Static_assert(PVCALLS_CONNECT == WIRE_PVCALLS_CONNECT, "");
_Static_assert(PVCALLS_BIND == WIRE_PVCALLS_BIND, "");
_Static_assert(PVCALLS_LISTEN == WIRE_PVCALLS_LISTEN, "");

static uint8_t *scratch_at(struct pvcalls *pv)
{
    return instance_of(pv)->memory.data + instance_of(pv)->scratch;
}

int32_t pvcalls_socket(struct pvcalls *pv, uint32_t domain, uint32_t type, uint32_t protocol)
{
    return (int32_t)w2c_core_socket(core_of(pv), domain, type, protocol);
}

int pvcalls_set_ring_order(struct pvcalls *pv, int32_t handle, uint32_t order)
{
    return (int)w2c_core_set_ring_order(core_of(pv), (uint32_t)handle, order);
}

/* Wire: the family little-endian, port and address in network order. */
static uint32_t put_address(struct pvcalls *pv, struct pvcalls_address address)
{
    const uint8_t bytes[WIRE_SOCKADDR_IN_SIZE] = {
        WIRE_AF_INET,
        0,
        (uint8_t)(address.port >> 8),
        (uint8_t)address.port,
        (uint8_t)(address.ip >> 24),
        (uint8_t)(address.ip >> 16),
        (uint8_t)(address.ip >> 8),
        (uint8_t)address.ip,
    };
    memcpy(scratch_at(pv), bytes, sizeof bytes);
    return instance_of(pv)->scratch;
}

int pvcalls_connect(struct pvcalls *pv, int32_t handle, struct pvcalls_address address)
{
    uint32_t at = put_address(pv, address);
    return (int)w2c_core_connect(core_of(pv), (uint32_t)handle, at, WIRE_SOCKADDR_IN_SIZE);
}

int pvcalls_bind(struct pvcalls *pv, int32_t handle, struct pvcalls_address address)
{
    uint32_t at = put_address(pv, address);
    return (int)w2c_core_bind(core_of(pv), (uint32_t)handle, at, WIRE_SOCKADDR_IN_SIZE);
}

int pvcalls_listen(struct pvcalls *pv, int32_t handle, uint32_t backlog)
{
    return (int)w2c_core_listen(core_of(pv), (uint32_t)handle, backlog);
}

int32_t pvcalls_accept(struct pvcalls *pv, int32_t handle)
{
    return (int32_t)w2c_core_accept(core_of(pv), (uint32_t)handle);
}

int pvcalls_poll(struct pvcalls *pv, int32_t handle)
{
    return (int)w2c_core_poll(core_of(pv), (uint32_t)handle);
}

int pvcalls_close(struct pvcalls *pv, int32_t handle)
{
    return (int)w2c_core_close(core_of(pv), (uint32_t)handle);
}

int pvcalls_abort(struct pvcalls *pv, int32_t handle)
{
    return (int)w2c_core_abort(core_of(pv), (uint32_t)handle);
}

/* ------------------------------------------------------------------ bytes */

/* The two spans that the core wrote, of `size` bytes, as pointers. */
static int32_t take_spans(struct pvcalls *pv, int32_t size, struct pvcalls_span spans[2])
{
    uint32_t words[2 * WIRE_SPAN_SIZE / sizeof(uint32_t)];
    memset(spans, 0, 2 * sizeof spans[0]);
    if (size <= 0)
        return size;
    memcpy(words, scratch_at(pv), sizeof words);
    for (uint32_t i = 0; i < 2; i++) {
        spans[i].at = instance_of(pv)->memory.data + words[2 * i];
        spans[i].size = words[2 * i + 1];
    }
    return size;
}

int32_t pvcalls_send_window(struct pvcalls *pv, int32_t handle, struct pvcalls_span spans[2])
{
    uint32_t at = instance_of(pv)->scratch;
    return take_spans(pv, (int32_t)w2c_core_send_window(core_of(pv), (uint32_t)handle, at), spans);
}

int32_t pvcalls_recv_window(struct pvcalls *pv, int32_t handle, struct pvcalls_span spans[2])
{
    uint32_t at = instance_of(pv)->scratch;
    return take_spans(pv, (int32_t)w2c_core_recv_window(core_of(pv), (uint32_t)handle, at), spans);
}

/* No window is as large as what a u32 cannot say. */
static uint32_t clamp(size_t size)
{
    return size > UINT32_MAX ? UINT32_MAX : (uint32_t)size;
}

int32_t pvcalls_send_commit(struct pvcalls *pv, int32_t handle, size_t size)
{
    return (int32_t)w2c_core_send_commit(core_of(pv), (uint32_t)handle, clamp(size));
}

int32_t pvcalls_recv_commit(struct pvcalls *pv, int32_t handle, size_t size)
{
    return (int32_t)w2c_core_recv_commit(core_of(pv), (uint32_t)handle, clamp(size));
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

int32_t pvcalls_send(struct pvcalls *pv, int32_t handle, const void *from, size_t size)
{
    struct pvcalls_span spans[2];
    int32_t room = pvcalls_send_window(pv, handle, spans);
    if (size == 0 && room == -PVCALLS_EAGAIN)
        return 0;
    if (room <= 0 || size == 0)
        return room < 0 ? room : 0;
    uint32_t count = least((uint32_t)room, clamp(size));
    uint32_t head = least(count, spans[0].size);
    memcpy(spans[0].at, from, head);
    if (count > head)
        memcpy(spans[1].at, (const uint8_t *)from + head, count - head);
    return pvcalls_send_commit(pv, handle, count);
}

int32_t pvcalls_recv(struct pvcalls *pv, int32_t handle, void *to, size_t size, uint32_t flags)
{
    struct pvcalls_span spans[2];
    int32_t there = pvcalls_recv_window(pv, handle, spans);
    if (there <= 0 || size == 0)
        return there < 0 ? there : 0;
    uint32_t count = least((uint32_t)there, clamp(size));
    uint32_t head = least(count, spans[0].size);
    memcpy(to, spans[0].at, head);
    if (count > head)
        memcpy((uint8_t *)to + head, spans[1].at, count - head);
    if (flags & PVCALLS_PEEK)
        return (int32_t)count;
    return pvcalls_recv_commit(pv, handle, count);
}
