/* The virtual timer. Arm reference: Architecture Reference Manual, "The Generic Timer". */
#include "arm64.h"
#include "timer.h"

#define CONTROL_ENABLE 1
#define CONTROL_OFF 0

static uint64_t counter(void)
{
    __asm__ volatile("isb"); /* the counter may be read early otherwise */
    return READ_REGISTER("cntvct_el0");
}

static uint64_t ticks_per_ms(void)
{
    return READ_REGISTER("cntfrq_el0") / 1000;
}

uint32_t now_ms(void)
{
    return (uint32_t)(counter() / ticks_per_ms());
}

void timer_arm(uint32_t delay_ms)
{
    if (delay_ms == TIMER_NEVER) {
        timer_silence();
        return;
    }
    uint64_t ms = counter() / ticks_per_ms() + delay_ms;
    WRITE_REGISTER("cntv_cval_el0", ms * ticks_per_ms());
    WRITE_REGISTER("cntv_ctl_el0", CONTROL_ENABLE);
}

void timer_silence(void)
{
    WRITE_REGISTER("cntv_ctl_el0", CONTROL_OFF);
}
