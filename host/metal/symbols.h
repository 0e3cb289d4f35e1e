/* Names of functions, for a panic. The image builder links the table in after a first link. */
#ifndef PVCALLS_SYMBOLS_H
#define PVCALLS_SYMBOLS_H

#include <stdint.h>

struct symbol {
    uint64_t address;
    const char *name;
};

/* By address, ascending; the last has a NULL name. */
extern const struct symbol symbols[] __attribute__((weak));

/* Name of the function that holds an address. */
const char *symbol_at(uint64_t address);

#endif
