/* The flattened device tree: one pass over its tokens for every question. Xen made it: trusted. */
#include <stddef.h>
#include <string.h>

#include "fdt.h"

#define MAGIC 0xd00dfeedu
#define TOKEN_BEGIN_NODE 1u
#define TOKEN_END_NODE 2u
#define TOKEN_PROPERTY 3u
#define TOKEN_NOP 4u

/* struct fdt_header, in words. */
#define HEADER_MAGIC 0
#define HEADER_STRUCTURE 2
#define HEADER_STRINGS 3

static uint32_t big_endian(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static uint32_t header(const void *tree, uint32_t word)
{
    return big_endian((const uint8_t *)tree + word * 4);
}

bool fdt_is_tree(const void *tree)
{
    return header(tree, HEADER_MAGIC) == MAGIC;
}

static bool same(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b)
        a++, b++;
    return *a == *b;
}

static uint32_t length(const char *text)
{
    uint32_t size = 0;
    while (text[size] != '\0')
        size++;
    return size;
}

static bool contains(struct fdt_property list, const char *value)
{
    for (uint32_t at = 0; at < list.size;) {
        const char *item = (const char *)list.bytes + at;
        if (same(item, value))
            return true;
        at += length(item) + 1;
    }
    return false;
}

struct fdt_property fdt_find(const void *tree, const char *key, const char *value,
                             const char *name)
{
    const uint8_t *at = (const uint8_t *)tree + header(tree, HEADER_STRUCTURE);
    const char *strings = (const char *)tree + header(tree, HEADER_STRINGS);
    const struct fdt_property none = { NULL, 0 };
    struct fdt_property found = none;
    bool matches = key == NULL;
    for (;;) {
        uint32_t token = big_endian(at);
        at += 4;
        if (token == TOKEN_PROPERTY) {
            struct fdt_property property = { at + 8, big_endian(at) };
            const char *property_name = strings + big_endian(at + 4);
            at += 8 + ((property.size + 3) & ~3u);
            if (same(property_name, name))
                found = property;
            if (key != NULL && same(property_name, key) && contains(property, value))
                matches = true;
        } else if (token != TOKEN_NOP) { /* a node's properties end where another node begins */
            if (matches && found.bytes != NULL)
                return found;
            if (token != TOKEN_BEGIN_NODE && token != TOKEN_END_NODE)
                return none;
            if (token == TOKEN_BEGIN_NODE)
                at += (length((const char *)at) + 4) & ~3u;
            found = none;
            matches = key == NULL;
        }
    }
}

uint32_t fdt_cell(struct fdt_property property, uint32_t index)
{
    return property.size >= (index + 1) * 4 ? big_endian(property.bytes + index * 4) : 0;
}

uint64_t fdt_pair(struct fdt_property property, uint32_t index)
{
    return (uint64_t)fdt_cell(property, index) << 32 | fdt_cell(property, index + 1);
}
