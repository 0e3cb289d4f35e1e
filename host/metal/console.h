/* The console: a line at a time, to the PV console under xl, else to Xen. */
#ifndef PVCALLS_CONSOLE_H
#define PVCALLS_CONSOLE_H

#include <stdarg.h>
#include <stdint.h>

/* From here on lines go to the ring of the PV console, if the guest has one. */
void console_init(void);

/* %s string, %d int, %u uint32_t, %x uint64_t in hexadecimal. A line: the end is added. */
void console_print(const char *format, ...);
void console_vprint(const char *format, va_list arguments);

/* As above, to Xen in any case: what Xen's own console shows when nothing else works. */
void console_print_raw(const char *format, va_list arguments);

#endif
