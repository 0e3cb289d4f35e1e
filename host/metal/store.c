/* The xenstore ring page, put into linear memory. C reference: public/io/xs_wire.h. */
#include "layout.h"
#include "mmu.h"
#include "params.h"
#include "store.h"
#include "wire.h"
#include "xen.h"

static uint32_t port;

void store_init(void)
{
    uint64_t frame = param(PARAM_STORE_FRAME);
    if (frame == 0)
        return;
    mmu_map_linear(LINEAR_STORE / WIRE_PAGE_SIZE, frame);
    port = (uint32_t)param(PARAM_STORE_PORT);
}

uint32_t store_page(void)
{
    return port == 0 ? 0 : LINEAR_STORE;
}

uint32_t store_port(void)
{
    return port;
}
