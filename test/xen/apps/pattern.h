/*
 * The bytes that every transfer carries: what stands at an offset follows from the offset alone, so
 * a byte that is lost, repeated or moved shows. The period is prime: no ring and no page maps the
 * pattern onto itself. The same rule in TypeScript: test/xen/pattern.ts.
 */
#ifndef PVCALLS_TEST_PATTERN_H
#define PVCALLS_TEST_PATTERN_H

#include <stdint.h>

#define PATTERN_PERIOD 65521u

static inline uint8_t pattern_at(uint32_t offset)
{
    uint32_t n = offset % PATTERN_PERIOD;
    return (uint8_t)(n * 31u + n / 251u);
}

static inline void pattern_fill(uint8_t *into, uint32_t offset, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        into[i] = pattern_at(offset + i);
}

/* How many of the bytes are right, from the first on: `count` when all are. */
static inline uint32_t pattern_match(const uint8_t *bytes, uint32_t offset, uint32_t count)
{
    uint32_t i = 0;
    while (i < count && bytes[i] == pattern_at(offset + i))
        i++;
    return i;
}

#endif
