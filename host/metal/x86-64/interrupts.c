/*
 * Exceptions and events. Event channels interrupt by a vector that Xen injects itself
 * (HVM_PARAM_CALLBACK_IRQ): there is no interrupt controller to ask or to tell.
 */
#include <stddef.h>

#include "layout.h"
#include "panic.h"
#include "symbols.h"
#include "wire.h"
#include "x86-64.h"
#include "xen.h"

#include "pvh.h"

#define INTERRUPT_GATE 0x8e00u
#define TASK_AVAILABLE UINT64_C(0x890000000000)
#define STACK_OF_PANIC 1u

struct gate {
    uint16_t offset_low, selector, kind, offset_middle;
    uint32_t offset_high, reserved;
};

/* The task state: of all it can say, only the stack for exceptions. */
struct __attribute__((packed)) task {
    uint32_t reserved0;
    uint64_t stacks[3];
    uint64_t reserved1;
    uint64_t interrupt_stacks[7];
    uint64_t reserved2;
    uint16_t reserved3, io_map;
};
_Static_assert(sizeof(struct task) == 104, "the task state, as the processor reads it");

struct __attribute__((packed)) place {
    uint16_t limit;
    const void *base;
};

static struct gate gates[EVENT_VECTOR + 1];
static struct task task;

extern char exception_entries[], event_entry[], panic_stack_top[];
extern uint64_t descriptors[];

static void set_gate(uint32_t vector, const char *entry, uint32_t stack)
{
    uint64_t offset = (uint64_t)entry;
    gates[vector] = (struct gate){ .offset_low = (uint16_t)offset,
                                   .selector = SELECTOR_CODE,
                                   .kind = (uint16_t)(INTERRUPT_GATE | stack),
                                   .offset_middle = (uint16_t)(offset >> 16),
                                   .offset_high = (uint32_t)(offset >> 32) };
}

static void load_task(void)
{
    uint64_t base = (uint64_t)&task;
    task.interrupt_stacks[STACK_OF_PANIC - 1] = (uint64_t)panic_stack_top;
    task.io_map = sizeof task;
    descriptors[SELECTOR_TASK / 8] = (sizeof task - 1) | (base & 0xffffff) << 16 |
                                     TASK_AVAILABLE | (base >> 24 & 0xff) << 56;
    descriptors[SELECTOR_TASK / 8 + 1] = base >> 32;
    __asm__ volatile("ltr %w0" ::"r"(SELECTOR_TASK) : "memory");
}

void interrupts_init(void)
{
    struct place place = { sizeof gates - 1, gates };
    struct hvm_param callback = { .domid = WIRE_DOMID_SELF,
                                  .index = PARAM_CALLBACK,
                                  .value = CALLBACK_VECTOR | EVENT_VECTOR };
    load_task();
    for (uint32_t vector = 0; vector < EXCEPTIONS; vector++)
        set_gate(vector, exception_entries + vector * STUB_SIZE, STACK_OF_PANIC);
    set_gate(EVENT_VECTOR, event_entry, 0);
    __asm__ volatile("lidt %0" ::"m"(place) : "memory");
    long result = hypercall(OP_SET_PARAM, (uint64_t)&callback, 0, HYPERCALL_HVM_OP);
    if (result < 0)
        panic("boot: Xen takes no vector for event channels: %d", (int)result);
}

static const char *name_of(uint64_t vector)
{
    switch (vector) {
    case 0:
        return "division error";
    case 3:
        return "breakpoint instruction";
    case 6:
        return "undefined instruction";
    case 7:
        return "floating point is off";
    case 8:
        return "double fault";
    case 13:
        return "general protection";
    case 14:
        return "page fault";
    default:
        return "exception";
    }
}

void panic_exception(uint64_t vector, uint64_t error, uint64_t at, uint64_t address,
                     uint64_t stack)
{
    panic_say("panic: exception %u: %s, in %s", (uint32_t)vector, name_of(vector), symbol_at(at));
    panic_say("panic: at %x, stack %x, address %x, error %x", at, stack, address, error);
    guest_exit(EXIT_PANIC);
}
