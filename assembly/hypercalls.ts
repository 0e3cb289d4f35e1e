/**
 * The seam down: every function the core imports, module `hypercalls`, and nothing else.
 *
 * Names and meanings are Xen's and mini-os's, so that an embedder maps them one to one onto what
 * its kernel has. All are synchronous, take and return 32-bit numbers, and never call back into the
 * core. A result from -4095 to -1 is a negative errno; everything else is unsigned.
 * The same list in TypeScript: host/machine/types.ts, `Hypercalls`.
 */

/** Allocates a port that `remote` may bind. Result: our port. Xen: EVTCHNOP_alloc_unbound. */
export declare function evtchn_alloc_unbound(remote: u32): u32;
/** Marks the port pending at the other end. Xen: EVTCHNOP_send. */
export declare function evtchn_send(port: u32): i32;
/** Keeps the port from raising an upcall; it stays pending. Xen: a bit of shared_info. */
export declare function evtchn_mask(port: u32): i32;
/** Lets it again, and raises the upcall it is pending for. Xen: EVTCHNOP_unmask. */
export declare function evtchn_unmask(port: u32): i32;
/** Frees a port; an interdomain peer falls back to unbound. Xen: EVTCHNOP_close. */
export declare function evtchn_close(port: u32): i32;
/** Lets `remote` map a frame of ours. Result: the grant reference, or -ENOSPC when none is left. */
export declare function gnttab_grant_access(remote: u32, frame: u32, readonly: u32): u32;
/** Takes a grant back; -EBUSY while the peer has it mapped: the frame must not be reused. */
export declare function gnttab_end_access(ref: u32): i32;
