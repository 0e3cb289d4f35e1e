/**
 * Maps what one guest granted, within that guest's quota of mapped pages.
 * Trust: references are the guest's; the hypervisor refuses those that it did not grant to us.
 */
import { EFAULT, ENOBUFS } from '../../assembly/wire/errno.js';
import { isErrno, type DomainView } from './machine-view.js';

export class GrantMapper {
  /** Pages mapped now. */
  mapped = 0;

  constructor(
    private readonly hypercalls: DomainView['hypercalls'],
    private readonly remote: number,
    readonly memory: ArrayBufferLike,
    private readonly maxPages: number,
  ) {}

  /** Maps a page for writing. Result: its frame; -ENOBUFS over quota; -EFAULT, a bad reference. */
  map(ref: number): number {
    if (this.mapped >= this.maxPages) return -ENOBUFS;
    const frame = this.hypercalls.gnttab_map(this.remote, ref, 1);
    if (isErrno(frame)) return -EFAULT;
    this.mapped += 1;
    return frame >>> 0;
  }

  unmap(frame: number): void {
    this.mapped -= 1;
    this.hypercalls.gnttab_unmap(frame);
  }
}
