/**
 * Two Dom0less guests find each other: the rendezvous page and the ABI of build/dom0less.wasm.
 * Source: Xen wiki, "Xen Shared Memory and Interrupts Between VMs", "Allocating and Binding Event
 * Channels": the receiver's port at 4, and "go" at 0 once it stands there. The rest is ours.
 *
 *   0      4      8     12   16               64
 *   | "go" | port | ref | -  | receiver_state | ... | sender_state |
 *
 * The receiver owns the page and grants it with a reference agreed beforehand. `ref` grants the
 * indexes page of a PV Calls data ring (wire/data-ring.ts); the receiver is its frontend.
 */
export const RENDEZVOUS_GO: u32 = 0; //              receiver writes, last: untrusted
export const RENDEZVOUS_PORT: u32 = 4; //            receiver writes once: untrusted
export const RENDEZVOUS_REF: u32 = 8; //             receiver writes once: untrusted
export const RENDEZVOUS_RECEIVER_STATE: u32 = 16; // receiver writes: untrusted
export const RENDEZVOUS_SENDER_STATE: u32 = 64; //   sender writes: untrusted

export const RENDEZVOUS_MAGIC: u32 = 0x6f67; //      "go" and two zeroes
export const END_ABSENT: u32 = 0;
export const END_OPEN: u32 = 1;
export const END_CLOSED: u32 = 2; //                 what was published before stays to be read

/**
 * `struct link_init`, read once by init():
 *
 *   0       4        8      12     16             20           24               28
 *   | arena | frames | role | peer | shared_info | ring_order | rendezvous_ref | timeout_ms |
 *   32            36
 *   | first_index | now_ms |
 */
export const LINK_ARENA: u32 = 0; //                 page-aligned address
export const LINK_FRAMES: u32 = 4; //                count of 4 KiB frames at `arena`
export const LINK_ROLE: u32 = 8; //                  ROLE_*
export const LINK_PEER: u32 = 12; //                 domid of the other end
export const LINK_SHARED_INFO: u32 = 16; //          address, or 0: the embedder demultiplexes ports
export const LINK_RING_ORDER: u32 = 20; //           receiver: 0 to 9
export const LINK_RENDEZVOUS_REF: u32 = 24; //       sender: reference of the rendezvous page
export const LINK_TIMEOUT_MS: u32 = 28; //           how long to wait for the peer, at either end
export const LINK_FIRST_INDEX: u32 = 32; //          tests only: where indices start; receiver
export const LINK_NOW_MS: u32 = 36; //               the time, as in handle_timeout()
export const LINK_INIT_SIZE: u32 = 40; //            bytes

export const ROLE_RECEIVER: u32 = 0; //              allocates the port and grants the pages
export const ROLE_SENDER: u32 = 1; //                binds the port and maps the pages

/** What state() answers. */
export const LINK_DOWN: u32 = 0;
export const LINK_WAITING: u32 = 1; //               for the peer
export const LINK_CONNECTED: u32 = 2;
export const LINK_CLOSING: u32 = 3; //               receiver: until the sender has let the pages go
export const LINK_CLOSED: u32 = 4;
export const LINK_FAILED: u32 = 5; //                reason() says why
