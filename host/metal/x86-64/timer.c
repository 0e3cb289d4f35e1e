/*
 * Time as Xen tells it, and Xen's one-shot timer, whose event is VIRQ_TIMER.
 * C reference: public/xen.h, struct vcpu_time_info; public/vcpu.h, VCPUOP_set_singleshot_timer.
 */
#include "linear.h"
#include "panic.h"
#include "timer.h"
#include "wire.h"
#include "x86-64.h"
#include "xen.h"

#include "pvh.h"

#define NS_PER_MS 1000000u

static uint32_t port;

static uint64_t now_ns(void)
{
    const volatile struct time_info *time = linear_at(LINEAR_SHARED_INFO + SHARED_INFO_TIME);
    uint32_t version;
    uint64_t ns;
    do {
        version = time->version;
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        uint64_t ticks = read_tsc() - time->tsc_timestamp;
        int shift = time->tsc_shift;
        ticks = shift < 0 ? ticks >> -shift : ticks << shift;
        ns = (uint64_t)((unsigned __int128)ticks * time->tsc_to_system_mul >> 32);
        ns += time->system_time_ns;
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
    } while ((version & 1) != 0 || version != time->version);
    return ns;
}

uint32_t now_ms(void)
{
    return (uint32_t)(now_ns() / NS_PER_MS);
}

void timer_init(void)
{
    struct bind_virq request = { .virq = TIMER_VIRQ };
    long result = event_channel_op(OP_BIND_VIRQ, &request);
    if (result < 0)
        panic("timer: EVTCHNOP_bind_virq: %d", (int)result);
    port = request.port;
}

/* The timer's port is pending until its bit is taken, and meanwhile it makes no other event. */
void timer_take_event(void)
{
    uint64_t *words = linear_at(LINEAR_SHARED_INFO + WIRE_X86_64_EVTCHN_PENDING);
    __atomic_fetch_and(&words[port / 64], ~(1ull << port % 64), __ATOMIC_SEQ_CST);
}

void timer_arm(uint32_t delay_ms)
{
    if (delay_ms == TIMER_NEVER) {
        timer_silence();
        return;
    }
    struct singleshot_timer timer = {
        .at_ns = (now_ns() / NS_PER_MS + delay_ms) * NS_PER_MS,
    };
    timer_take_event();
    hypercall(OP_SET_SINGLESHOT_TIMER, 0, (uint64_t)&timer, HYPERCALL_VCPU_OP);
}

void timer_silence(void)
{
    hypercall(OP_STOP_SINGLESHOT_TIMER, 0, 0, HYPERCALL_VCPU_OP);
    timer_take_event();
}
