/* Time, and the generic timer that ends a sleep. */
#ifndef PVCALLS_TIMER_H
#define PVCALLS_TIMER_H

#include <stdint.h>

#define TIMER_INTERRUPT 27u   /* virtual timer; public/arch-arm.h: GUEST_TIMER_VIRT_PPI */
#define TIMER_NEVER 0xffffffffu

/* Milliseconds since the counter began, modulo 2^32. */
uint32_t now_ms(void);

/* The interrupt comes in `delay_ms`, not before; with TIMER_NEVER it does not come. */
void timer_arm(uint32_t delay_ms);

/* The interrupt has come: it is silent until timer_arm(). */
void timer_silence(void);

#endif
