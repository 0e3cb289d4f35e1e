/*
 * Xen's ABI on x86-64 alone: how a guest of type pvh begins, its time, and its timer. Held against
 * libxen-dev by test/native/metal.test.ts.
 */
#ifndef PVCALLS_PVH_H
#define PVCALLS_PVH_H

#include <stdint.h>

/* public/arch-x86/cpuid.h. Leaf `base` names Xen, base + 2 the register for the hypercall page. */
#define CPUID_FIRST 0x40000000u
#define CPUID_LAST 0x40010000u
#define CPUID_STEP 0x100u
#define CPUID_PAGES 2u

/* public/arch-x86/hvm/start_info.h: struct hvm_start_info, struct hvm_memmap_table_entry. */
#define START_MAGIC 0x336ec578u
#define START_VERSION_MEMORY 1u /* from here on there is a map of memory */
#define MEMORY_RAM 1u
struct pvh_start {
    uint32_t magic;
    uint32_t version;
    uint32_t flags;
    uint32_t modules;
    uint64_t module_list;
    uint64_t arguments; /* a string, or 0 */
    uint64_t rsdp;
    uint64_t memory;
    uint32_t memory_entries;
    uint32_t reserved;
};
struct memory_entry {
    uint64_t address;
    uint64_t size;
    uint32_t type;
    uint32_t reserved;
};

/* public/hvm/params.h: by which vector event channels interrupt. */
#define OP_SET_PARAM 0
#define PARAM_CALLBACK 0u
#define CALLBACK_VECTOR (UINT64_C(2) << 56)

/* public/event_channel.h, public/xen.h, public/vcpu.h. */
#define OP_BIND_VIRQ 1
#define TIMER_VIRQ 0u
struct bind_virq {
    uint32_t virq;
    uint32_t vcpu;
    uint32_t port; /* out */
};
#define HYPERCALL_VCPU_OP 24
#define OP_SET_SINGLESHOT_TIMER 8
#define OP_STOP_SINGLESHOT_TIMER 9
struct singleshot_timer {
    uint64_t at_ns; /* Xen's system time */
    uint32_t flags;
};

/* public/xen.h: struct vcpu_time_info, of the first processor in shared_info. */
#define SHARED_INFO_TIME 32u
struct time_info {
    uint32_t version; /* odd while Xen writes */
    uint32_t padding;
    uint64_t tsc_timestamp;
    uint64_t system_time_ns;
    uint32_t tsc_to_system_mul;
    int8_t tsc_shift;
    uint8_t flags;
};

#endif
