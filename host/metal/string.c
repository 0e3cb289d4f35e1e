/*
 * The functions on bytes that C and wasm2c need. Eight bytes at a time and in no wider way: most
 * copies are ring data, from a hundred bytes to a page. Unaligned accesses are allowed on normal
 * memory, which is all that is ever copied.
 *
 * Built with -fno-tree-loop-distribute-patterns, or memcpy would become a call of memcpy.
 */
#include <stdint.h>
#include <string.h>

typedef uint64_t word __attribute__((aligned(1), may_alias));

void *memcpy(void *to, const void *from, size_t size)
{
    uint8_t *target = to;
    const uint8_t *source = from;
    for (; size >= 64; size -= 64, target += 64, source += 64) {
        const word *from8 = (const word *)source;
        word *to8 = (word *)target;
        word a = from8[0], b = from8[1], c = from8[2], d = from8[3];
        word e = from8[4], f = from8[5], g = from8[6], h = from8[7];
        to8[0] = a, to8[1] = b, to8[2] = c, to8[3] = d;
        to8[4] = e, to8[5] = f, to8[6] = g, to8[7] = h;
    }
    for (; size >= 8; size -= 8, target += 8, source += 8)
        *(word *)target = *(const word *)source;
    while (size-- > 0)
        *target++ = *source++;
    return to;
}

void *memmove(void *to, const void *from, size_t size)
{
    uint8_t *target = to;
    const uint8_t *source = from;
    if ((uintptr_t)target - (uintptr_t)source >= size)
        return memcpy(to, from, size);
    while (size >= 8) {
        size -= 8;
        *(word *)(target + size) = *(const word *)(source + size);
    }
    while (size-- > 0)
        target[size] = source[size];
    return to;
}

void *memset(void *to, int byte, size_t size)
{
    uint8_t *target = to;
    uint64_t eight = (uint8_t)byte * UINT64_C(0x0101010101010101);
    for (; size >= 8; size -= 8, target += 8)
        *(word *)target = eight;
    while (size-- > 0)
        *target++ = (uint8_t)byte;
    return to;
}

int memcmp(const void *a, const void *b, size_t size)
{
    const uint8_t *left = a, *right = b;
    for (; size > 0; size--, left++, right++) {
        if (*left != *right)
            return *left - *right;
    }
    return 0;
}
