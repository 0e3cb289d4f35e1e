/*
 * Exception vectors. Interrupts stay masked for the whole life of the guest (main.c takes them by
 * asking the interrupt controller), so whatever arrives here is a bug: panic_exception() says what.
 */
	.macro	vector kind
	.balign	128
	mov	x0, #\kind
	b	fatal
	.endm

	.text
	.balign	2048
	.globl	vectors
vectors:
	.irp	kind, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	vector	\kind
	.endr

/* On a stack of its own: the ordinary one may be what overflowed. */
fatal:
	adrp	x1, panic_stack_top
	add	x1, x1, :lo12:panic_stack_top
	mov	sp, x1
	mrs	x1, esr_el1
	mrs	x2, elr_el1
	mrs	x3, far_el1
	mov	x4, x30
	b	panic_exception
