/*
 * Hypercalls, x86-64: the page that Xen fills has 32 bytes of code for each number; arguments go in
 * rdi, rsi and rdx, where C has them, the result comes in rax.
 * C reference: public/arch-x86/xen-x86_64.h.
 */
	.text
	.globl	hypercall
hypercall:
	shl	$5, %ecx
	lea	hypercall_page(%rcx), %rax
	jmp	*%rax

	.section .note.GNU-stack, "", @progbits
