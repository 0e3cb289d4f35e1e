/*
 * <string.h> for the output of wasm2c: the embedder supplies these. Where there is a C library, its
 * own header is the one.
 */
#if __STDC_HOSTED__
#include_next <string.h>
#else
#include <stddef.h>
void *memcpy(void *to, const void *from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);
int memcmp(const void *a, const void *b, size_t size);
#endif
