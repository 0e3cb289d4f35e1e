import type { Scheduler } from './scheduler.js';

/**
 * The hypercalls of one domain: assembly/hypercalls.ts seen from below, and what backends need
 * besides. Numbers are u32 in, i32 out: a result from -4095 to -1 is a negative errno, everything
 * else is to be read unsigned (`>>> 0`). None of them calls back into the caller.
 */
export interface Hypercalls {
  /** Allocates a port that `remote` may bind. Result: the port. */
  evtchn_alloc_unbound(remote: number): number;
  /** Binds to an unbound port of `remote` offered to us. Result: our port, pending once. */
  evtchn_bind_interdomain(remote: number, remotePort: number): number;
  /** Binds a virtual interrupt. Result: the port; -EEXIST when already bound. */
  evtchn_bind_virq(virq: number): number;
  /** Sets the port pending at the other end. A peer that is unbound loses the event: result 0. */
  evtchn_send(port: number): number;
  evtchn_mask(port: number): number;
  /** Unmasks, and raises the upcall when the port became pending while masked. */
  evtchn_unmask(port: number): number;
  /** Closes the port; an interdomain peer becomes unbound (reserved for us), as in Xen. */
  evtchn_close(port: number): number;
  /** Grants `remote` access to one of our frames. Result: grant reference; -ENOSPC when full. */
  gnttab_grant_access(remote: number, frame: number, readonly: number): number;
  /** Ends a grant; -EBUSY while it is mapped (nothing changes), -EINVAL when not granted. */
  gnttab_end_access(ref: number): number;
  /** Maps a frame granted to us. Result: the frame at which it now stands in our address space. */
  gnttab_map(remote: number, ref: number, writable: number): number;
  /** Undoes one gnttab_map, named by the frame it gave. */
  gnttab_unmap(frame: number): number;
}

export type Architecture = 'arm64' | 'x86-64';

export interface MachineOptions {
  /** Size of the machine's memory. Untouched pages cost nothing. Default 512. */
  memoryMiB?: number;
  /**
   * Memory to lay the machine out in, all zero and never grown again, in place of a new one:
   * that of a component. One that is not shared stays with this thread.
   */
  memory?: WebAssembly.Memory;
  /** Layout of shared_info. Default 'arm64'. */
  architecture?: Architecture;
  /** Decides when deferred work runs on this thread. Default: the event loop. */
  scheduler?: Scheduler;
  /** Seeds the order in which grant references and ports are handed out. Default: random. */
  seed?: number;
  /** Grant-table size of a domain, in pages of 512 version 1 entries. Default 64, as Xen's. */
  maxGrantFrames?: number;
  /** Domains at most, domain 0 included; domids are below it. Default 320. */
  maxDomains?: number;
  /** Fills a frame with 0xdb when the last grant of it ends. Default true. */
  poison?: boolean;
  /**
   * Security policy: 'silo', Xen's own default, lets guests deal with domain 0 only (else -EPERM);
   * 'dummy' lets any two domains share pages and event channels. Default 'dummy'.
   */
  xsm?: 'dummy' | 'silo';
}

export interface DomainOptions {
  name: string;
  /** Memory of the domain, in frames of 4 KiB. */
  frames: number;
  /** Default: the next free one, from 1. Domain 0 exists from the start. */
  domid?: number;
}

/** What another thread needs to open the same machine: structured-cloneable. */
export interface MachineHandle {
  readonly memory: WebAssembly.Memory;
  readonly seed: number;
}
