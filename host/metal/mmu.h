/* Stage 1 tables. */
#ifndef PVCALLS_MMU_H
#define PVCALLS_MMU_H

#include <stdbool.h>
#include <stdint.h>

#define NO_FRAME (~UINT64_C(0))

/* From image.S, before the MMU is on: the image, and RAM, where they are. */
void mmu_build(void);

/* Maps 2 MiB of device registers, or of normal memory, where they are. Below 1 GiB. */
void mmu_map_device(uint64_t address);
void mmu_map_normal(uint64_t address);

/* Takes away the sight of RAM above the image: from here on only linear memory shows it. */
void mmu_forget_ram(void);

/* Makes a guest frame stand at a frame of linear memory. */
void mmu_map_linear(uint32_t linear_frame, uint64_t guest_frame);

/* The guest frame that stands at a frame of linear memory, or NO_FRAME. */
uint64_t mmu_guest_frame(uint32_t linear_frame);

#endif
