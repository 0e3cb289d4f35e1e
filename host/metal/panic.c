/* The end: what happened, in a line that a person can read, and an exit code. */
#include "arm64.h"
#include "console.h"
#include "panic.h"
#include "settings.h"
#include "symbols.h"
#include "wasm-rt.h"
#include "xen.h"

void semihosting_exit(const uint64_t block[2]);

/*
 * `semihosting=on`: whoever runs this under an emulator wants the code; the first guest that exits
 * ends them all. `semihosting=failures`: only if it is not 0.
 */
void guest_exit(int code)
{
    if (setting_is("semihosting", "on") || (code != 0 && setting_is("semihosting", "failures"))) {
        const uint64_t application_exit = 0x20026;
        uint64_t block[2] = { application_exit, (uint64_t)code };
        semihosting_exit(block);
    }
    struct shutdown shutdown = { code == 0 ? SHUTDOWN_FOR_POWEROFF : SHUTDOWN_FOR_CRASH };
    hypercall(OP_SHUTDOWN, (uint64_t)&shutdown, 0, HYPERCALL_SCHED_OP);
    for (;;)
        wait_for_interrupt();
}

static void say(const char *format, ...)
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

static const char *class_of(uint64_t syndrome)
{
    switch (syndrome >> 26 & 63) {
    case 0x07:
        return "floating point is off";
    case 0x15:
        return "svc";
    case 0x21:
        return "instruction abort";
    case 0x22:
        return "program counter not aligned";
    case 0x25:
        return "data abort";
    case 0x26:
        return "stack pointer not aligned";
    case 0x2f:
        return "SError";
    case 0x3c:
        return "breakpoint instruction";
    default:
        return "undefined instruction or trap";
    }
}

void panic_exception(uint64_t vector, uint64_t syndrome, uint64_t at, uint64_t address,
                     uint64_t caller)
{
    static const char *const kinds[] = { "synchronous", "IRQ", "FIQ", "SError" };
    say("panic: %s exception, vector %u: %s, in %s", kinds[vector % 4], (uint32_t)vector,
        class_of(syndrome), symbol_at(at));
    say("panic: at %x, called from %x, address %x, syndrome %x", at, caller, address, syndrome);
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
    say("panic: wasm: %s, in %s", reason_of(trap), symbol_at(at));
    guest_exit(EXIT_TRAP);
}
