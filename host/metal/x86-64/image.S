/*
 * The way from the domain builder to main(). Entered in 32-bit protected mode without paging, the
 * address of struct hvm_start_info in ebx. C reference: public/arch-x86/hvm/start_info.h.
 *
 * The first tables show the first 4 MiB as they are: the image, and what the builder put behind it.
 */
#include "layout.h"

#define PRESENT_WRITABLE 3
#define BLOCK 0x83
#define BLOCK_SIZE 0x200000
#define CR0_BITS 0x80010009 /* paging; read-only for us as well; floating point is off */
#define CR4_LONG_ADDRESSES 0x20
#define MSR_EFER 0xc0000080
#define EFER_LONG_MODE_AND_NX 0x900

	.section .note.Xen, "a", @note
	.balign	4
	.long	4, 4, PHYS32_ENTRY
	.asciz	"Xen"
	.long	image_start

	.section .head, "ax"
	.code32
	.globl	image_start
image_start:
	cli
	cld
	mov	%ebx, %ebp
	movl	$mmu_gigabytes + PRESENT_WRITABLE, mmu_root
	movl	$mmu_low + PRESENT_WRITABLE, mmu_gigabytes
	movl	$BLOCK, mmu_low
	movl	$BLOCK_SIZE + BLOCK, mmu_low + 8

	mov	%cr4, %eax
	or	$CR4_LONG_ADDRESSES, %eax
	mov	%eax, %cr4
	mov	$mmu_root, %eax
	mov	%eax, %cr3
	mov	$MSR_EFER, %ecx
	rdmsr
	or	$EFER_LONG_MODE_AND_NX, %eax
	wrmsr
	mov	%cr0, %eax
	or	$CR0_BITS, %eax
	mov	%eax, %cr0
	lgdt	descriptors_place
	ljmp	$SELECTOR_CODE, $long_mode

	.code64
long_mode:
	xor	%eax, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %fs
	mov	%eax, %gs
	mov	%eax, %ss
	mov	$stack_top, %esp
	mov	%ebp, %edi
	xor	%ebp, %ebp
	call	main

	.section .data.descriptors, "aw"
	.balign	8
	.globl	descriptors
descriptors:
	.quad	0
	.quad	0x00af9b000000ffff	/* code, 64 bits, accessed */
	.quad	0, 0			/* the task: interrupts.c */
descriptors_end:
descriptors_place:
	.word	descriptors_end - descriptors - 1
	.long	descriptors

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

	.section .bss.hypercalls, "aw", @nobits
	.balign	4096
	.globl	hypercall_page
hypercall_page:
	.space	4096

	.section .note.GNU-stack, "", @progbits
