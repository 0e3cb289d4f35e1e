/*
 * The image: a header as Linux's "Booting AArch64 Linux" describes it, which Xen looks for, and the
 * way from there to main(). Entered at EL1, MMU and caches off, the device tree's address in x0.
 *
 * Invariant: until the MMU is on, memory is written past the caches. So .bss is zeroed and the
 * tables are written first, and then every line of the image is invalidated: a line that the cache
 * kept from before would hide what was written.
 */
#include "layout.h"

	.section .head, "ax"
	.globl	image_start
image_start:
	b	entry
	nop
	.quad	RAM_TEXT_OFFSET		/* text_offset */
	.quad	image_size
	.quad	0xa			/* little endian, 4 KiB pages, anywhere in memory */
	.quad	0, 0, 0
	.ascii	"ARM\x64"
	.long	0

entry:
	mov	x19, x0
	adrp	x1, bss_start
	add	x1, x1, :lo12:bss_start
	adrp	x2, bss_end
	add	x2, x2, :lo12:bss_end
1:	stp	xzr, xzr, [x1], #16
	cmp	x1, x2
	b.lo	1b

	adrp	x1, stack_top
	add	sp, x1, :lo12:stack_top
	bl	mmu_build

	adrp	x1, image_start
	adrp	x2, bss_end
	add	x2, x2, :lo12:bss_end
	mrs	x3, ctr_el0
	ubfx	x3, x3, #16, #4		/* log2 of words in the smallest data cache line */
	mov	x4, #4
	lsl	x4, x4, x3
2:	dc	ivac, x1
	add	x1, x1, x4
	cmp	x1, x2
	b.lo	2b
	dsb	sy
	ic	iallu

	adrp	x1, vectors
	add	x1, x1, :lo12:vectors
	msr	vbar_el1, x1
	adrp	x1, mmu_root
	add	x1, x1, :lo12:mmu_root
	msr	ttbr0_el1, x1
	ldr	x1, =MAIR
	msr	mair_el1, x1
	ldr	x1, =TCR
	msr	tcr_el1, x1
	isb
	tlbi	vmalle1
	dsb	sy
	isb
	ldr	x1, =SCTLR
	msr	sctlr_el1, x1		/* MMU and caches on */
	isb

	mov	x0, x19
	mov	x29, xzr
	mov	x30, xzr
	b	main

	.section .bss.stack, "aw", @nobits
	.balign	4096
	.globl	stack_guard
stack_guard:
	.space	4096			/* never mapped: an overflow faults */
	.space	STACK_SIZE
stack_top:
	.space	STACK_SIZE_PANIC
	.globl	panic_stack_top
panic_stack_top:
