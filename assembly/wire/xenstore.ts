/**
 * xenstore wire protocol. C reference: public/io/xs_wire.h.
 *
 * `struct xsd_sockmsg`, 16 bytes before every payload, both ways:
 *
 *   0      4        8       12    16
 *   | type | req_id | tx_id | len | payload ...
 *
 * `struct xenstore_domain_interface`, the shared page:
 *
 *   0           1024        2048       2052       2056       2060
 *   | req[1024] | rsp[1024] | req_cons | req_prod | rsp_cons | rsp_prod |
 *   2064              2068         2072
 *   | server_features | connection | error |
 */
export const XS_CONTROL: u32 = 0;
export const XS_DIRECTORY: u32 = 1;
export const XS_READ: u32 = 2;
export const XS_GET_PERMS: u32 = 3;
export const XS_WATCH: u32 = 4;
export const XS_UNWATCH: u32 = 5;
export const XS_TRANSACTION_START: u32 = 6;
export const XS_TRANSACTION_END: u32 = 7;
export const XS_INTRODUCE: u32 = 8;
export const XS_RELEASE: u32 = 9;
export const XS_GET_DOMAIN_PATH: u32 = 10;
export const XS_WRITE: u32 = 11;
export const XS_MKDIR: u32 = 12;
export const XS_RM: u32 = 13;
export const XS_SET_PERMS: u32 = 14;
export const XS_WATCH_EVENT: u32 = 15;
export const XS_ERROR: u32 = 16;
export const XS_IS_DOMAIN_INTRODUCED: u32 = 17;
export const XS_RESUME: u32 = 18;
export const XS_SET_TARGET: u32 = 19;
export const XS_RESET_WATCHES: u32 = 21;
export const XS_DIRECTORY_PART: u32 = 22;

export const MSG_TYPE: u32 = 0;
export const MSG_REQ_ID: u32 = 4;
export const MSG_TX_ID: u32 = 8;
export const MSG_LEN: u32 = 12;
export const MSG_SIZE: u32 = 16; //              bytes of header
export const XENSTORE_PAYLOAD_MAX: u32 = 4096; //bytes of payload
export const XENSTORE_ABS_PATH_MAX: u32 = 3072;
export const XENSTORE_REL_PATH_MAX: u32 = 2048;

export const XENSTORE_RING_SIZE: u32 = 1024; //  bytes each way
export const XS_REQ: u32 = 0; //                 we write
export const XS_RSP: u32 = 1024; //              peer writes: untrusted
export const XS_REQ_CONS: u32 = 2048; //         peer writes: untrusted
export const XS_REQ_PROD: u32 = 2052; //         we write
export const XS_RSP_CONS: u32 = 2056; //         we write
export const XS_RSP_PROD: u32 = 2060; //         peer writes: untrusted
export const XS_SERVER_FEATURES: u32 = 2064; //  peer writes: untrusted
export const XS_CONNECTION: u32 = 2068; //       both write: 0 connected, 1 reconnect asked for
export const XS_ERROR_FIELD: u32 = 2072; //      peer writes: untrusted
export const XENSTORE_CONNECTED: u32 = 0;
export const XENSTORE_RECONNECT: u32 = 1;
