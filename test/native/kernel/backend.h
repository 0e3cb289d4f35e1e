/*
 * The backend of the tests: the other end of every ring, by Xen's own headers and by nothing of
 * ours. It answers commands, echoes or keeps bytes, and lies when told to.
 */
#ifndef TEST_BACKEND_H
#define TEST_BACKEND_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel.h"

#define BACKEND_DOMAIN 0u
#define MAX_ORDER 4u
#define PORT_REFUSED 1u /* connect here: -ECONNREFUSED */
#define PORT_IN_USE 2u  /* bind here: -EADDRINUSE */

/* What the backend does wrong at the next opportunity, numbered as the fault it has to cause. */
enum lie {
    LIE_NONE,
    LIE_RSP_PROD,
    LIE_REQ_ID,
    LIE_CMD,
    LIE_ID,
    LIE_RET,
    LIE_IN_PROD,
    LIE_OUT_CONS,
    LIE_IN_ERROR,
    LIE_OUT_ERROR,
};

struct backend_socket {
    bool used, listening, waiting; /* waiting: ACCEPT or POLL is unanswered */
    uint64_t id;
    uint32_t data_port, intf_ref; /* of a connection; data_port 0: none */
    uint32_t order;
    uint32_t clients; /* dialled and not accepted */
    uint32_t taken;   /* bytes that came in all */
    uint32_t hash;    /* FNV-1a of them */
    struct pvcalls_data_intf *intf;
    uint32_t refs[1u << MAX_ORDER];
    uint8_t *pages[1u << MAX_ORDER];
    uint32_t wait_req, wait_cmd; /* the unanswered request */
    uint32_t accept_ref, accept_port;
    uint64_t accept_id;
};

#define BACKEND_SOCKETS 8u

struct backend {
    struct kernel *kernel;
    uint32_t ring_ref, ring_port;
    struct xen_pvcalls_sring *sring;
    uint32_t req_cons, rsp_prod;
    struct backend_socket sockets[BACKEND_SOCKETS];
    enum lie lie;
    bool silent; /* answers no command */
    bool idle;   /* leaves data where it is */
    bool echo;   /* sends back what it takes; else keeps it */
    uint32_t seen[7]; /* commands of each kind */
};

/* Maps the command ring that the guest offers. */
void backend_init(struct backend *backend, struct kernel *kernel, uint32_t ref, uint32_t port);

/* Does what there is to do; whether there was anything. */
bool backend_step(struct backend *backend);

/* A client connects to whatever listens. */
void backend_dial(struct backend *backend);

/* Sends on the only connection; how many bytes there was room for. */
uint32_t backend_send(struct backend *backend, const uint8_t *bytes, uint32_t size);

/* The other end closed the only connection: in_error, after what was sent, and out_error. */
void backend_hang_up(struct backend *backend, int32_t in_error, int32_t out_error);

/* Does the lie now, on the only connection, if it is about data. */
void backend_lie(struct backend *backend, enum lie lie);

/* Lets go of everything, as when the domain dies. */
void backend_end(struct backend *backend);

uint32_t fnv1a(uint32_t hash, const uint8_t *bytes, uint32_t size);
#define FNV_START 2166136261u

#endif
