/* HVM parameters: what the toolstack left for this guest. C reference: public/hvm/hvm_op.h. */
#include "params.h"
#include "wire.h"
#include "xen.h"

uint64_t param(uint32_t index)
{
    struct hvm_param request = { .domid = WIRE_DOMID_SELF, .index = index };
    if (hypercall(OP_GET_PARAM, (uint64_t)&request, 0, HYPERCALL_HVM_OP) < 0)
        return 0;
    /* A Dom0less guest with xen,enhanced = "legacy" has ~0 until the toolstack comes. */
    return request.value == ~UINT64_C(0) ? 0 : request.value;
}
