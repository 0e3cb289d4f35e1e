import type { Scheduler } from '../machine/scheduler.js';
import type { Hypercalls } from '../machine/types.js';

/**
 * What the backend needs of a machine: structural, so that it runs on anything that carries grants,
 * event channels and a store. host/machine's `createMachine()` result is one.
 */
export interface MachineView {
  readonly memory: { readonly buffer: ArrayBufferLike };
  readonly scheduler: Scheduler;
  readonly store: { connect(domid: number): StoreView };
  domain(domid: number): DomainView;
}

export interface DomainView {
  readonly hypercalls: Pick<
    Hypercalls,
    | 'gnttab_map'
    | 'gnttab_unmap'
    | 'evtchn_bind_interdomain'
    | 'evtchn_send'
    | 'evtchn_close'
    | 'evtchn_mask'
    | 'evtchn_unmask'
  >;
  readonly events: {
    /** Calls the handler, never from inside a hypercall, when the port was set pending. */
    on(port: number, handler: () => void): void;
    off(port: number): void;
  };
}

/** A xenstore connection. Errors are thrown, with a `code` such as 'ENOENT'. */
export interface StoreView {
  read(path: string): string;
  write(path: string, value: string): void;
  directory(path: string): string[];
  rm(path: string): void;
  watch(path: string, token: string, handler: (path: string, token: string) => void): void;
  unwatch(path: string, token: string): void;
  close(): void;
}

/** True for the -4095 to -1 that a hypercall answers instead of a number. */
export function isErrno(result: number): boolean {
  const signed = result | 0;
  return signed < 0 && signed >= -4095;
}
