/** shared_info as Xen writes it. C reference: public/xen.h; 2-level event channels. */
import * as wire from '../../assembly/wire/shared-info.js';
import { SHARED_INFO_AT, type FuzzMemory } from './memory.js';

export class SharedInfo {
  readonly pendingAt: number;
  readonly maskAt: number;

  constructor(
    private readonly memory: FuzzMemory,
    x86: boolean,
  ) {
    this.pendingAt =
      SHARED_INFO_AT + (x86 ? wire.X86_64_EVTCHN_PENDING : wire.ARM64_EVTCHN_PENDING);
    this.maskAt = SHARED_INFO_AT + (x86 ? wire.X86_64_EVTCHN_MASK : wire.ARM64_EVTCHN_MASK);
  }

  /** An event on a port, as Xen delivers it. */
  raise(port: number): void {
    const { u32, u8 } = this.memory;
    u32[(this.pendingAt >>> 2) + (port >>> 5)]! |= 1 << (port & 31);
    u32[((SHARED_INFO_AT + wire.EVTCHN_PENDING_SEL) >>> 2) + (port >>> 11)]! |=
      1 << ((port >>> 6) & 31);
    u8[SHARED_INFO_AT + wire.EVTCHN_UPCALL_PENDING] = 1;
  }

  /** The bit of evtchn_mask; what became pending meanwhile is told when it goes. */
  setMask(port: number, masked: boolean): void {
    const { u32 } = this.memory;
    const at = (this.maskAt >>> 2) + (port >>> 5);
    const bit = 1 << (port & 31);
    if (masked) u32[at]! |= bit;
    else u32[at]! &= ~bit;
    if (!masked && (u32[(this.pendingAt >>> 2) + (port >>> 5)]! & bit) !== 0) this.raise(port);
  }

  /** Whether a scan now comes to this port. */
  due(port: number): boolean {
    const { u32 } = this.memory;
    const word = port >>> 5;
    const bit = 1 << (port & 31);
    const sel = u32[((SHARED_INFO_AT + wire.EVTCHN_PENDING_SEL) >>> 2) + (port >>> 11)]!;
    if ((sel & (1 << ((port >>> 6) & 31))) === 0) return false;
    if ((u32[(this.maskAt >>> 2) + word]! & bit) !== 0) return false;
    return (u32[(this.pendingAt >>> 2) + word]! & bit) !== 0;
  }

  /** Any bit of a pending word, for a kernel that demultiplexes by itself: takes it. */
  take(port: number): boolean {
    const at = (this.pendingAt >>> 2) + (port >>> 5);
    const bit = 1 << (port & 31);
    const { u32 } = this.memory;
    if ((u32[at]! & bit) === 0) return false;
    u32[at]! &= ~bit;
    return true;
  }
}
