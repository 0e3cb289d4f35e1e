#include <stdlib.h>
#include <string.h>

#include "backend.h"

#define xen_mb() __sync_synchronize()
#define xen_rmb() __sync_synchronize()
#define xen_wmb() __sync_synchronize()
#define __XEN_INTERFACE_VERSION__ __XEN_LATEST_INTERFACE_VERSION__
#include <xen/xen.h>
#include <xen/io/pvcalls.h>

#define PAGE 4096u

uint32_t fnv1a(uint32_t hash, const uint8_t *bytes, uint32_t size)
{
    for (uint32_t i = 0; i < size; i++)
        hash = (hash ^ bytes[i]) * 16777619u;
    return hash;
}

static uint32_t load(const volatile uint32_t *at)
{
    return __atomic_load_n(at, __ATOMIC_SEQ_CST);
}

static void publish(volatile uint32_t *at, uint32_t value)
{
    __atomic_store_n(at, value, __ATOMIC_SEQ_CST);
}

/* ------------------------------------------------------------------ the command ring */

void backend_init(struct backend *backend, struct kernel *kernel, uint32_t ref, uint32_t port)
{
    memset(backend, 0, sizeof *backend);
    backend->kernel = kernel;
    backend->ring_ref = ref;
    backend->ring_port = port;
    backend->sring = kernel_map(kernel, BACKEND_DOMAIN, ref);
    if (backend->sring == NULL)
        abort();
}

static bool tells(struct backend *backend, enum lie lie)
{
    if (backend->lie != lie)
        return false;
    backend->lie = LIE_NONE;
    return true;
}

static void respond(struct backend *backend, uint32_t req_id, uint32_t cmd, uint64_t id,
                    int32_t ret)
{
    uint32_t slots = __RING_SIZE(backend->sring, PAGE);
    struct xen_pvcalls_response response = { .req_id = req_id, .cmd = cmd, .ret = ret };
    response.u.dummy.dummy[0] = 0;
    response.u.socket.id = id;
    if (tells(backend, LIE_REQ_ID))
        response.req_id += 1;
    if (tells(backend, LIE_CMD))
        response.cmd += 1;
    if (tells(backend, LIE_ID))
        response.u.socket.id += 1;
    if (tells(backend, LIE_RET))
        response.ret = 7;
    backend->sring->ring[backend->rsp_prod++ & (slots - 1)].rsp = response;
    if (tells(backend, LIE_RSP_PROD))
        backend->rsp_prod += 40;
    publish(&backend->sring->rsp_prod, backend->rsp_prod);
    kernel_send_from(backend->kernel, backend->ring_port);
}

static struct backend_socket *find(struct backend *backend, uint64_t id)
{
    for (uint32_t i = 0; i < BACKEND_SOCKETS; i++)
        if (backend->sockets[i].used && backend->sockets[i].id == id)
            return &backend->sockets[i];
    return NULL;
}

static struct backend_socket *new_socket(struct backend *backend, uint64_t id)
{
    for (uint32_t i = 0; i < BACKEND_SOCKETS; i++) {
        if (backend->sockets[i].used)
            continue;
        backend->sockets[i] = (struct backend_socket){ .used = true, .id = id, .hash = FNV_START };
        return &backend->sockets[i];
    }
    abort();
}

static bool map_ring(struct backend *backend, struct backend_socket *socket, uint32_t ref,
                     uint32_t port)
{
    socket->intf = kernel_map(backend->kernel, BACKEND_DOMAIN, ref);
    if (socket->intf == NULL || socket->intf->ring_order < 1 ||
        socket->intf->ring_order > MAX_ORDER)
        return false;
    socket->intf_ref = ref;
    socket->data_port = port;
    socket->order = socket->intf->ring_order;
    for (uint32_t i = 0; i < 1u << socket->order; i++) {
        socket->refs[i] = socket->intf->ref[i];
        socket->pages[i] = kernel_map(backend->kernel, BACKEND_DOMAIN, socket->refs[i]);
        if (socket->pages[i] == NULL)
            return false;
    }
    return true;
}

static void unmap_ring(struct backend *backend, struct backend_socket *socket)
{
    if (socket->data_port == 0)
        return;
    for (uint32_t i = 0; i < 1u << socket->order; i++)
        kernel_unmap(backend->kernel, socket->refs[i]);
    kernel_unmap(backend->kernel, socket->intf_ref);
    socket->data_port = 0;
}

static uint32_t tcp_port(const uint8_t *addr)
{
    return (uint32_t)addr[2] << 8 | addr[3];
}

static int32_t connect_to(struct backend *backend, const struct xen_pvcalls_connect *connect)
{
    struct backend_socket *socket = find(backend, connect->id);
    if (socket == NULL || connect->addr[0] != 2 || connect->len != 16)
        return -PVCALLS_EINVAL;
    if (tcp_port(connect->addr) == PORT_REFUSED)
        return -PVCALLS_ECONNREFUSED;
    return map_ring(backend, socket, connect->ref, connect->evtchn) ? 0 : -PVCALLS_EFAULT;
}

/* A client is there: the unanswered POLL or ACCEPT of the listener is answered. */
static void settle(struct backend *backend, struct backend_socket *listener)
{
    if (!listener->waiting || listener->clients == 0)
        return;
    listener->waiting = false;
    if (listener->wait_cmd == PVCALLS_POLL) {
        respond(backend, listener->wait_req, PVCALLS_POLL, listener->id, 0);
        return;
    }
    listener->clients--;
    struct backend_socket *accepted = new_socket(backend, listener->accept_id);
    bool mapped = map_ring(backend, accepted, listener->accept_ref, listener->accept_port);
    respond(backend, listener->wait_req, PVCALLS_ACCEPT, listener->id,
            mapped ? 0 : -PVCALLS_EFAULT);
}

static void wait_for_client(struct backend *backend, const struct xen_pvcalls_request *request)
{
    struct backend_socket *listener = find(backend, request->u.poll.id);
    if (listener == NULL || !listener->listening || listener->waiting) {
        respond(backend, request->req_id, request->cmd, request->u.poll.id, -PVCALLS_EINTR);
        return;
    }
    listener->waiting = true;
    listener->wait_req = request->req_id;
    listener->wait_cmd = request->cmd;
    if (request->cmd == PVCALLS_ACCEPT) {
        listener->accept_id = request->u.accept.id_new;
        listener->accept_ref = request->u.accept.ref;
        listener->accept_port = request->u.accept.evtchn;
    }
    settle(backend, listener);
}

/* As the spec has it: what the listener waits for is answered first. */
static int32_t release(struct backend *backend, uint64_t id)
{
    struct backend_socket *socket = find(backend, id);
    if (socket == NULL)
        return -PVCALLS_ENOTCONN;
    if (socket->waiting)
        respond(backend, socket->wait_req, socket->wait_cmd, socket->id, -PVCALLS_ECONNABORTED);
    unmap_ring(backend, socket);
    socket->used = false;
    return 0;
}

static void handle_request(struct backend *backend, const struct xen_pvcalls_request *request)
{
    uint64_t id = request->u.socket.id; /* of every command the first */
    struct backend_socket *socket = find(backend, id);
    int32_t ret = 0;
    backend->seen[request->cmd]++;
    switch (request->cmd) {
    case PVCALLS_SOCKET:
        new_socket(backend, id);
        break;
    case PVCALLS_CONNECT:
        ret = connect_to(backend, &request->u.connect);
        break;
    case PVCALLS_RELEASE:
        ret = release(backend, id);
        break;
    case PVCALLS_BIND:
        ret = tcp_port(request->u.bind.addr) == PORT_IN_USE ? -PVCALLS_EADDRINUSE : 0;
        break;
    case PVCALLS_LISTEN:
        socket->listening = true;
        break;
    default:
        wait_for_client(backend, request);
        return;
    }
    respond(backend, request->req_id, request->cmd, id, ret);
}

static bool handle_commands(struct backend *backend)
{
    uint32_t slots = __RING_SIZE(backend->sring, PAGE);
    bool any = false;
    if (backend->silent)
        return false;
    while (backend->req_cons != load(&backend->sring->req_prod)) {
        struct xen_pvcalls_request request =
            backend->sring->ring[backend->req_cons++ & (slots - 1)].req;
        handle_request(backend, &request);
        any = true;
    }
    publish(&backend->sring->req_event, backend->req_cons + 1);
    return any;
}

/* ------------------------------------------------------------------ data */

/* Bytes each way; and byte `index` of one of the two halves, which lie on pages in any order. */
static uint32_t size_of(const struct backend_socket *socket)
{
    return XEN_FLEX_RING_SIZE(socket->order);
}

static uint8_t *byte_of(struct backend_socket *socket, uint32_t index, bool out)
{
    uint32_t offset = pvcalls_mask(index, size_of(socket)) + (out ? size_of(socket) : 0);
    return &socket->pages[offset / PAGE][offset % PAGE];
}

static uint32_t put(struct backend_socket *socket, const uint8_t *bytes, uint32_t size)
{
    struct pvcalls_data_intf *intf = socket->intf;
    uint32_t prod = intf->in_prod, count = size_of(socket) - (prod - load(&intf->in_cons));
    count = count < size ? count : size;
    for (uint32_t i = 0; i < count; i++)
        *byte_of(socket, prod + i, false) = bytes[i];
    publish(&intf->in_prod, prod + count);
    return count;
}

static bool pump(struct backend *backend, struct backend_socket *socket)
{
    struct pvcalls_data_intf *intf = socket->intf;
    uint32_t cons = intf->out_cons, count = load(&intf->out_prod) - cons;
    uint8_t bytes[1u << 16];
    if (count > size_of(socket))
        return false; /* after a lie of our own */
    for (uint32_t i = 0; i < count; i++)
        bytes[i] = *byte_of(socket, cons + i, true);
    if (backend->echo)
        count = put(socket, bytes, count);
    if (count == 0)
        return false;
    socket->hash = fnv1a(socket->hash, bytes, count);
    socket->taken += count;
    publish(&intf->out_cons, cons + count);
    kernel_send_from(backend->kernel, socket->data_port);
    return true;
}

bool backend_step(struct backend *backend)
{
    bool any = false;
    if (kernel_take_sent(backend->kernel, backend->ring_port))
        any |= handle_commands(backend);
    for (uint32_t i = 0; i < BACKEND_SOCKETS; i++) {
        struct backend_socket *socket = &backend->sockets[i];
        if (!socket->used || socket->data_port == 0 || backend->idle)
            continue;
        kernel_take_sent(backend->kernel, socket->data_port);
        any |= pump(backend, socket);
    }
    return any;
}

void backend_dial(struct backend *backend)
{
    for (uint32_t i = 0; i < BACKEND_SOCKETS; i++) {
        struct backend_socket *socket = &backend->sockets[i];
        if (!socket->used || !socket->listening)
            continue;
        socket->clients++;
        settle(backend, socket);
    }
}

static struct backend_socket *connection(struct backend *backend)
{
    for (uint32_t i = 0; i < BACKEND_SOCKETS; i++)
        if (backend->sockets[i].used && backend->sockets[i].data_port != 0)
            return &backend->sockets[i];
    abort();
}

uint32_t backend_send(struct backend *backend, const uint8_t *bytes, uint32_t size)
{
    struct backend_socket *socket = connection(backend);
    uint32_t count = put(socket, bytes, size);
    kernel_send_from(backend->kernel, socket->data_port);
    return count;
}

void backend_hang_up(struct backend *backend, int32_t in_error, int32_t out_error)
{
    struct backend_socket *socket = connection(backend);
    publish(&socket->intf->in_error, (uint32_t)in_error);
    publish(&socket->intf->out_error, (uint32_t)out_error);
    kernel_send_from(backend->kernel, socket->data_port);
}

void backend_lie(struct backend *backend, enum lie lie)
{
    if (lie < LIE_IN_PROD) {
        backend->lie = lie;
        return;
    }
    struct backend_socket *socket = connection(backend);
    struct pvcalls_data_intf *intf = socket->intf;
    if (lie == LIE_IN_PROD)
        publish(&intf->in_prod, intf->in_cons + size_of(socket) + 1);
    if (lie == LIE_OUT_CONS)
        publish(&intf->out_cons, intf->out_prod + 1);
    if (lie == LIE_IN_ERROR)
        publish(&intf->in_error, 5);
    if (lie == LIE_OUT_ERROR)
        publish(&intf->out_error, 5);
    kernel_send_from(backend->kernel, socket->data_port);
}

void backend_end(struct backend *backend)
{
    for (uint32_t i = 0; i < BACKEND_SOCKETS; i++)
        if (backend->sockets[i].used)
            unmap_ring(backend, &backend->sockets[i]);
    kernel_unmap(backend->kernel, backend->ring_ref);
    memset(backend->sockets, 0, sizeof backend->sockets);
}
