/* Part of metal-abi.c: host/metal/x86-64 against the headers of libxen-dev. */
#include <xen/arch-x86/cpuid.h>
#include <xen/arch-x86/hvm/start_info.h>
#include <xen/elfnote.h>
#include <xen/vcpu.h>

#include "x86-64/pvh.h"
#include "x86-64/x86-64.h"

SAME(PHYS32_ENTRY, XEN_ELFNOTE_PHYS32_ENTRY);
SAME(CPUID_FIRST, XEN_CPUID_FIRST_LEAF);
SAME(START_MAGIC, XEN_HVM_START_MAGIC_VALUE);
SAME(MEMORY_RAM, XEN_HVM_MEMMAP_TYPE_RAM);
SIZE(pvh_start, hvm_start_info);
FIELD(pvh_start, magic, hvm_start_info, magic);
FIELD(pvh_start, version, hvm_start_info, version);
FIELD(pvh_start, arguments, hvm_start_info, cmdline_paddr);
FIELD(pvh_start, memory, hvm_start_info, memmap_paddr);
FIELD(pvh_start, memory_entries, hvm_start_info, memmap_entries);
SIZE(memory_entry, hvm_memmap_table_entry);
FIELD(memory_entry, address, hvm_memmap_table_entry, addr);
FIELD(memory_entry, size, hvm_memmap_table_entry, size);
FIELD(memory_entry, type, hvm_memmap_table_entry, type);

SAME(XEN_CONSOLE_PORT, XEN_HVM_DEBUGCONS_IOPORT);
SAME(OP_SET_PARAM, HVMOP_set_param);
SAME(PARAM_CALLBACK, HVM_PARAM_CALLBACK_IRQ);
SAME(CALLBACK_VECTOR, (uint64_t)HVM_PARAM_CALLBACK_TYPE_VECTOR << 56);
SAME(OP_BIND_VIRQ, EVTCHNOP_bind_virq);
SAME(TIMER_VIRQ, VIRQ_TIMER);
SIZE(bind_virq, evtchn_bind_virq);
FIELD(bind_virq, virq, evtchn_bind_virq, virq);
FIELD(bind_virq, vcpu, evtchn_bind_virq, vcpu);
FIELD(bind_virq, port, evtchn_bind_virq, port);

SAME(HYPERCALL_VCPU_OP, __HYPERVISOR_vcpu_op);
SAME(OP_SET_SINGLESHOT_TIMER, VCPUOP_set_singleshot_timer);
SAME(OP_STOP_SINGLESHOT_TIMER, VCPUOP_stop_singleshot_timer);
SIZE(singleshot_timer, vcpu_set_singleshot_timer);
FIELD(singleshot_timer, at_ns, vcpu_set_singleshot_timer, timeout_abs_ns);
FIELD(singleshot_timer, flags, vcpu_set_singleshot_timer, flags);

SAME(SHARED_INFO_TIME, offsetof(struct shared_info, vcpu_info[0].time));
SIZE(time_info, vcpu_time_info);
FIELD(time_info, version, vcpu_time_info, version);
FIELD(time_info, tsc_timestamp, vcpu_time_info, tsc_timestamp);
FIELD(time_info, system_time_ns, vcpu_time_info, system_time);
FIELD(time_info, tsc_to_system_mul, vcpu_time_info, tsc_to_system_mul);
FIELD(time_info, tsc_shift, vcpu_time_info, tsc_shift);
SAME(WIRE_X86_64_EVTCHN_PENDING, offsetof(struct shared_info, evtchn_pending));
SAME(WIRE_X86_64_EVTCHN_MASK, offsetof(struct shared_info, evtchn_mask));
