/* The calls of pvcalls_guest.h that need no sockets: console, time, settings. */
#include <stdarg.h>

#include "console.h"
#include "pvcalls_guest.h"
#include "settings.h"
#include "timer.h"

void guest_print(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    console_vprint(format, arguments);
    va_end(arguments);
}

void guest_write(const char *text, size_t size)
{
    char line[200];
    uint32_t used = 0;
    for (size_t i = 0; i < size; i++) {
        if (text[i] != '\n')
            line[used++] = text[i];
        if (text[i] != '\n' && used < sizeof line - 1 && i + 1 < size)
            continue;
        line[used] = '\0';
        guest_print("%s", line);
        used = 0;
    }
}

uint32_t guest_now_ms(void)
{
    return now_ms();
}

bool guest_setting_is(const char *name, const char *value)
{
    return setting_is(name, value);
}

uint32_t guest_setting_number(const char *name, uint32_t otherwise)
{
    return setting_number(name, otherwise);
}
