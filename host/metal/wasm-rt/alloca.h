/* Freestanding <alloca.h> for the output of wasm2c. */
#define alloca __builtin_alloca
