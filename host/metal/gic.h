/* The interrupt controller that Xen emulates: version 2 or 3, as the device tree says. */
#ifndef PVCALLS_GIC_H
#define PVCALLS_GIC_H

#include <stdint.h>

#define GIC_NOTHING 1023u

void gic_init(const void *tree);

/* Lets a private interrupt (16 to 31) through to gic_acknowledge(). */
void gic_enable(uint32_t interrupt);

/* The interrupt that is pending, now active, or GIC_NOTHING. */
uint32_t gic_acknowledge(void);

/* Ends an interrupt that was acknowledged: from here on it may become pending again. */
void gic_end(uint32_t interrupt);

#endif
