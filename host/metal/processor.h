/* The processor that this is compiled for. */
#ifndef PVCALLS_PROCESSOR_H
#define PVCALLS_PROCESSOR_H

#ifdef __x86_64__
#include "x86-64/x86-64.h"
#else
#include "arm64.h"
#endif

#endif
