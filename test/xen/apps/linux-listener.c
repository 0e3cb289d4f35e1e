/*
 * A guest of Linux's own pvcalls backend that listens: dom0's programs connect to it through dom0's
 * loopback, several at a time, and get back what they send, so many bytes each; then the guest
 * closes, which is how they learn of the end. Each connection's answer waits in its own buffer.
 *
 * Settings: those of linux-guest.h, clients, and bytes (of each).
 */
#include "linux-guest.h"
#include "services.h"

#define CLIENTS_MAX 8u
#define CHUNK 0x4000u
#define BACKLOG 8

struct client {
    uint32_t handle; /* 0: none here */
    uint32_t left;   /* bytes still to come */
    uint32_t from, size; /* of what came, and has to go back */
};

static uint32_t listener;
static enum { BINDING, LISTENING, ACCEPTING, CLOSING } phase;
static bool is_asked;
static struct client clients[CLIENTS_MAX];
static uint32_t accepted, closed, wanted;

static uint32_t buffer_of(const struct client *client)
{
    return BUFFERS + (uint32_t)(client - clients) * CHUNK;
}

static void take_done(uint32_t handle, uint32_t command, int32_t result)
{
    if (handle != listener || result != 0)
        fail(EXIT_CALL, command == WIRE_PVCALLS_BIND ? "bind answers" : "listen answers", result);
    phase = command == WIRE_PVCALLS_BIND ? LISTENING : ACCEPTING;
    is_asked = false;
    if (phase == ACCEPTING)
        console_print("linux: listening at %u", (uint32_t)SERVICE_GUEST);
}

static void take_closed(uint32_t handle, int32_t result)
{
    if (result != 0)
        fail(EXIT_CALL, "release answers", result);
    if (handle == listener) {
        guest_stop();
        return;
    }
    for (uint32_t i = 0; i < CLIENTS_MAX; i++)
        if (clients[i].handle == handle)
            clients[i].handle = 0;
    closed++;
}

/* Asks for what the phase is about: the answer comes as an event. */
static bool ask(void)
{
    if (is_asked)
        return false;
    is_asked = true;
    if (listener == 0) {
        listener = new_socket();
        wanted = setting_number("clients", 1);
    }
    write_address(SERVICE_GUEST);
    int32_t result =
        phase == BINDING
            ? (int32_t)w2c_core_bind(&module, listener, ADDRESS, WIRE_SOCKADDR_IN_SIZE)
            : (int32_t)w2c_core_listen(&module, listener, BACKLOG);
    if (result != -WIRE_EINPROGRESS)
        fail(EXIT_CALL, phase == BINDING ? "bind" : "listen", result);
    return true;
}

static bool accept_one(void)
{
    if (accepted == wanted)
        return false;
    int32_t result = (int32_t)w2c_core_accept(&module, listener);
    if (result == -WIRE_EAGAIN)
        return false;
    if (result <= 0)
        fail(EXIT_CALL, "accept", result);
    for (uint32_t i = 0; i < CLIENTS_MAX; i++)
        if (clients[i].handle == 0) {
            clients[i] = (struct client){ .handle = (uint32_t)result,
                                          .left = setting_number("bytes", CHUNK) };
            accepted++;
            return true;
        }
    fail(EXIT_CALL, "more clients at a time than", CLIENTS_MAX);
    return false;
}

/* Sends what waits, or receives. Whether anything moved. */
static bool echo(struct client *client)
{
    uint32_t buffer = buffer_of(client);
    int32_t result;
    if (client->size > 0) {
        result = (int32_t)w2c_core_send(&module, client->handle, client->from, client->size);
        if (result > 0) {
            client->from += (uint32_t)result;
            client->size -= (uint32_t)result;
            if (client->size == 0 && client->left == 0)
                w2c_core_close(&module, client->handle);
            return true;
        }
    } else if (client->left > 0) {
        uint32_t most = least(CHUNK, client->left);
        result = (int32_t)w2c_core_recv(&module, client->handle, buffer, most, 0);
        if (result == 0)
            fail(EXIT_BYTES, "the stream ended early, bytes missing", (int32_t)client->left);
        if (result > 0) {
            client->from = buffer;
            client->size = (uint32_t)result;
            client->left -= (uint32_t)result;
            return true;
        }
    } else {
        return false; /* being closed */
    }
    if (result != -WIRE_EAGAIN)
        fail(EXIT_CALL, client->size > 0 ? "send" : "recv", result);
    return false;
}

static bool go_on(void)
{
    doing = "listener";
    if (phase == BINDING || phase == LISTENING)
        return ask();
    bool moved = accept_one();
    for (uint32_t i = 0; i < CLIENTS_MAX; i++)
        if (clients[i].handle != 0)
            moved |= echo(&clients[i]);
    if (phase == ACCEPTING && closed == wanted) {
        phase = CLOSING;
        w2c_core_close(&module, listener);
    }
    return moved;
}

uint32_t app_turn(uint32_t time_ms)
{
    now = time_ms;
    return guest_turn();
}
