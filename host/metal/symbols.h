/* Names of functions, for a panic. The image builder links the table in after a first link. */
#ifndef PVCALLS_SYMBOLS_H
#define PVCALLS_SYMBOLS_H

#include <stdint.h>

/* An image is below 4 GiB. The name stands at this offset of symbol_names. */
struct symbol {
    uint32_t address, name;
};

/* By address, ascending; the last has address 0. */
extern const struct symbol symbols[] __attribute__((weak));
extern const char symbol_names[] __attribute__((weak));

/* Name of the function that holds an address. */
const char *symbol_at(uint64_t address);

#endif
