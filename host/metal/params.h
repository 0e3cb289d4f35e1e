/* HVM parameters: what the toolstack left for this guest. C reference: public/hvm/params.h. */
#ifndef PVCALLS_PARAMS_H
#define PVCALLS_PARAMS_H

#include <stdint.h>

/* PARAM_*; 0 when there is none, or when it is not there yet. */
uint64_t param(uint32_t index);

#endif
