/**
 * What this module imports besides assembly/hypercalls.ts, under the same module name: the sender
 * binds a port and maps pages, which a PV Calls frontend never does. Results as there.
 */

/** Binds to an unbound port of `remote`. Result: our port, pending once. */
export declare function evtchn_bind_interdomain(remote: u32, remotePort: u32): u32;
/** Maps a frame granted to us. Result: the linear frame at which it stands, wherever that is. */
export declare function gnttab_map(remote: u32, ref: u32, writable: u32): u32;
/** Undoes one gnttab_map, named by the frame it gave. */
export declare function gnttab_unmap(frame: u32): i32;
