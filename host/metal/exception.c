/*
 * An exception on arm64: what happened, in two lines that a person can read.
 * Arm reference: Architecture Reference Manual, "ESR_EL1".
 */
#include "panic.h"
#include "symbols.h"

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
    panic_say("panic: %s exception, vector %u: %s, in %s", kinds[vector % 4], (uint32_t)vector,
              class_of(syndrome), symbol_at(at));
    panic_say("panic: at %x, called from %x, address %x, syndrome %x", at, caller, address,
              syndrome);
    guest_exit(EXIT_PANIC);
}
