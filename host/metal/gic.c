/*
 * The interrupt controller. Only private interrupts of one processor, all of one priority, taken by
 * asking (gic_acknowledge) while the processor masks them.
 * Arm references: GIC Architecture Specification, version 2 and versions 3 and 4.
 */
#include <stdbool.h>
#include <stddef.h>

#include "arm64.h"
#include "fdt.h"
#include "gic.h"
#include "mmu.h"
#include "panic.h"

/* Distributor. */
#define GICD_CTLR 0x0
#define GICD_CTLR_V2_ENABLE 1u
#define GICD_CTLR_V3_ENABLE 0x12u /* affinity routing, group 1 */

/* Private interrupts: in the distributor (version 2), or 64 KiB into the redistributor. */
#define PRIVATE_GROUP 0x080
#define PRIVATE_ENABLE 0x100
#define PRIVATE_PRIORITY 0x400
#define PRIORITY 0xa0u

/* Processor interface, version 2. */
#define GICC_CTLR 0x0
#define GICC_PMR 0x4
#define GICC_IAR 0xc
#define GICC_EOIR 0x10

/* Redistributor, version 3. */
#define GICR_WAKER 0x14
#define WAKER_PROCESSOR_SLEEP 2u
#define WAKER_CHILDREN_ASLEEP 4u
#define GICR_SGI_BASE 0x10000

/* Processor interface, version 3. */
#define ICC_SRE "s3_0_c12_c12_5"
#define ICC_PMR "s3_0_c4_c6_0"
#define ICC_IGRPEN1 "s3_0_c12_c12_7"
#define ICC_IAR1 "s3_0_c12_c12_0"
#define ICC_EOIR1 "s3_0_c12_c12_1"

#define PRIORITIES_ALL 0xff

static bool version3;
static uint64_t private_base;
static uint64_t interface_base; /* version 2 */

static void init_v2(uint64_t distributor, uint64_t interface)
{
    private_base = distributor;
    interface_base = interface;
    device_write(distributor + GICD_CTLR, GICD_CTLR_V2_ENABLE);
    device_write(interface + GICC_PMR, PRIORITIES_ALL);
    device_write(interface + GICC_CTLR, 1);
}

static void init_v3(uint64_t distributor, uint64_t redistributor)
{
    version3 = true;
    private_base = redistributor + GICR_SGI_BASE;
    WRITE_REGISTER(ICC_SRE, READ_REGISTER(ICC_SRE) | 1);
    device_write(distributor + GICD_CTLR, GICD_CTLR_V3_ENABLE);
    uint32_t waker = device_read(redistributor + GICR_WAKER) & ~WAKER_PROCESSOR_SLEEP;
    device_write(redistributor + GICR_WAKER, waker);
    while (device_read(redistributor + GICR_WAKER) & WAKER_CHILDREN_ASLEEP)
        continue;
    device_write(private_base + PRIVATE_GROUP, ~0u);
    WRITE_REGISTER(ICC_PMR, PRIORITIES_ALL);
    WRITE_REGISTER(ICC_IGRPEN1, 1);
}

void gic_init(const void *tree)
{
    static const char *const names_v2[] = { "arm,cortex-a15-gic", "arm,gic-400" };
    struct fdt_property reg = fdt_find(tree, "compatible", "arm,gic-v3", "reg");
    bool is_v3 = reg.bytes != NULL;
    for (int i = 0; i < 2 && reg.bytes == NULL; i++)
        reg = fdt_find(tree, "compatible", names_v2[i], "reg");
    if (reg.bytes == NULL)
        panic("gic: the device tree names neither GICv2 nor GICv3");
    uint64_t distributor = fdt_pair(reg, 0);
    uint64_t second = fdt_pair(reg, 4);
    mmu_map_device(distributor);
    mmu_map_device(second);
    if (is_v3)
        init_v3(distributor, second);
    else
        init_v2(distributor, second);
}

void gic_enable(uint32_t interrupt)
{
    uint64_t word = private_base + PRIVATE_PRIORITY + (interrupt & ~3u);
    uint32_t shift = (interrupt & 3) * 8;
    device_write(word, (device_read(word) & ~(0xffu << shift)) | PRIORITY << shift);
    device_write(private_base + PRIVATE_ENABLE, 1u << interrupt);
}

uint32_t gic_acknowledge(void)
{
    uint32_t word =
        version3 ? (uint32_t)READ_REGISTER(ICC_IAR1) : device_read(interface_base + GICC_IAR);
    barrier();
    uint32_t interrupt = word & 0x3ff;
    return interrupt < 1020 ? interrupt : GIC_NOTHING;
}

void gic_end(uint32_t interrupt)
{
    barrier(); /* what silenced the interrupt comes before its end */
    if (version3)
        WRITE_REGISTER(ICC_EOIR1, interrupt);
    else
        device_write(interface_base + GICC_EOIR, interrupt);
}
