/*
 * host/metal/xen.h and wire.h against the headers of libxen-dev, for arm64 and for x86-64. Nothing
 * here runs: that it compiles is the test. Names of the two sides differ on purpose.
 */
#define __XEN_INTERFACE_VERSION__ 0x00040e00
#define __XEN_TOOLS__ 1
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <xen/xen.h>
#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>
#include <xen/io/console.h>
#include <xen/memory.h>
#include <xen/sched.h>

#include "layout.h"
#include "timer.h"
#include "wire.h"
#include "xen.h"

#define SAME(ours, theirs) _Static_assert((ours) == (theirs), #ours " is " #theirs)
#define SIZE(ours, theirs) SAME(sizeof(struct ours), sizeof(struct theirs))
#define FIELD(ours, a, theirs, b)                                             \
    SAME(offsetof(struct ours, a), offsetof(struct theirs, b));               \
    SAME(sizeof(((struct ours *)0)->a), sizeof(((struct theirs *)0)->b))

SAME(HYPERCALL_MEMORY_OP, __HYPERVISOR_memory_op);
SAME(HYPERCALL_CONSOLE_IO, __HYPERVISOR_console_io);
SAME(HYPERCALL_GRANT_TABLE_OP, __HYPERVISOR_grant_table_op);
SAME(HYPERCALL_SCHED_OP, __HYPERVISOR_sched_op);
SAME(HYPERCALL_EVENT_CHANNEL_OP, __HYPERVISOR_event_channel_op);
SAME(HYPERCALL_HVM_OP, __HYPERVISOR_hvm_op);
SAME(OP_CONSOLE_WRITE, CONSOLEIO_write);

SAME(OP_ADD_TO_PHYSMAP, XENMEM_add_to_physmap);
SAME(SPACE_SHARED_INFO, XENMAPSPACE_shared_info);
SAME(SPACE_GRANT_TABLE, XENMAPSPACE_grant_table);
SIZE(add_to_physmap, xen_add_to_physmap);
FIELD(add_to_physmap, domid, xen_add_to_physmap, domid);
FIELD(add_to_physmap, size, xen_add_to_physmap, size);
FIELD(add_to_physmap, space, xen_add_to_physmap, space);
FIELD(add_to_physmap, index, xen_add_to_physmap, idx);
FIELD(add_to_physmap, frame, xen_add_to_physmap, gpfn);

SAME(OP_SHUTDOWN, SCHEDOP_shutdown);
SAME(SHUTDOWN_FOR_POWEROFF, SHUTDOWN_poweroff);
SAME(SHUTDOWN_FOR_CRASH, SHUTDOWN_crash);
SIZE(shutdown, sched_shutdown);

SAME(OP_BIND_INTERDOMAIN, EVTCHNOP_bind_interdomain);
SAME(OP_CLOSE, EVTCHNOP_close);
SAME(OP_SEND, EVTCHNOP_send);
SAME(OP_ALLOC_UNBOUND, EVTCHNOP_alloc_unbound);
SAME(OP_UNMASK, EVTCHNOP_unmask);
SIZE(alloc_unbound, evtchn_alloc_unbound);
FIELD(alloc_unbound, domid, evtchn_alloc_unbound, dom);
FIELD(alloc_unbound, remote, evtchn_alloc_unbound, remote_dom);
FIELD(alloc_unbound, port, evtchn_alloc_unbound, port);
SIZE(bind_interdomain, evtchn_bind_interdomain);
FIELD(bind_interdomain, remote, evtchn_bind_interdomain, remote_dom);
FIELD(bind_interdomain, remote_port, evtchn_bind_interdomain, remote_port);
FIELD(bind_interdomain, port, evtchn_bind_interdomain, local_port);
SIZE(port, evtchn_send);
SIZE(port, evtchn_close);
SIZE(port, evtchn_unmask);

SAME(OP_MAP_GRANT_REF, GNTTABOP_map_grant_ref);
SAME(OP_UNMAP_GRANT_REF, GNTTABOP_unmap_grant_ref);
SAME(OP_QUERY_SIZE, GNTTABOP_query_size);
SAME(MAP_HOST, GNTMAP_host_map);
SAME(MAP_READONLY, GNTMAP_readonly);
SAME(STATUS_OKAY, GNTST_okay);
SAME(STATUS_BAD_DOMAIN, GNTST_bad_domain);
SAME(STATUS_NO_SPACE, GNTST_no_device_space);
SAME(STATUS_PERMISSION_DENIED, GNTST_permission_denied);
SAME(STATUS_AGAIN, GNTST_eagain);
SIZE(map_grant_ref, gnttab_map_grant_ref);
FIELD(map_grant_ref, address, gnttab_map_grant_ref, host_addr);
FIELD(map_grant_ref, flags, gnttab_map_grant_ref, flags);
FIELD(map_grant_ref, ref, gnttab_map_grant_ref, ref);
FIELD(map_grant_ref, domid, gnttab_map_grant_ref, dom);
FIELD(map_grant_ref, status, gnttab_map_grant_ref, status);
FIELD(map_grant_ref, handle, gnttab_map_grant_ref, handle);
SIZE(unmap_grant_ref, gnttab_unmap_grant_ref);
FIELD(unmap_grant_ref, address, gnttab_unmap_grant_ref, host_addr);
FIELD(unmap_grant_ref, handle, gnttab_unmap_grant_ref, handle);
FIELD(unmap_grant_ref, status, gnttab_unmap_grant_ref, status);
SIZE(query_size, gnttab_query_size);
FIELD(query_size, domid, gnttab_query_size, dom);
FIELD(query_size, frames, gnttab_query_size, nr_frames);
FIELD(query_size, max_frames, gnttab_query_size, max_nr_frames);
FIELD(query_size, status, gnttab_query_size, status);
SIZE(grant_entry, grant_entry_v1);
FIELD(grant_entry, flags, grant_entry_v1, flags);
FIELD(grant_entry, domid, grant_entry_v1, domid);
FIELD(grant_entry, frame, grant_entry_v1, frame);

SAME(OP_GET_PARAM, HVMOP_get_param);
SAME(PARAM_STORE_FRAME, HVM_PARAM_STORE_PFN);
SAME(PARAM_STORE_PORT, HVM_PARAM_STORE_EVTCHN);
SAME(PARAM_CONSOLE_FRAME, HVM_PARAM_CONSOLE_PFN);
SAME(PARAM_CONSOLE_PORT, HVM_PARAM_CONSOLE_EVTCHN);
SIZE(hvm_param, xen_hvm_param);
FIELD(hvm_param, domid, xen_hvm_param, domid);
FIELD(hvm_param, index, xen_hvm_param, index);
FIELD(hvm_param, value, xen_hvm_param, value);

FIELD(console_ring, in, xencons_interface, in);
FIELD(console_ring, out, xencons_interface, out);
FIELD(console_ring, in_cons, xencons_interface, in_cons);
FIELD(console_ring, in_prod, xencons_interface, in_prod);
FIELD(console_ring, out_cons, xencons_interface, out_cons);
FIELD(console_ring, out_prod, xencons_interface, out_prod);

/* The constants of assembly/wire that this host reads: the header says what the files say. */
SAME(WIRE_DOMID_SELF, DOMID_SELF);
SAME(WIRE_GNTTAB_NR_RESERVED_ENTRIES, GNTTAB_NR_RESERVED_ENTRIES);
SAME(WIRE_GTF_PERMIT_ACCESS, GTF_permit_access);
SAME(WIRE_GTF_READING, GTF_reading);
SAME(WIRE_GTF_WRITING, GTF_writing);
SAME(WIRE_EVTCHN_UPCALL_PENDING, offsetof(struct shared_info, vcpu_info[0].evtchn_upcall_pending));

#ifdef __x86_64__
#include "metal-abi-x86-64.h"
#else
/* Where Xen puts things in a guest, which it tells to tools only. */
SAME(GRANT_TABLE_BASE, GUEST_GNTTAB_BASE);
SAME(RAM_BASE, GUEST_RAM_BASE);
_Static_assert(SHARED_INFO_BASE >= GUEST_MAGIC_BASE + GUEST_MAGIC_SIZE, "above Xen's own pages");
_Static_assert(WINDOW_BASE + LINEAR_SIZE - LINEAR_WINDOW <= GUEST_RAM_BASE, "below RAM");
SAME(EVENT_INTERRUPT, GUEST_EVTCHN_PPI);
SAME(TIMER_INTERRUPT, GUEST_TIMER_VIRT_PPI);
#endif
