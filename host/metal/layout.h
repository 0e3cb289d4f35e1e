/*
 * Where everything stands. Read by C and by the assembler. Physical places of x86-64 are in
 * x86-64/layout-x86-64.h; those that both have are here.
 *
 * Guest-physical on arm64 (C reference: public/arch-arm.h, GUEST_*):
 *
 *   03001000 GIC | 38000000 grant table | 3a000000 free | 40000000 RAM, image at 40080000
 *
 * Virtual: the image where it is; devices where they are; linear memory of the wasm at 4 GiB:
 *
 *   linear   0        1000          2000       3000      4000             3000000      4000000
 *            | unmapped | shared_info | xenstore | console | RAM: app, arena | window     |
 *
 * Linear frames are virtual: the host translates them to guest frames (mmu_guest_frame). The window
 * stands for guest frames without RAM, into which foreign grants are mapped.
 */
#ifndef PVCALLS_LAYOUT_H
#define PVCALLS_LAYOUT_H

#ifdef __x86_64__
#include "x86-64/layout-x86-64.h"
#else
#define RAM_BASE 0x40000000
#define RAM_TEXT_OFFSET 0x80000
#define RAM_IMAGE_END 0x40200000 /* RAM below is the image's, above it linear memory's */
#define RAM_MIB_MIN 4u
#endif

#define GRANT_TABLE_BASE 0x38000000
#define SHARED_INFO_BASE 0x3a000000
#define WINDOW_BASE 0x3c000000

#define LINEAR_BASE 0x100000000
#define LINEAR_SIZE 0x4000000
#define LINEAR_SHARED_INFO 0x1000
#define LINEAR_STORE 0x2000
#define LINEAR_CONSOLE 0x3000
#define LINEAR_RAM 0x4000     /* the application's own pages come first */
#define LINEAR_ARENA 0x100000 /* and from here on RAM is for arenas */
#define LINEAR_WINDOW 0x3000000

#define STACK_SIZE 0x10000
#define STACK_SIZE_PANIC 0x1000

/* Attribute 0: device, nGnRnE. Attribute 1: normal, write-back, read- and write-allocate. */
#define MAIR 0xff00
/* 39-bit addresses, 4 KiB pages, walks write-back and inner-shareable, 40-bit output, no TTBR1. */
#define TCR 0x200803519
/* Reserved bits as they must be; M, C, I; SA: the stack pointer stays aligned. */
#define SCTLR 0x30d0180d

#endif
