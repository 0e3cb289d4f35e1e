/* The shared_info page, put into linear memory. C reference: public/memory.h. */
#include "layout.h"
#include "mmu.h"
#include "panic.h"
#include "shared-info.h"
#include "wire.h"
#include "xen.h"

void shared_info_init(void)
{
    struct add_to_physmap map = { .domid = WIRE_DOMID_SELF,
                                  .space = SPACE_SHARED_INFO,
                                  .frame = SHARED_INFO_BASE / WIRE_PAGE_SIZE };
    long result = memory_op(OP_ADD_TO_PHYSMAP, &map);
    if (result < 0)
        panic("shared_info: XENMEM_add_to_physmap: %d", (int)result);
    mmu_map_linear(LINEAR_SHARED_INFO / WIRE_PAGE_SIZE, map.frame);
}
