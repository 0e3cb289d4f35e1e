/**
 * The parts of `struct shared_info` that carry 2-level event channels, on the two architectures.
 * C reference: public/xen.h, public/arch-arm.h, public/arch-x86/xen.h.
 *
 *            upcall_pending   upcall_mask    pending_sel   pending[64]   mask[64]
 *            u8               u8             u64           u64           u64
 *   arm64    0                absent (pad)   8             48            560
 *   x86-64   0                1              8             2048          2560
 *
 * `pending` and `pending_sel` are set by Xen at any time: change them with atomics only.
 */
export const EVTCHN_UPCALL_PENDING: u32 = 0; // Xen sets, we clear
export const EVTCHN_UPCALL_MASK: u32 = 1; //    we write, x86 only
export const EVTCHN_PENDING_SEL: u32 = 8; //    Xen sets, we exchange with 0
export const ARM64_EVTCHN_PENDING: u32 = 48;
export const ARM64_EVTCHN_MASK: u32 = 560;
export const X86_64_EVTCHN_PENDING: u32 = 2048;
export const X86_64_EVTCHN_MASK: u32 = 2560;
export const ARM64_SHARED_INFO_SIZE: u32 = 1088;
export const X86_64_SHARED_INFO_SIZE: u32 = 3136;
/** Ports of the 2-level ABI with 64-bit words: 64 words of 64 bits. */
export const EVTCHN_2L_NR_CHANNELS: u32 = 4096;

export const VIRQ_TIMER: u32 = 0;
export const VIRQ_DEBUG: u32 = 1;
export const VIRQ_ARGO: u32 = 11;
