/* The xenstore ring that the toolstack gave this guest, for a module's own client. */
#ifndef PVCALLS_STORE_H
#define PVCALLS_STORE_H

#include <stdint.h>

void store_init(void);

/* Linear address of the ring page, or 0 when this guest has no xenstore. */
uint32_t store_page(void);

/* Its event channel. */
uint32_t store_port(void);

#endif
