/*
 * Hypercalls, arm64: number in x16, arguments from x0 on, result in x0; Xen may change x16 and the
 * registers of the arguments, which C takes as lost anyway. C reference: public/arch-arm.h.
 */
	.text
	.globl	hypercall
hypercall:
	mov	x16, x3
	hvc	#0xea1
	ret

/* void semihosting_exit(const uint64_t block[2]): SYS_EXIT_EXTENDED. Arm, "Semihosting". */
	.globl	semihosting_exit
semihosting_exit:
	mov	x1, x0
	mov	x0, #0x20
	hlt	#0xf000
	ret
