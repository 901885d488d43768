/* SPDX-License-Identifier: MIT */
/* GICv2 (Arm IHI 0048B) and GICv3 (IHI 0069) behind one set of functions; INTIDs in Group 1 on v3,
 * as reset on v2. */
#include "guest.h"

#define GICD_CTLR       0x000
#define GICD_TYPER      0x004
#define GICD_IGROUPR    0x080
#define GICD_ISENABLER  0x100
#define GICD_ICENABLER  0x180
#define GICD_ISPENDR    0x200
#define GICD_ICPENDR    0x280
#define GICD_ISACTIVER  0x300
#define GICD_ICACTIVER  0x380
#define GICD_IPRIORITYR 0x400
#define GICD_ITARGETSR  0x800
#define GICD_ICFGR      0xc00
#define GICD_SGIR       0xf00
#define GICD_CPENDSGIR  0xf10
#define GICD_IROUTER    0x6000
#define GICD_CTLR_V3    0x12u /* EnableGrp1A (Non-secure view) or EnableGrp1 (DS = 1), ARE_NS */
#define GICR_TYPER      0x0008
#define GICR_WAKER      0x0014
#define GICR_SGI_FRAME  0x10000
#define GICR_STRIDE     0x20000
#define GICR_ASLEEP     (1u << 2) /* ChildrenAsleep */
#define GICC_CTLR       0x00
#define GICC_PMR        0x04
#define GICC_BPR        0x08
#define GICC_IAR        0x0c
#define GICC_EOIR       0x10
#define GICC_RPR        0x14
#define GICC_HPPIR      0x18
#define GICC_DIR        0x1000
#define GICC_EOIMODE    (1u << 9)
#define ICC_EOIMODE     (1u << 1)

/* GICv3 registers by encoding: older assemblers do not know their names. */
#define ICC_PMR_EL1     S3_0_C4_C6_0
#define ICC_DIR_EL1     S3_0_C12_C11_1
#define ICC_RPR_EL1     S3_0_C12_C11_3
#define ICC_SGI1R_EL1   S3_0_C12_C11_5
#define ICC_IAR1_EL1    S3_0_C12_C12_0
#define ICC_EOIR1_EL1   S3_0_C12_C12_1
#define ICC_HPPIR1_EL1  S3_0_C12_C12_2
#define ICC_BPR1_EL1    S3_0_C12_C12_3
#define ICC_CTLR_EL1    S3_0_C12_C12_4
#define ICC_SRE_EL1     S3_0_C12_C12_5
#define ICC_IGRPEN1_EL1 S3_0_C12_C12_7

static uint64_t redistributor(unsigned int cpu)
{
    uint64_t affinity = machine.mpidr[cpu] & MPIDR_AFFINITY;
    uint64_t packed = (affinity >> 32) << 24 | (affinity & 0xffffff), frame = machine.gicr.base,
             typer;

    for (;; frame += GICR_STRIDE) {
        typer = read64(frame + GICR_TYPER);
        if (typer >> 32 == packed || (typer & 0x10) /* Last */)
            return frame;
    }
}

uint64_t gic_base(unsigned int intid)
{
    static uint64_t known[MAX_CPUS];
    unsigned int cpu = cpu_id();

    if (intid >= 32 || machine.gic == 2)
        return machine.gicd.base;
    if (known[cpu] == 0)
        known[cpu] = redistributor(cpu) + GICR_SGI_FRAME;
    return known[cpu];
}

static void bit_write(unsigned int reg, unsigned int intid)
{
    write32(gic_base(intid) + reg + intid / 32 * 4, 1u << intid % 32);
}

static bool bit_read(unsigned int reg, unsigned int intid)
{
    return read32(gic_base(intid) + reg + intid / 32 * 4) >> intid % 32 & 1;
}

void gic_enable(unsigned int intid)
{
    bit_write(GICD_ISENABLER, intid);
}

void gic_disable(unsigned int intid)
{
    bit_write(GICD_ICENABLER, intid);
}

void gic_pend(unsigned int intid)
{
    bit_write(GICD_ISPENDR, intid);
}

void gic_unpend(unsigned int intid)
{
    bit_write(GICD_ICPENDR, intid);
}

void gic_activate(unsigned int intid)
{
    bit_write(GICD_ISACTIVER, intid);
}

void gic_deactivate_write(unsigned int intid)
{
    bit_write(GICD_ICACTIVER, intid);
}

bool gic_is_enabled(unsigned int intid)
{
    return bit_read(GICD_ISENABLER, intid);
}

bool gic_is_pending(unsigned int intid)
{
    return bit_read(GICD_ISPENDR, intid);
}

bool gic_is_active(unsigned int intid)
{
    return bit_read(GICD_ISACTIVER, intid);
}

void gic_set_priority(unsigned int intid, uint8_t priority)
{
    write8(gic_base(intid) + GICD_IPRIORITYR + intid, priority);
}

uint8_t gic_get_priority(unsigned int intid)
{
    return read8(gic_base(intid) + GICD_IPRIORITYR + intid);
}

void gic_set_edge(unsigned int intid, bool edge)
{
    uint64_t reg = gic_base(intid) + GICD_ICFGR + intid / 16 * 4;
    uint32_t bit = 2u << intid % 16 * 2;

    write32(reg, edge ? read32(reg) | bit : read32(reg) & ~bit);
}

void gic_route(unsigned int intid, unsigned int cpu)
{
    if (machine.gic == 3)
        write64(machine.gicd.base + GICD_IROUTER + (uint64_t)intid * 8,
                machine.mpidr[cpu] & MPIDR_AFFINITY);
    else
        write8(machine.gicd.base + GICD_ITARGETSR + intid, 1u << cpu);
}

void gic_sgi(unsigned int intid, unsigned int cpu)
{
    uint64_t m = machine.mpidr[cpu];

    barrier();
    if (machine.gic == 3)
        sysreg_write(ICC_SGI1R_EL1, (m >> 32 & 0xff) << 48 | (m >> 16 & 0xff) << 32 |
                                        (m >> 8 & 0xff) << 16 | (uint64_t)intid << 24 |
                                        1u << (m & 0xf));
    else
        write32(machine.gicd.base + GICD_SGIR, 1u << (16 + cpu) | intid);
}

void gic_sgi_others(unsigned int intid)
{
    barrier();
    if (machine.gic == 3)
        sysreg_write(ICC_SGI1R_EL1, UINT64_C(1) << 40 | (uint64_t)intid << 24);
    else
        write32(machine.gicd.base + GICD_SGIR, 1u << 24 | intid);
}

uint32_t gic_ack(void)
{
    uint32_t iar;

    if (machine.gic == 3)
        iar = (uint32_t)sysreg_read(ICC_IAR1_EL1);
    else
        iar = read32(machine.gicr.base + GICC_IAR);
    barrier();
    return iar;
}

void gic_eoi(uint32_t iar)
{
    if (machine.gic == 3)
        sysreg_write(ICC_EOIR1_EL1, iar);
    else
        write32(machine.gicr.base + GICC_EOIR, iar);
}

void gic_dir(uint32_t iar)
{
    if (machine.gic == 3)
        sysreg_write(ICC_DIR_EL1, iar);
    else
        write32(machine.gicr.base + GICC_DIR, iar);
}

void gic_split(bool on)
{
    if (machine.gic == 3)
        sysreg_write(ICC_CTLR_EL1, on ? ICC_EOIMODE : 0);
    else
        write32(machine.gicr.base + GICC_CTLR, (on ? GICC_EOIMODE : 0) | 1);
}

void gic_pmr(uint8_t mask)
{
    if (machine.gic == 3)
        sysreg_write(ICC_PMR_EL1, mask);
    else
        write32(machine.gicr.base + GICC_PMR, mask);
}

uint8_t gic_rpr(void)
{
    if (machine.gic == 3)
        return (uint8_t)sysreg_read(ICC_RPR_EL1);
    return (uint8_t)read32(machine.gicr.base + GICC_RPR);
}

uint32_t gic_hppir(void)
{
    if (machine.gic == 3)
        return (uint32_t)sysreg_read(ICC_HPPIR1_EL1);
    return read32(machine.gicr.base + GICC_HPPIR);
}

unsigned int gic_lines(void)
{
    unsigned int n = 32 * ((read32(machine.gicd.base + GICD_TYPER) & 0x1f) + 1);

    return n > 1020 ? 1020 : n;
}

uint32_t gic_expect(void)
{
    uint64_t end = now() + ticks_of_us(200000);
    unsigned int tries = 0;
    uint32_t iar;

    /* Time alone is no measure: the emulator may not have run this meanwhile. */
    do
        iar = gic_ack();
    while ((iar & 0x3ff) == GIC_SPURIOUS && (tries++ < 2000 || now() < end));
    return iar;
}

static void reset_words(uint64_t base, unsigned int first, unsigned int end)
{
    for (unsigned int i = first; i < end; i += 32) {
        uint64_t word = base + i / 32 * 4;
        write32(word + GICD_ICENABLER, ~0u);
        write32(word + GICD_ICPENDR, ~0u);
        write32(word + GICD_ICACTIVER, ~0u);
        if (machine.gic == 3)
            write32(word + GICD_IGROUPR, ~0u);
    }
    for (unsigned int i = first; i < end; i += 4)
        write32(base + GICD_IPRIORITYR + i, 0xa0a0a0a0);
    for (unsigned int i = first < 32 ? 32 : first; i < end; i += 16)
        write32(base + GICD_ICFGR + i / 16 * 4, 0);
}

void gic_init_cpu(void)
{
    uint64_t base = gic_base(0);

    if (machine.gic == 3) {
        uint64_t waker = base - GICR_SGI_FRAME + GICR_WAKER;
        write32(waker, 0);
        while (read32(waker) & GICR_ASLEEP)
            ;
        sysreg_write(ICC_SRE_EL1, 7);
    }
    reset_words(base, 0, 32);
    gic_pmr(0xff);
    if (machine.gic == 3) {
        sysreg_write(ICC_BPR1_EL1, 0);
        sysreg_write(ICC_IGRPEN1_EL1, 1);
    } else {
        write32(machine.gicr.base + GICC_BPR, 0);
        for (unsigned int i = 0; i < 16; i += 4)
            write32(machine.gicd.base + GICD_CPENDSGIR + i, ~0u);
    }
    gic_split(false);
}

void gic_init(void)
{
    uint64_t gicd = machine.gicd.base;

    write32(gicd + GICD_CTLR, 0);
    if (machine.gic == 3)
        write32(gicd + GICD_CTLR, 0x10); /* ARE first: IROUTER is RES0 without */
    reset_words(gicd, 32, gic_lines());
    for (unsigned int i = 32; i < gic_lines(); i++)
        gic_route(i, 0);
    write32(gicd + GICD_CTLR, machine.gic == 3 ? GICD_CTLR_V3 : 1);
    gic_init_cpu();
}
