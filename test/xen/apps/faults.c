/*
 * A guest that goes wrong on purpose, in the way that the setting `fault` names, and must end with
 * a line that says what happened and an exit code.
 */
#include "app.h"
#include "linear.h"
#include "panic.h"
#include "settings.h"
#include "timer.h"

#include "dom0less.h"

#ifdef __x86_64__
#define FLOATING_POINT "fldz"
#else
#define FLOATING_POINT ".arch_extension fp\n\tfmov d0, xzr"
#endif

static w2c_dom0less module;

/* Deeper and deeper, until the guard page. Called through a pointer, so that it stays a call. */
static uint32_t deeper(uint32_t depth);
static uint32_t (*volatile next)(uint32_t) = deeper;

static uint32_t deeper(uint32_t depth)
{
    volatile uint8_t frame[1024];
    frame[depth % sizeof frame] = (uint8_t)depth;
    return next(depth + 1) + frame[0];
}

void app_start(void)
{
    wasm2c_dom0less_instantiate(&module, 0, 0);
    if (setting_is("fault", "trap"))
        w2c_dom0less_init(&module, LINEAR_SIZE - 4);
    if (setting_is("fault", "abort"))
        *(volatile uint32_t *)linear_at(0) = 1;
    if (setting_is("fault", "code"))
        *(volatile uint32_t *)app_start = 0;
    if (setting_is("fault", "stack"))
        deeper(0);
    if (setting_is("fault", "unmapped"))
        *(volatile uint32_t *)linear_at(LINEAR_WINDOW) = 1;
    if (setting_is("fault", "float"))
        __asm__ volatile(FLOATING_POINT);
    guest_exit(0); /* nothing went wrong: the test sees that it should have */
}

void app_upcall(void)
{
}

uint32_t app_turn(uint32_t now)
{
    (void)now;
    return TIMER_NEVER;
}
