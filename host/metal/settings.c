/* Settings: `name=value` words of the boot arguments. */
#include <stddef.h>

#include "panic.h"
#include "settings.h"

/* Xen itself takes no more than this of a guest. */
#define ARGUMENTS_MAX 1024

static char words[ARGUMENTS_MAX];

void settings_init(const char *arguments, uint32_t size)
{
    if (size >= ARGUMENTS_MAX)
        panic("%d bytes of boot arguments, %d are taken", (int)size, ARGUMENTS_MAX - 1);
    for (uint32_t i = 0; i < size; i++)
        words[i] = arguments[i];
}

/* The rest of the text after a prefix, or NULL. */
static const char *after(const char *text, const char *prefix)
{
    while (*prefix != '\0' && *text == *prefix)
        text++, prefix++;
    return *prefix == '\0' ? text : NULL;
}

/* The text after `name=`, or NULL. It ends with a space or with the arguments. */
static const char *setting(const char *name)
{
    for (const char *word = words; *word != '\0'; word++) {
        const char *rest = word == words || word[-1] == ' ' ? after(word, name) : NULL;
        if (rest != NULL && *rest == '=')
            return rest + 1;
    }
    return NULL;
}

bool setting_is(const char *name, const char *value)
{
    const char *given = setting(name);
    const char *rest = given == NULL ? NULL : after(given, value);
    return rest != NULL && (*rest == '\0' || *rest == ' ');
}

static uint32_t digit(char character)
{
    if (character >= '0' && character <= '9')
        return (uint32_t)(character - '0');
    if (character >= 'a' && character <= 'f')
        return (uint32_t)(character - 'a') + 10;
    return 16;
}

uint32_t setting_number(const char *name, uint32_t otherwise)
{
    const char *given = setting(name);
    if (given == NULL)
        return otherwise;
    const char *hexadecimal = after(given, "0x");
    uint32_t base = hexadecimal == NULL ? 10 : 16;
    uint32_t value = 0;
    for (const char *at = hexadecimal == NULL ? given : hexadecimal; digit(*at) < base; at++)
        value = value * base + digit(*at);
    return value;
}
