/* Settings: `name=value` words of the boot arguments that Xen or xl passes to the guest. */
#ifndef PVCALLS_SETTINGS_H
#define PVCALLS_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

/* Keeps a copy of the boot arguments. Before it there are no settings. */
void settings_init(const char *arguments, uint32_t size);

bool setting_is(const char *name, const char *value);

/* The number, decimal or 0x..., or `otherwise` when it is not given. */
uint32_t setting_number(const char *name, uint32_t otherwise);

#endif
