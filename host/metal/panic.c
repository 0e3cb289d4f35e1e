/* The end: what happened, in a line that a person can read, and an exit code. */
#include "console.h"
#include "panic.h"
#include "processor.h"
#include "settings.h"
#include "symbols.h"
#include "wasm-rt.h"
#include "xen.h"

/* What runs this may be an emulator that takes an exit code; arm64. */
__attribute__((weak)) void semihosting_exit(const uint64_t block[2]);

/*
 * `semihosting=on`: whoever runs this under an emulator wants the code; the first guest that exits
 * ends them all. `semihosting=failures`: only if it is not 0.
 */
void guest_exit(int code)
{
    bool wanted = setting_is("semihosting", "on") ||
                  (code != 0 && setting_is("semihosting", "failures"));
    if (semihosting_exit != NULL && wanted) {
        const uint64_t application_exit = 0x20026;
        uint64_t block[2] = { application_exit, (uint64_t)code };
        semihosting_exit(block);
    }
    struct shutdown shutdown = { code == 0 ? SHUTDOWN_FOR_POWEROFF : SHUTDOWN_FOR_CRASH };
    hypercall(OP_SHUTDOWN, (uint64_t)&shutdown, 0, HYPERCALL_SCHED_OP);
    for (;;)
        wait_for_interrupt();
}

void panic_say(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    console_print_raw(format, arguments);
    va_end(arguments);
}

void panic_line(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    console_print_raw(format, arguments);
    va_end(arguments);
    guest_exit(EXIT_PANIC);
}

static const char *reason_of(wasm_rt_trap_t trap)
{
    switch (trap) {
    case WASM_RT_TRAP_OOB:
        return "access out of bounds";
    case WASM_RT_TRAP_INT_OVERFLOW:
        return "integer overflow";
    case WASM_RT_TRAP_DIV_BY_ZERO:
        return "division by zero";
    case WASM_RT_TRAP_UNREACHABLE:
        return "unreachable";
    case WASM_RT_TRAP_UNALIGNED:
        return "atomic access not aligned";
    default:
        return "trap";
    }
}

void wasm_rt_trap(wasm_rt_trap_t trap)
{
    uint64_t at = (uint64_t)__builtin_return_address(0);
    panic_say("panic: wasm: %s, in %s", reason_of(trap), symbol_at(at));
    guest_exit(EXIT_TRAP);
}
