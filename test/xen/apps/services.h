/*
 * What dom0's servers (test/xen/dom0/servers.c) and the guest that calls them agree on. Lengths are
 * framed, because Linux's backend may lose an end of stream that comes with the last data.
 */
#ifndef PVCALLS_TEST_SERVICES_H
#define PVCALLS_TEST_SERVICES_H

#define SERVICE_ECHO 5001   /* every byte comes back, until the end of the stream */
#define SERVICE_SINK 5002   /* u32 length, bytes; answers the 32 bytes of their SHA-256 */
#define SERVICE_SOURCE 5003 /* u32 length; answers so much pattern, takes the client's SHA-256 */
#define SERVICE_TAIL 5004   /* reads until the end of the stream, answers nothing */
#define SERVICE_BURST 5005  /* u32 length; answers so much pattern and closes at once */
#define SERVICE_NONE 5009   /* nobody listens here */
#define SERVICE_GUEST 6001  /* the guest listens here, through dom0 */

#define TRANSFER_BYTES (16u << 20)
#define BURST_BYTES (256u << 10)
#define CLIENT_BYTES 70001u /* of the pattern, that a client of the guest sends and wants back */

#endif
