/*
 * Where the processor goes by itself. Interrupts are open for one instruction only, the hlt of
 * interrupts.c, so the event vector has nothing to do but to close them again: the upcall byte
 * stays set until the main loop looks at it, and Xen would interrupt for it once more.
 *
 * Exceptions are bugs: panic_exception() says what happened. They run on a stack of their own.
 */
#include "layout.h"

#define RFLAGS_AT 16
#define INTERRUPT_FLAG 9

/* These push an error code themselves. Intel's manual, volume 3, "Exception and Interrupt
 * Reference". */
#define HAS_ERROR_CODE(vector) \
	((vector == 8) | ((vector >= 10) & (vector <= 14)) | (vector == 17) | (vector == 21) | \
	 (vector == 29) | (vector == 30))

	.text
	.globl	event_entry
event_entry:
	btrq	$INTERRUPT_FLAG, RFLAGS_AT(%rsp)
	iretq

	.balign	STUB_SIZE
	.globl	exception_entries
exception_entries:
	.set	vector, 0
	.rept	EXCEPTIONS
	.balign	STUB_SIZE
	.if	HAS_ERROR_CODE(vector) == 0
	push	$0
	.endif
	push	$vector
	jmp	fatal
	.set	vector, vector + 1
	.endr

/* On the stack: vector, error code, where. */
fatal:
	pop	%rdi
	pop	%rsi
	mov	(%rsp), %rdx
	mov	%cr2, %rcx
	mov	24(%rsp), %r8		/* the stack pointer where it happened */
	and	$-16, %rsp
	call	panic_exception

	.section .note.GNU-stack, "", @progbits
