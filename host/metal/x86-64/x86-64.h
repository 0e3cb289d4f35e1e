/* The processor: instructions that C has no words for; and what it is set up for. x86-64. */
#ifndef PVCALLS_X86_64_H
#define PVCALLS_X86_64_H

#include <stdint.h>

static inline uint64_t read_tsc(void)
{
    uint32_t low, high;
    __asm__ volatile("lfence\n\trdtsc" : "=a"(low), "=d"(high)::"memory");
    return (uint64_t)high << 32 | low;
}

/* Sleeps until an event interrupts; with one pending already it does not sleep. Interrupts are open
 * for the hlt alone (sti opens them one instruction late), and masked before and after. */
static inline void wait_for_interrupt(void)
{
    __asm__ volatile("sti\n\thlt\n\tcli" ::: "memory");
}

/* C reference: public/arch-x86/xen.h, XEN_HVM_DEBUGCONS_IOPORT. */
#define XEN_CONSOLE_PORT 0xe9

static inline void port_write(uint16_t port, uint8_t byte)
{
    __asm__ volatile("outb %0, %1" ::"a"(byte), "Nd"(port) : "memory");
}

/* interrupts.c: exceptions lead to panic_exception(), events end a wait_for_interrupt(). */
void interrupts_init(void);

/* timer.c: from here on timer_arm() has its event channel. */
void timer_init(void);

/* timer.c, after a wait: its event is not left for the module to find. */
void timer_take_event(void);

#endif
