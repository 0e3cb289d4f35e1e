/* Freestanding <assert.h> for the output of wasm2c. */
#define assert(condition) ((void)0)
#ifndef static_assert
#define static_assert _Static_assert
#endif
