/**
 * Steers and reads the fake Xen under a spec: fake-hypercalls.js, where each is explained.
 *
 * A spec calls fake_reset() before each test, and may end with
 * `expect(fake_violations()).toBe(0)`: the core asked nothing that Xen would have refused.
 * Frames for tests: any below 4096, that is below 16 MiB; the spec's own heap is above.
 */

/** Forgets everything, and starts the same sequence of ports and references again. */
export declare function fake_reset(): void;

/** After `count` more ports or grants handed out, each further one is refused; -1 lifts it. */
export declare function fake_fail_after(count: i32): void;
/** While busy, the peer has the grant mapped: gnttab_end_access answers -EBUSY. */
export declare function fake_set_busy(ref: u32, busy: bool): void;

/** Grants that are live. */
export declare function fake_grants(): i32;
/** The live grant number `index`, oldest first; -1 past the last. */
export declare function fake_grant_at(index: i32): i32;
/** The reference under which a frame is granted; -1 when it is not. */
export declare function fake_ref_of(frame: u32): i32;
/** What a live grant names; -1 when it is not live. */
export declare function fake_frame_of(ref: u32): i32;
export declare function fake_grantee_of(ref: u32): i32;
export declare function fake_is_readonly(ref: u32): i32;

/** Event channel ports that are open. */
export declare function fake_ports(): i32;
/** The open port number `index`, oldest first; -1 past the last. */
export declare function fake_port_at(index: i32): i32;
/** Who may bind an open port; -1 when it is not open. */
export declare function fake_remote_of(port: u32): i32;
/** Whether a port is masked, open or not: a mask outlives its port. And how many are. */
export declare function fake_is_masked(port: u32): i32;
export declare function fake_masked(): i32;

/** How often the core notified the port since the reset or fake_forget_sent(); closed ports too. */
export declare function fake_sent(port: u32): i32;
/** The same over all ports. */
export declare function fake_sent_total(): i32;
export declare function fake_forget_sent(): void;
/** From now on, each notification of the port notes the u32 at `address` first. */
export declare function fake_watch_at_send(port: u32, address: usize): void;
/** The u32 noted at the last notification of the port: what the peer would have found there. */
export declare function fake_seen_at_send(port: u32): u32;

/** Where shared_info stands, and in which layout. Cleared by fake_reset(). */
export declare function fake_shared_info(address: usize, arm64: bool): void;
/** The peer notifies our port: sets it pending in shared_info as Xen does. Needs shared_info. */
export declare function fake_raise(port: u32): void;

/** Hypercalls made since the reset. */
export declare function fake_calls(): i32;
/** Hypercalls that Xen would have refused: unknown port or reference, freed twice, frame 0. */
export declare function fake_violations(): i32;
