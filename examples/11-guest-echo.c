/*
 * A guest that connects, sends and gets its bytes back; the echo service is dom0's.
 *
 *   npm start -- image examples/11-guest-echo.c -o echo.img
 *   npm start -- xen --dom0 echo.img --job 'nc -ll -p 7 -e cat & await_guest guest 60'
 */
#include "pvcalls_guest.h"

#define PATIENCE_MS 5000u

static const char sent[] = "hello from a guest in C";
static char back[sizeof sent];

int app_main(void)
{
    struct pvcalls_address dom0 = { PVCALLS_IP(127, 0, 0, 1),
                                    (uint16_t)guest_setting_number("port", 7) };
    int32_t echo = guest_socket(PATIENCE_MS);
    int result = guest_connect(echo, dom0, PATIENCE_MS);
    if (result < 0) {
        guest_print("connect to port %u: %s", dom0.port, pvcalls_strerror(result));
        return 1;
    }
    uint32_t since = guest_now_ms();
    guest_send(echo, sent, sizeof sent - 1, PATIENCE_MS);
    for (size_t used = 0; used < sizeof sent - 1;) {
        int32_t size = guest_recv(echo, back + used, sizeof sent - 1 - used, PATIENCE_MS);
        if (size <= 0) {
            guest_print("receive: %s", size == 0 ? "end of the stream" : pvcalls_strerror(size));
            return 1;
        }
        used += (size_t)size;
    }
    guest_print("echoed: %s", back);
    result = guest_close(echo, PATIENCE_MS);
    guest_print("there and back in %u ms; close: %s", guest_now_ms() - since,
                pvcalls_strerror(result));
    return 0;
}
