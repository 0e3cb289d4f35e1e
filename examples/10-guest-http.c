/*
 * An HTTP server that is a whole guest: no kernel below it, and its sockets are dom0's.
 *
 *   npm start -- image examples/10-guest-http.c -o http.img
 *   npm start -- xen --dom0 http.img --job 'await_line guest 60 serving; wget -qO- 127.0.0.1:8080'
 */
#include "pvcalls_guest.h"

#define PATIENCE_MS 5000u
#define REQUEST_MAX 4096u

static char request[REQUEST_MAX], body[REQUEST_MAX];

static const char *const head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                                "Connection: close\r\n\r\nyou asked for ";
static const char *const refusal = "HTTP/1.1 400 Bad Request\r\n"
                                   "Connection: close\r\n\r\nGET only\n";

static uint32_t append(char *to, uint32_t used, const char *text, char end)
{
    while (*text != end && *text != '\0' && used < REQUEST_MAX)
        to[used++] = *text++;
    return used;
}

/* One request, as much of it as comes up to the empty line; and the answer. */
static void serve(int32_t client)
{
    uint32_t used = 0;
    bool whole = false;
    while (!whole && used < REQUEST_MAX - 1) {
        int32_t size = guest_recv(client, request + used, REQUEST_MAX - 1 - used, PATIENCE_MS);
        if (size <= 0)
            break;
        used += (uint32_t)size;
        whole = used >= 4 && request[used - 1] == '\n' && request[used - 3] == '\n';
    }
    request[used] = '\0';
    bool get = request[0] == 'G' && request[1] == 'E' && request[2] == 'T' && request[3] == ' ';
    uint32_t size = append(body, 0, get ? head : refusal, '\0');
    if (get) {
        size = append(body, size, request + 4, ' ');
        size = append(body, size, "\n", '\0');
    }
    guest_send(client, body, size, PATIENCE_MS);
    guest_close(client, PATIENCE_MS);
}

int app_main(void)
{
    struct pvcalls_address here = { 0, (uint16_t)guest_setting_number("port", 8080) };
    int32_t listener = guest_socket(GUEST_FOREVER);
    int result = guest_bind(listener, here, GUEST_FOREVER);
    if (result == 0)
        result = guest_listen(listener, 16, GUEST_FOREVER);
    guest_print("serving port %u: %s", here.port, pvcalls_strerror(result));
    for (int32_t client; result == 0 && (client = guest_accept(listener, GUEST_FOREVER)) > 0;)
        serve(client);
    return result;
}
