/* The end, told in a line on Xen's console, and whatever this environment has for an exit code. */
#ifndef PVCALLS_PANIC_H
#define PVCALLS_PANIC_H

#include <stdint.h>

/* Exit codes of a guest that could not go on; an application uses others. */
#define EXIT_PANIC 101
#define EXIT_TRAP 102

/* Prints a line as console_print() does, and ends the guest. */
#define panic(...) panic_line("panic: " __VA_ARGS__)
__attribute__((noreturn)) void panic_line(const char *format, ...);

/* A line of the end; it does not end the guest. */
void panic_say(const char *format, ...);

/* From vectors.S: which vector, and the processor's account of what happened; `caller` on x86-64 is
 * the stack pointer. */
__attribute__((noreturn)) void panic_exception(uint64_t vector, uint64_t syndrome, uint64_t at,
                                               uint64_t address, uint64_t caller);

/* Ends the guest. 0: it did what it was for. */
__attribute__((noreturn)) void guest_exit(int code);

#endif
