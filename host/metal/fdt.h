/* The flattened device tree that Xen made for this guest. Spec: Devicetree, "Flattened (DTB)". */
#ifndef PVCALLS_FDT_H
#define PVCALLS_FDT_H

#include <stdbool.h>
#include <stdint.h>

struct fdt_property {
    const uint8_t *bytes; /* NULL: there is none */
    uint32_t size;
};

/* Whether a device tree stands at `tree`. */
bool fdt_is_tree(const void *tree);

/*
 * Property `name` of the first node whose list of strings `key` contains `value`; with `key` NULL,
 * of the first node that has it.
 */
struct fdt_property fdt_find(const void *tree, const char *key, const char *value,
                             const char *name);

/* Cell `index` of a property: big-endian, 32 bits. 0 beyond its end. */
uint32_t fdt_cell(struct fdt_property property, uint32_t index);

/* Two cells from `index` on: addresses and sizes, as Xen writes them for guests. */
uint64_t fdt_pair(struct fdt_property property, uint32_t index);

#endif
