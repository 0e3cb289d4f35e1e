/*
 * <math.h> for the output of wasm2c: named by helpers that it always prints. The core has no
 * floating point, so none of them is ever emitted. Where there is a C library, its own header.
 */
#if __STDC_HOSTED__
#include_next <math.h>
#else
double floor(double x), ceil(double x), trunc(double x), nearbyint(double x), sqrt(double x);
float floorf(float x), ceilf(float x), truncf(float x), nearbyintf(float x), sqrtf(float x);
double fabs(double x);
float fabsf(float x);
#define isnan __builtin_isnan
#define signbit __builtin_signbit
#define INFINITY __builtin_inff()
#define NAN __builtin_nanf("")
#endif
