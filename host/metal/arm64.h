/* The processor: system registers, barriers, interrupt masking. EL1, arm64. */
#ifndef PVCALLS_ARM64_H
#define PVCALLS_ARM64_H

#include <stdint.h>

#define READ_REGISTER(name)                                        \
    ({                                                             \
        uint64_t value_;                                           \
        __asm__ volatile("mrs %0, " name : "=r"(value_)::"memory"); \
        value_;                                                    \
    })

#define WRITE_REGISTER(name, value) \
    __asm__ volatile("msr " name ", %0\n\tisb" ::"r"((uint64_t)(value)) : "memory")

/* Completes every access before it, for devices and for other observers of memory. */
static inline void barrier(void)
{
    __asm__ volatile("dsb sy" ::: "memory");
}

/* Sleeps until an interrupt is pending, masked or not. */
static inline void wait_for_interrupt(void)
{
    __asm__ volatile("dsb sy\n\twfi" ::: "memory");
}

static inline uint32_t device_read(uint64_t address)
{
    return *(volatile uint32_t *)address;
}

static inline void device_write(uint64_t address, uint32_t value)
{
    *(volatile uint32_t *)address = value;
}

#endif
