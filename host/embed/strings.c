/* Names of errors and faults. */
#include "pvcalls.h"
#include "wire.h"

#define SAME(name, number) _Static_assert(PVCALLS_##name == WIRE_##name, #name);
PVCALLS_ERRORS(SAME)

const char *pvcalls_strerror(int32_t error)
{
    switch (error < 0 ? -error : 0) {
    case 0:
        return "no error";
#define NAME(name, number) \
    case number:           \
        return #name;
        PVCALLS_ERRORS(NAME)
    default:
        return "unknown error";
    }
}

const char *pvcalls_strfault(uint32_t fault)
{
    switch (fault) {
    case WIRE_FAULT_NONE:
        return "no fault";
    case WIRE_FAULT_RSP_PROD:
        return "more responses than requests";
    case WIRE_FAULT_REQ_ID:
        return "response to a request that is not outstanding";
    case WIRE_FAULT_CMD:
        return "response with another cmd than the request";
    case WIRE_FAULT_ID:
        return "response with another id than the request";
    case WIRE_FAULT_RET:
        return "response with a positive ret";
    case WIRE_FAULT_IN_PROD:
        return "in_prod moved back or beyond the ring";
    case WIRE_FAULT_OUT_CONS:
        return "out_cons moved back or beyond out_prod";
    case WIRE_FAULT_IN_ERROR:
        return "positive in_error";
    case WIRE_FAULT_OUT_ERROR:
        return "positive out_error";
    case WIRE_FAULT_STORE:
        return "xenstore's ring or a reply is malformed";
    case WIRE_FAULT_VERSION:
        return "backend's versions do not include 1";
    case WIRE_FAULT_MAX_PAGE_ORDER:
        return "backend's max-page-order is absent or not usable";
    case WIRE_FAULT_FUNCTION_CALLS:
        return "backend's function-calls is not 1";
    case WIRE_FAULT_BACKEND_NODE:
        return "backend or backend-id is absent or malformed";
    case WIRE_FAULT_OFFER:
        return "no page, grant or port for the command ring";
    case WIRE_FAULT_STORE_ERROR:
        return "xenstored refused a write";
    default:
        return "unknown fault";
    }
}
