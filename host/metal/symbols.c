/* Names of functions, for a panic. */
#include <stddef.h>

#include "symbols.h"

const char *symbol_at(uint64_t address)
{
    const char *name = "a function without a name";
    const struct symbol *symbol = symbols;
    for (; symbol != NULL && symbol->address != 0 && symbol->address <= address; symbol++)
        name = symbol_names + symbol->name;
    return name;
}
