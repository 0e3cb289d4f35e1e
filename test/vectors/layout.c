/*
 * Every offset, size and constant of assembly/wire, as a C compiler finds it in Xen's own headers.
 *
 * All values are constant expressions and land in a section of their own as (text, value) records,
 * so the object is read without being run: arm64 needs a cross compiler and nothing else.
 * vectors.mjs does that and writes layout.json; wire-expressions.ts says which constant is which.
 */
#include <stddef.h>
#include <stdint.h>

#if __STDC_HOSTED__
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#else
void *memcpy(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);
#endif

#define __XEN_INTERFACE_VERSION__ __XEN_LATEST_INTERFACE_VERSION__
#include <xen/xen.h>
#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include <xen/io/pvcalls.h>
#include <xen/io/xenbus.h>
#include <xen/io/xs_wire.h>

/* Design v7, "Data ring interface", as printed there. */
struct v7_data_intf {
    uint32_t in_cons, in_prod;
    int32_t in_error;
    uint8_t pad[52];
    uint32_t out_cons, out_prod;
    int32_t out_error;
    uint32_t ring_order;
    grant_ref_t ref[];
};

/* Design v7 and the shipped document, "Socket families and address format". */
struct spec_sockaddr_in {
    uint16_t sin_family;
    uint16_t sin_port;
    uint32_t sin_addr;
    char sin_zero[20];
};

/* Both documents, "Error numbers": what the text says, whatever a header says. */
enum spec_errno {
    SPEC_EPERM = 1, SPEC_ENOENT = 2, SPEC_ESRCH = 3, SPEC_EINTR = 4, SPEC_EIO = 5, SPEC_ENXIO = 6,
    SPEC_E2BIG = 7, SPEC_ENOEXEC = 8, SPEC_EBADF = 9, SPEC_ECHILD = 10, SPEC_EAGAIN = 11,
    SPEC_ENOMEM = 12, SPEC_EACCES = 13, SPEC_EFAULT = 14, SPEC_EBUSY = 16, SPEC_EEXIST = 17,
    SPEC_EXDEV = 18, SPEC_ENODEV = 19, SPEC_EISDIR = 21, SPEC_EINVAL = 22, SPEC_ENFILE = 23,
    SPEC_EMFILE = 24, SPEC_ENOSPC = 28, SPEC_EROFS = 30, SPEC_EMLINK = 31, SPEC_EDOM = 33,
    SPEC_ERANGE = 34, SPEC_EDEADLK = 35, SPEC_ENAMETOOLONG = 36, SPEC_ENOLCK = 37,
    SPEC_ENOSYS = 38, SPEC_ENOTEMPTY = 39, SPEC_ENODATA = 61, SPEC_ETIME = 62, SPEC_EBADMSG = 74,
    SPEC_EOVERFLOW = 75, SPEC_EILSEQ = 84, SPEC_ERESTART = 85, SPEC_ENOTSOCK = 88,
    SPEC_EOPNOTSUPP = 95, SPEC_EAFNOSUPPORT = 97, SPEC_EADDRINUSE = 98, SPEC_EADDRNOTAVAIL = 99,
    SPEC_ENOBUFS = 105, SPEC_EISCONN = 106, SPEC_ENOTCONN = 107, SPEC_ETIMEDOUT = 110,
    SPEC_ENOTSUP = 524,
};

/* Both documents, "Socket families and address format": the numbers as defined there. */
enum spec_socket {
    SPEC_AF_UNSPEC = 0, SPEC_AF_UNIX = 1, SPEC_AF_INET = 2, SPEC_AF_INET6 = 10,
    SPEC_SOCK_STREAM = 1, SPEC_SOCK_DGRAM = 2, SPEC_SOCK_RAW = 3,
};

struct record {
    char text[120];
    uint64_t value;
};

#define VALUES const struct record values[] __attribute__((section("vectors"), used)) =
#define V(expression) { #expression, (uint64_t)(expression) }
#define OFFSET(type, field) V(offsetof(type, field))

VALUES {
    /* xen/io/pvcalls.h: indexes page, in both dialects */
    OFFSET(struct pvcalls_data_intf, in_cons), OFFSET(struct pvcalls_data_intf, in_prod),
    OFFSET(struct pvcalls_data_intf, in_error), OFFSET(struct pvcalls_data_intf, out_cons),
    OFFSET(struct pvcalls_data_intf, out_prod), OFFSET(struct pvcalls_data_intf, out_error),
    OFFSET(struct pvcalls_data_intf, ring_order), OFFSET(struct pvcalls_data_intf, ref),
    OFFSET(struct v7_data_intf, in_cons), OFFSET(struct v7_data_intf, in_prod),
    OFFSET(struct v7_data_intf, in_error), OFFSET(struct v7_data_intf, out_cons),
    OFFSET(struct v7_data_intf, out_prod), OFFSET(struct v7_data_intf, out_error),
    OFFSET(struct v7_data_intf, ring_order), OFFSET(struct v7_data_intf, ref),
    V(XEN_FLEX_RING_SIZE(0)), V(XEN_FLEX_RING_SIZE(9)), V(XEN_PAGE_SHIFT), V(1 << XEN_PAGE_SHIFT),
    V(__builtin_ctzl(XEN_FLEX_RING_SIZE(0))),
    V(31 - __builtin_clz((4096 - offsetof(struct pvcalls_data_intf, ref)) / sizeof(grant_ref_t))),

    /* xen/io/pvcalls.h: commands */
    V(PVCALLS_SOCKET), V(PVCALLS_CONNECT), V(PVCALLS_RELEASE), V(PVCALLS_BIND), V(PVCALLS_LISTEN),
    V(PVCALLS_ACCEPT), V(PVCALLS_POLL),
    V(sizeof(struct xen_pvcalls_request)), V(sizeof(struct xen_pvcalls_response)),
    OFFSET(struct xen_pvcalls_request, req_id), OFFSET(struct xen_pvcalls_request, cmd),
    OFFSET(struct xen_pvcalls_request, u.socket.id),
    OFFSET(struct xen_pvcalls_request, u.connect.id),
    OFFSET(struct xen_pvcalls_request, u.release.id),
    OFFSET(struct xen_pvcalls_request, u.bind.id),
    OFFSET(struct xen_pvcalls_request, u.listen.id),
    OFFSET(struct xen_pvcalls_request, u.accept.id),
    OFFSET(struct xen_pvcalls_request, u.poll.id),
    OFFSET(struct xen_pvcalls_request, u.socket.domain),
    OFFSET(struct xen_pvcalls_request, u.socket.type),
    OFFSET(struct xen_pvcalls_request, u.socket.protocol),
    OFFSET(struct xen_pvcalls_request, u.connect.addr),
    OFFSET(struct xen_pvcalls_request, u.connect.len),
    OFFSET(struct xen_pvcalls_request, u.connect.flags),
    OFFSET(struct xen_pvcalls_request, u.connect.ref),
    OFFSET(struct xen_pvcalls_request, u.connect.evtchn),
    OFFSET(struct xen_pvcalls_request, u.release.reuse),
    OFFSET(struct xen_pvcalls_request, u.release.pad),
    OFFSET(struct xen_pvcalls_request, u.bind.addr),
    OFFSET(struct xen_pvcalls_request, u.bind.len),
    OFFSET(struct xen_pvcalls_request, u.listen.backlog),
    OFFSET(struct xen_pvcalls_request, u.accept.id_new),
    OFFSET(struct xen_pvcalls_request, u.accept.ref),
    OFFSET(struct xen_pvcalls_request, u.accept.evtchn),
    OFFSET(struct xen_pvcalls_response, req_id), OFFSET(struct xen_pvcalls_response, cmd),
    OFFSET(struct xen_pvcalls_response, ret), OFFSET(struct xen_pvcalls_response, u.socket.id),
    V(sizeof(((struct xen_pvcalls_request *)0)->u.connect.addr)),

    /* xen/io/ring.h */
    OFFSET(struct xen_pvcalls_sring, req_prod), OFFSET(struct xen_pvcalls_sring, req_event),
    OFFSET(struct xen_pvcalls_sring, rsp_prod), OFFSET(struct xen_pvcalls_sring, rsp_event),
    OFFSET(struct xen_pvcalls_sring, pvt), OFFSET(struct xen_pvcalls_sring, ring),
    V(sizeof(union xen_pvcalls_sring_entry)), V(__CONST_RING_SIZE(xen_pvcalls, 4096)),

    /* xen/io/xenbus.h */
    V(XenbusStateUnknown), V(XenbusStateInitialising), V(XenbusStateInitWait),
    V(XenbusStateInitialised), V(XenbusStateConnected), V(XenbusStateClosing),
    V(XenbusStateClosed), V(XenbusStateReconfiguring), V(XenbusStateReconfigured),

    /* xen/io/xs_wire.h */
    V(XS_CONTROL), V(XS_DIRECTORY), V(XS_READ), V(XS_GET_PERMS), V(XS_WATCH), V(XS_UNWATCH),
    V(XS_TRANSACTION_START), V(XS_TRANSACTION_END), V(XS_INTRODUCE), V(XS_RELEASE),
    V(XS_GET_DOMAIN_PATH), V(XS_WRITE), V(XS_MKDIR), V(XS_RM), V(XS_SET_PERMS), V(XS_WATCH_EVENT),
    V(XS_ERROR), V(XS_IS_DOMAIN_INTRODUCED), V(XS_RESUME), V(XS_SET_TARGET), V(XS_RESET_WATCHES),
    V(XS_DIRECTORY_PART),
    OFFSET(struct xsd_sockmsg, type), OFFSET(struct xsd_sockmsg, req_id),
    OFFSET(struct xsd_sockmsg, tx_id), OFFSET(struct xsd_sockmsg, len),
    V(sizeof(struct xsd_sockmsg)),
    V(XENSTORE_PAYLOAD_MAX), V(XENSTORE_ABS_PATH_MAX), V(XENSTORE_REL_PATH_MAX),
    V(XENSTORE_RING_SIZE), V(XENSTORE_CONNECTED), V(XENSTORE_RECONNECT),
    V(XENSTORE_SERVER_FEATURE_RECONNECTION), V(XENSTORE_SERVER_FEATURE_ERROR),
    OFFSET(struct xenstore_domain_interface, req), OFFSET(struct xenstore_domain_interface, rsp),
    OFFSET(struct xenstore_domain_interface, req_cons),
    OFFSET(struct xenstore_domain_interface, req_prod),
    OFFSET(struct xenstore_domain_interface, rsp_cons),
    OFFSET(struct xenstore_domain_interface, rsp_prod),
    OFFSET(struct xenstore_domain_interface, server_features),
    OFFSET(struct xenstore_domain_interface, connection),
    OFFSET(struct xenstore_domain_interface, error),

    /* xen/grant_table.h */
    OFFSET(struct grant_entry_v1, flags), OFFSET(struct grant_entry_v1, domid),
    OFFSET(struct grant_entry_v1, frame), V(sizeof(struct grant_entry_v1)),
    V(GTF_invalid), V(GTF_permit_access), V(GTF_readonly), V(GTF_reading), V(GTF_writing),
    V(GNTTAB_NR_RESERVED_ENTRIES), V(GNTTAB_RESERVED_CONSOLE), V(GNTTAB_RESERVED_XENSTORE),

    /* xen/xen.h, xen/event_channel.h: these differ between architectures */
    OFFSET(struct shared_info, vcpu_info[0].evtchn_upcall_pending),
    OFFSET(struct shared_info, vcpu_info[0].evtchn_pending_sel),
    OFFSET(struct shared_info, evtchn_pending), OFFSET(struct shared_info, evtchn_mask),
#if defined(__x86_64__)
    OFFSET(struct shared_info, vcpu_info[0].evtchn_upcall_mask),
#endif
    V(sizeof(struct shared_info)), V(EVTCHN_2L_NR_CHANNELS),
    V(DOMID_FIRST_RESERVED), V(DOMID_SELF), V(VIRQ_TIMER), V(VIRQ_DEBUG), V(VIRQ_ARGO),

    /* the documents themselves */
    OFFSET(struct spec_sockaddr_in, sin_family), OFFSET(struct spec_sockaddr_in, sin_port),
    OFFSET(struct spec_sockaddr_in, sin_addr), V(sizeof(struct spec_sockaddr_in)),
    V(SPEC_AF_UNSPEC), V(SPEC_AF_UNIX), V(SPEC_AF_INET), V(SPEC_AF_INET6), V(SPEC_SOCK_STREAM),
    V(SPEC_SOCK_DGRAM), V(SPEC_SOCK_RAW),
    V(SPEC_EPERM), V(SPEC_ENOENT), V(SPEC_ESRCH), V(SPEC_EINTR), V(SPEC_EIO), V(SPEC_ENXIO),
    V(SPEC_E2BIG), V(SPEC_ENOEXEC), V(SPEC_EBADF), V(SPEC_ECHILD), V(SPEC_EAGAIN), V(SPEC_ENOMEM),
    V(SPEC_EACCES), V(SPEC_EFAULT), V(SPEC_EBUSY), V(SPEC_EEXIST), V(SPEC_EXDEV), V(SPEC_ENODEV),
    V(SPEC_EISDIR), V(SPEC_EINVAL), V(SPEC_ENFILE), V(SPEC_EMFILE), V(SPEC_ENOSPC), V(SPEC_EROFS),
    V(SPEC_EMLINK), V(SPEC_EDOM), V(SPEC_ERANGE), V(SPEC_EDEADLK), V(SPEC_ENAMETOOLONG),
    V(SPEC_ENOLCK), V(SPEC_ENOSYS), V(SPEC_ENOTEMPTY), V(SPEC_ENODATA), V(SPEC_ETIME),
    V(SPEC_EBADMSG), V(SPEC_EOVERFLOW), V(SPEC_EILSEQ), V(SPEC_ERESTART), V(SPEC_ENOTSOCK),
    V(SPEC_EOPNOTSUPP), V(SPEC_EAFNOSUPPORT), V(SPEC_EADDRINUSE), V(SPEC_EADDRNOTAVAIL),
    V(SPEC_ENOBUFS), V(SPEC_EISCONN), V(SPEC_ENOTCONN), V(SPEC_ETIMEDOUT), V(SPEC_ENOTSUP),
};

#if __STDC_HOSTED__
/* Linux's numbers: the raw ones that its backend answers with, and the socket interface's. */
const struct record host_values[] __attribute__((section("vectors"), used)) = {
    V(AF_UNSPEC), V(AF_UNIX), V(AF_INET), V(AF_INET6), V(SOCK_STREAM), V(SOCK_DGRAM), V(SOCK_RAW),
    V(IPPROTO_TCP), V(sizeof(struct sockaddr_in)), OFFSET(struct sockaddr_in, sin_family),
    OFFSET(struct sockaddr_in, sin_port), OFFSET(struct sockaddr_in, sin_addr),
    V(POLLIN), V(POLLOUT), V(POLLERR), V(POLLHUP), V(MSG_PEEK),
    V(EPERM), V(ENOENT), V(ESRCH), V(EINTR), V(EIO), V(ENXIO), V(E2BIG), V(ENOEXEC), V(EBADF),
    V(ECHILD), V(EAGAIN), V(ENOMEM), V(EACCES), V(EFAULT), V(EBUSY), V(EEXIST), V(EXDEV),
    V(ENODEV), V(ENOTDIR), V(EISDIR), V(EINVAL), V(ENFILE), V(EMFILE), V(ENOSPC), V(EROFS),
    V(EMLINK), V(EPIPE), V(EDOM), V(ERANGE), V(EDEADLK), V(ENAMETOOLONG), V(ENOLCK), V(ENOSYS),
    V(ENOTEMPTY), V(ENODATA), V(ETIME), V(EPROTO), V(EBADMSG), V(EOVERFLOW), V(EILSEQ),
    V(ERESTART), V(ENOTSOCK), V(EDESTADDRREQ), V(EOPNOTSUPP), V(EAFNOSUPPORT), V(EADDRINUSE),
    V(EADDRNOTAVAIL), V(ENETDOWN), V(ENETUNREACH), V(ECONNABORTED), V(ECONNRESET), V(ENOBUFS),
    V(EISCONN), V(ENOTCONN), V(ESHUTDOWN), V(ETIMEDOUT), V(ECONNREFUSED), V(EHOSTDOWN),
    V(EHOSTUNREACH), V(EALREADY), V(EINPROGRESS), V(ECANCELED),
};
#endif
