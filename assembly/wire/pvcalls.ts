/**
 * PV Calls commands: `struct xen_pvcalls_request` and `struct xen_pvcalls_response`.
 * Spec: pvcalls, "Commands Ring". C reference: public/io/pvcalls.h.
 *
 * Request, 64 bytes; every field is ours, the backend reads it:
 *
 *   0        4     8                                       16
 *   | req_id | cmd | id (u64)                              | by command ...
 *   socket   16 domain | 20 type | 24 protocol
 *   connect  16 addr[28] | 44 len | 48 flags | 52 ref | 56 evtchn
 *   release  16 reuse (u8)
 *   bind     16 addr[28] | 44 len
 *   listen   16 backlog
 *   accept   16 id_new (u64) | 24 ref | 28 evtchn
 *
 * Response, 24 bytes; every field is the backend's, untrusted:
 *
 *   0        4     8     12    16
 *   | req_id | cmd | ret | pad | id (u64) |
 *
 * The text of both documents numbers the commands wrongly ("cmd value: 0" for socket and for
 * connect); the #defines count 0 to 6 and so does every driver.
 */
export const PVCALLS_SOCKET: u32 = 0;
export const PVCALLS_CONNECT: u32 = 1;
export const PVCALLS_RELEASE: u32 = 2;
export const PVCALLS_BIND: u32 = 3;
export const PVCALLS_LISTEN: u32 = 4;
export const PVCALLS_ACCEPT: u32 = 5;
export const PVCALLS_POLL: u32 = 6;

export const REQUEST_SIZE: u32 = 64;
export const REQUEST_REQ_ID: u32 = 0;
export const REQUEST_CMD: u32 = 4;
export const REQUEST_ID: u32 = 8;

export const SOCKET_DOMAIN: u32 = 16;
export const SOCKET_TYPE: u32 = 20;
export const SOCKET_PROTOCOL: u32 = 24;

export const CONNECT_ADDR: u32 = 16;
export const CONNECT_LEN: u32 = 44;
export const CONNECT_FLAGS: u32 = 48;
export const CONNECT_REF: u32 = 52;
export const CONNECT_EVTCHN: u32 = 56;

export const RELEASE_REUSE: u32 = 16;
/** Ours, in release's padding: 1 asks for a reset. Sent only when FEATURE_RESET was offered. */
export const RELEASE_RESET: u32 = 17;

export const BIND_ADDR: u32 = 16;
export const BIND_LEN: u32 = 44;

export const LISTEN_BACKLOG: u32 = 16;

export const ACCEPT_ID_NEW: u32 = 16;
export const ACCEPT_REF: u32 = 24;
export const ACCEPT_EVTCHN: u32 = 28;

export const RESPONSE_SIZE: u32 = 24;
export const RESPONSE_REQ_ID: u32 = 0;
export const RESPONSE_CMD: u32 = 4;
export const RESPONSE_RET: u32 = 8;
export const RESPONSE_ID: u32 = 16;
