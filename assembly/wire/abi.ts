/**
 * Our own ABI: what passes between the core and its embedder. Described in docs/abi.md.
 * All fields are little-endian u32 unless said otherwise; addresses are linear-memory addresses.
 */
export const ABI_VERSION: u32 = 1;

/**
 * `struct init`, read once by init(); not within the arena:
 *
 *   0       4        8         12            16             20           24
 *   | arena | frames | sockets | shared_info | architecture | store_page | store_port |
 *   28      32           36                   40                 44
 *   | flags | ring_order | command_timeout_ms | close_timeout_ms | first_index |
 */
export const INIT_ARENA: u32 = 0; //               page-aligned address
export const INIT_FRAMES: u32 = 4; //              count of 4 KiB frames at `arena`
export const INIT_SOCKETS: u32 = 8; //             entries of the socket table, 1 to SOCKETS_MAX
export const INIT_SHARED_INFO: u32 = 12; //        address, or 0: the embedder demultiplexes ports
export const INIT_ARCHITECTURE: u32 = 16; //       ARCHITECTURE_*
export const INIT_STORE_PAGE: u32 = 20; //         address, or 0: the embedder owns xenstore
export const INIT_STORE_PORT: u32 = 24;
export const INIT_FLAGS: u32 = 28; //              INIT_* bits below; from here on options
export const INIT_RING_ORDER: u32 = 32; //         default order, or RING_ORDER_DEFAULT
export const INIT_COMMAND_TIMEOUT_MS: u32 = 36; // 0: commands wait for ever
export const INIT_CLOSE_TIMEOUT_MS: u32 = 40; //   how long close() keeps undelivered bytes
export const INIT_FIRST_INDEX: u32 = 44; //        tests only: where data-ring indices start
export const INIT_SIZE: u32 = 48; //               bytes

export const INIT_V7: u32 = 1; //                  the dialect of design v7, not the shipped one
export const INIT_REUSE: u32 = 2; //               keep released rings and offer them again

export const ARCHITECTURE_ARM64: u32 = 0;
export const ARCHITECTURE_X86_64: u32 = 1;
export const RING_ORDER_DEFAULT: u32 = 0xff; //    min(4, what the backend allows)
export const SOCKETS_MAX: u32 = 4064; //           sockets; ports of the 2-level ABI bound it anyway

/**
 * `struct event`, written by poll_event():
 *
 *   0      4        8   12  16  20
 *   | kind | handle | a | b | c |
 */
export const EVENT_KIND: u32 = 0;
export const EVENT_HANDLE: u32 = 4;
export const EVENT_A: u32 = 8;
export const EVENT_B: u32 = 12;
export const EVENT_C: u32 = 16;
export const EVENT_SIZE: u32 = 20; //              bytes

export const EVENT_NONE: u32 = 0; //               nothing happened since
export const EVENT_DEVICE: u32 = 1; //             a: DEVICE_*, b: fault number, c: offending value
export const EVENT_DONE: u32 = 2; //               handle, a: PVCALLS_* command, b: its result (i32)
export const EVENT_READY: u32 = 3; //              handle, a: POLL* bits
export const EVENT_CLOSED: u32 = 4; //             handle is free again, b: result of RELEASE (i32)
export const EVENT_STORE: u32 = 5; //              handle: request, a: payload, b: its size, c: XS_*

export const DEVICE_DOWN: u32 = 0; //              not started, or no device in xenstore
export const DEVICE_CONNECTING: u32 = 1;
export const DEVICE_CONNECTED: u32 = 2;
export const DEVICE_CLOSING: u32 = 3;
export const DEVICE_CLOSED: u32 = 4;
export const DEVICE_FAILED: u32 = 5; //            the backend broke the protocol

/** Faults: what the backend did. `c` of the event carries the offending value. */
export const FAULT_NONE: u32 = 0;
export const FAULT_RSP_PROD: u32 = 1; //           more responses than requests outstanding
export const FAULT_REQ_ID: u32 = 2; //             req_id never sent, or answered twice
export const FAULT_CMD: u32 = 3; //                cmd is not that of the request
export const FAULT_ID: u32 = 4; //                 id is not that of the request
export const FAULT_RET: u32 = 5; //                ret is neither 0 nor -4095 to -1
export const FAULT_IN_PROD: u32 = 6; //            in_prod out of range or moved back
export const FAULT_OUT_CONS: u32 = 7; //           out_cons out of range or moved back
export const FAULT_IN_ERROR: u32 = 8; //           in_error is neither
export const FAULT_OUT_ERROR: u32 = 9; //          out_error is neither
export const FAULT_STORE: u32 = 10; //             xenstore: index, size or reply malformed
/** Faults of the offer: the backend's nodes cannot be used. The device stays closed: ENODEV. */
export const FAULT_VERSION: u32 = 16; //           versions (v7: version) absent or without 1
export const FAULT_MAX_PAGE_ORDER: u32 = 17; //    absent, not a number, or 0 under v1
export const FAULT_FUNCTION_CALLS: u32 = 18; //    absent or not 1
export const FAULT_BACKEND_NODE: u32 = 19; //      backend or backend-id absent or malformed
/** Faults of ours: the offer could not be made. `c` is the negative errno. */
export const FAULT_OFFER: u32 = 20; //             no frame, grant or port for the command ring
export const FAULT_STORE_ERROR: u32 = 21; //       xenstored refused a write

/** poll() and EVENT_READY. Values of <poll.h>. */
export const POLLIN: u32 = 1;
export const POLLOUT: u32 = 4;
export const POLLERR: u32 = 8;
export const POLLHUP: u32 = 16;

/** Flags of send() and recv(). Value of <sys/socket.h>. */
export const MSG_PEEK: u32 = 2;

/** Features of a backend, as attach_connected() takes them. */
export const FEATURE_RESET: u32 = 1; //            release with reset (ours; node feature-reset)

/** poll_timeout() when nothing is to be waited for. */
export const TIMEOUT_NONE: u32 = 0xffffffff;

/**
 * `struct span`, an array of which sendv(), recvv() and the windows use:
 *
 *   0         4      8
 *   | address | size |
 */
export const SPAN_ADDRESS: u32 = 0;
export const SPAN_BYTES: u32 = 4;
export const SPAN_SIZE: u32 = 8; //                bytes
export const SPANS_MAX: u32 = 64; //               spans that sendv() and recvv() take at most

/** `struct counters`, written by counters(). */
export const COUNTER_REQUESTS: u32 = 0; //         commands sent
export const COUNTER_RESPONSES: u32 = 4;
export const COUNTER_NOTIFICATIONS: u32 = 8; //    evtchn_send calls
export const COUNTER_EVENTS: u32 = 12; //          ports handled
export const COUNTER_SPURIOUS: u32 = 16; //         events with no work behind them
export const COUNTER_UNKNOWN: u32 = 20; //         events for a port we do not have
export const COUNTER_LATE: u32 = 24; //            responses to requests already given up
export const COUNTER_LOST: u32 = 28; //            command slots never answered, now
export const COUNTER_PARKED: u32 = 32; //          frames the backend still maps, now
export const COUNTER_FRAMES_FREE: u32 = 36; //     now
export const COUNTER_SOCKETS: u32 = 40; //         handles in use, now
export const COUNTERS_SIZE: u32 = 44; //           bytes
