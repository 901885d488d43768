/* SPDX-License-Identifier: MIT */
/*
 * GICv3 and later (Arm IHI 0069H): distributor and redistributors by memory, the CPU interface and
 * the virtual one by system registers. Everything is group 1, non-secure where there are two
 * security states.
 */
#include <asm/gic.h>
#include <asm/gic_regs.h>
#include <asm/sysreg.h>
#include <asm/vgic.h>
#include <hospes/compiler.h>
#include <hospes/errno.h>
#include <hospes/io.h>
#include <hospes/log.h>
#include <hospes/map.h>
#include <hospes/pcpu.h>
#include <hospes/vcpu.h>

static uint32_t nr_aprs; /* active priority registers of each group */

/* MPIDR_EL1's affinities as GICR_TYPER has them: 3.2.1.0. */
static uint32_t packed_affinity(uint64_t mpidr)
{
    return (uint32_t)(mpidr & 0xffffff) | (uint32_t)(mpidr >> 8 & 0xff000000);
}

/* --- this pCPU's redistributor --- */

/*
 * Looks for the redistributor of `p` in one region. Frames are mapped one by one: the region of a
 * large machine is megabytes, of which a CPU needs two frames. NULL without; *last: there are no
 * more in this region.
 */
static volatile uint8_t *find_in_region(const struct gic_region *r, uint32_t affinity)
{
    for (uint64_t at = 0; at + 2 * GICR_FRAME <= r->size;) {
        volatile uint8_t *frames =
            (volatile uint8_t *)device_map(MADDR(r->base + at), 2 * GICR_FRAME);
        if (frames == NULL) {
            log_err("GICv3: no memory to map the redistributor at 0x%lx", r->base + at);
            return NULL;
        }
        uint64_t typer =
            mmio_read32(frames + GICR_TYPER) | (uint64_t)mmio_read32(frames + GICR_TYPER + 4) << 32;
        uint32_t arch = (uint32_t)field_get(GIC_PIDR2_ARCH, mmio_read32(frames + GICD_V3_PIDR2));
        if (arch >= 3 && field_get(GICR_TYPER_AFF, typer) == affinity)
            return frames;
        device_unmap(frames, 2 * GICR_FRAME);
        if (arch < 3 || (typer & GICR_TYPER_LAST))
            return NULL;
        at += gic.redist_stride != 0     ? gic.redist_stride
              : typer & GICR_TYPER_VLPIS ? 4 * GICR_FRAME
                                         : 2 * GICR_FRAME;
    }
    return NULL;
}

static int find_redistributor(struct pcpu *p)
{
    uint32_t affinity = packed_affinity(p->arch.mpidr);

    for (uint32_t i = 0; i < gic.nr_redist; i++) {
        p->arch.gicr = find_in_region(&gic.redist[i], affinity);
        if (p->arch.gicr != NULL)
            return 0;
    }
    log_err("GICv3: no redistributor for CPU %u (MPIDR 0x%lx)", p->id, p->arch.mpidr);
    return -ENODEV;
}

static int wake_redistributor(volatile uint8_t *gicr)
{
    uint32_t waker = mmio_read32(gicr + GICR_WAKER);

    mmio_write32(gicr + GICR_WAKER, waker & ~(uint32_t)GICR_WAKER_SLEEP);
    return gic_wait(gicr + GICR_WAKER, GICR_WAKER_ASLEEP, "waking a redistributor") ? 0 : -ENODEV;
}

static int v3_pcpu_init(struct pcpu *p)
{
    /* System registers for EL2, and for EL1 without a trap. */
    write_sysreg(read_sysreg(ICC_SRE_EL2) | ICC_SRE_SRE | ICC_SRE_DFB | ICC_SRE_DIB |
                     ICC_SRE_ENABLE,
                 ICC_SRE_EL2);
    isb();
    if (!(read_sysreg(ICC_SRE_EL2) & ICC_SRE_SRE)) {
        log_err("GICv3: CPU %u: firmware keeps EL2 from the system registers", p->id);
        return -ENODEV;
    }
    int rc = find_redistributor(p);
    if (rc == 0)
        rc = wake_redistributor(p->arch.gicr);
    if (rc != 0)
        return rc;

    gic_reset_private(p->arch.gicr + GICR_FRAME, true);
    mmio_write32(p->arch.gicr + GICR_SGI(GICD_ISENABLER), 0xffffu); /* SGIs: all are ours */
    gic_wait(p->arch.gicr + GICR_CTLR, GICR_CTLR_RWP, "setting up a redistributor");

    write_sysreg(0, ICH_HCR_EL2);
    write_sysreg(0, ICH_VMCR_EL2);
    for (uint32_t i = 0; i < gic.nr_lrs; i++)
        gic.driver->write_lr(i, 0);
    write_sysreg(ICC_SRE_SRE | ICC_SRE_DFB | ICC_SRE_DIB, ICC_SRE_EL1);
    write_sysreg(0, ICC_BPR1_EL1);
    write_sysreg(0xff, ICC_PMR_EL1);
    write_sysreg(ICC_CTLR_EOIMODE, ICC_CTLR_EL1);
    isb();
    write_sysreg(1, ICC_IGRPEN1_EL1);
    isb();
    return 0;
}

/* --- interrupts --- */

static uint32_t v3_acknowledge(void)
{
    uint32_t iar = (uint32_t)read_sysreg(ICC_IAR1_EL1);

    /* The device's writes that it announces are to be seen from here on. */
    dsb(sy);
    return iar;
}

static void v3_drop(uint32_t iar)
{
    write_sysreg(iar, ICC_EOIR1_EL1);
    isb();
}

static void v3_deactivate(uint32_t iar)
{
    write_sysreg(iar, ICC_DIR_EL1);
    isb();
}

/* Where the registers of `intid` are: the distributor, or this pCPU's second frame. */
static volatile uint8_t *registers_of(uint32_t intid)
{
    return intid >= GIC_FIRST_SPI ? gic.gicd : this_pcpu()->arch.gicr + GICR_FRAME;
}

static void set_bit_of(uint32_t offset, uint32_t intid)
{
    mmio_write32(registers_of(intid) + offset + intid / 32 * 4, (uint32_t)1 << (intid % 32));
}

static void v3_enable(uint32_t intid)
{
    set_bit_of(GICD_ISENABLER, intid);
}

static void v3_disable(uint32_t intid)
{
    set_bit_of(GICD_ICENABLER, intid);
    if (intid >= GIC_FIRST_SPI)
        gic_wait(gic.gicd + GICD_CTLR, (uint32_t)GICD_CTLR_RWP, "disabling an interrupt");
    else
        gic_wait(this_pcpu()->arch.gicr + GICR_CTLR, GICR_CTLR_RWP, "disabling an interrupt");
}

static void v3_set_edge(uint32_t intid, bool edge)
{
    if (intid < GIC_NR_SGIS)
        return;
    volatile uint8_t *p = registers_of(intid) + GICD_ICFGR + intid / 16 * 4;
    uint32_t bit = (uint32_t)2 << (intid % 16 * 2);
    uint32_t old = mmio_read32(p);
    uint32_t new = edge ? old | bit : old & ~bit;

    if (new != old)
        mmio_write32(p, new);
}

static void v3_set_affinity(uint32_t intid, const struct pcpu *p)
{
    mmio_write64(gic.gicd + GICD_IROUTER + 8 * (uint64_t)intid,
                 p->arch.mpidr & (GICD_IROUTER_AFF3 | GICD_IROUTER_AFF));
}

static void v3_set_active(uint32_t intid, bool active)
{
    set_bit_of(active ? GICD_ISACTIVER : GICD_ICACTIVER, intid);
}

static void v3_send_sgi(const struct pcpu *p, uint32_t sgi)
{
    uint64_t mpidr = p->arch.mpidr;
    uint64_t aff0 = mpidr & 0xff;

    /* What the target is to find in memory comes first. */
    dsb(ishst);
    write_sysreg(field_prep(ICC_SGIR_AFF3, mpidr >> 32) | field_prep(ICC_SGIR_AFF2, mpidr >> 16) |
                     field_prep(ICC_SGIR_AFF1, mpidr >> 8) | field_prep(ICC_SGIR_RS, aff0 >> 4) |
                     field_prep(ICC_SGIR_INTID, sgi) | BIT(aff0 & 15),
                 ICC_SGI1R_EL1);
    isb();
}

/* --- the virtual CPU interface --- */

#define ALL_LRS(X) \
    X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)

static uint64_t v3_read_lr(uint32_t n)
{
    switch (n) {
#define READ_LR(i) \
    case i:        \
        return read_sysreg(ICH_LR##i##_EL2);
        ALL_LRS(READ_LR)
#undef READ_LR
    default:
        return 0;
    }
}

static void v3_write_lr(uint32_t n, uint64_t lr)
{
    switch (n) {
#define WRITE_LR(i)                        \
    case i:                                \
        write_sysreg(lr, ICH_LR##i##_EL2); \
        break;
        ALL_LRS(WRITE_LR)
#undef WRITE_LR
    default:
        break;
    }
}

static uint32_t v3_empty_lrs(void)
{
    return (uint32_t)read_sysreg(ICH_ELRSR_EL2);
}

static void v3_vcpu_save(struct vcpu *v)
{
    struct vgic_vcpu *vg = &v->arch.vgic;

    vg->vmcr = (uint32_t)read_sysreg(ICH_VMCR_EL2);
    vg->apr0[0] = (uint32_t)read_sysreg(ICH_AP0R0_EL2);
    vg->apr1[0] = (uint32_t)read_sysreg(ICH_AP1R0_EL2);
    if (unlikely(nr_aprs > 1)) {
        vg->apr0[1] = (uint32_t)read_sysreg(ICH_AP0R1_EL2);
        vg->apr1[1] = (uint32_t)read_sysreg(ICH_AP1R1_EL2);
    }
    if (unlikely(nr_aprs > 2)) {
        vg->apr0[2] = (uint32_t)read_sysreg(ICH_AP0R2_EL2);
        vg->apr1[2] = (uint32_t)read_sysreg(ICH_AP1R2_EL2);
        vg->apr0[3] = (uint32_t)read_sysreg(ICH_AP0R3_EL2);
        vg->apr1[3] = (uint32_t)read_sysreg(ICH_AP1R3_EL2);
    }
    write_sysreg(0, ICH_HCR_EL2);
}

/* What is in force always: ICC_DIR_EL1 traps, for an interrupt that another vCPU's list register
 * holds. */
static uint64_t hcr_base(void)
{
    return GICH_HCR_EN | (gic.traps_dir ? ICH_HCR_TDIR : 0);
}

static void v3_vcpu_load(struct vcpu *v)
{
    const struct vgic_vcpu *vg = &v->arch.vgic;

    /* Where the hardware has the memory-mapped interface too, the last guest may have chosen that.
     */
    write_sysreg(ICC_SRE_SRE | ICC_SRE_DFB | ICC_SRE_DIB, ICC_SRE_EL1);
    isb();
    write_sysreg(vg->vmcr, ICH_VMCR_EL2);
    write_sysreg(vg->apr0[0], ICH_AP0R0_EL2);
    write_sysreg(vg->apr1[0], ICH_AP1R0_EL2);
    if (unlikely(nr_aprs > 1)) {
        write_sysreg(vg->apr0[1], ICH_AP0R1_EL2);
        write_sysreg(vg->apr1[1], ICH_AP1R1_EL2);
    }
    if (unlikely(nr_aprs > 2)) {
        write_sysreg(vg->apr0[2], ICH_AP0R2_EL2);
        write_sysreg(vg->apr1[2], ICH_AP1R2_EL2);
        write_sysreg(vg->apr0[3], ICH_AP0R3_EL2);
        write_sysreg(vg->apr1[3], ICH_AP1R3_EL2);
    }
    write_sysreg(hcr_base(), ICH_HCR_EL2);
}

static uint32_t v3_read_vmcr(void)
{
    return (uint32_t)read_sysreg(ICH_VMCR_EL2);
}

static void v3_set_maintenance(uint32_t bits)
{
    uint64_t count = read_sysreg(ICH_HCR_EL2) & GICH_HCR_EOICOUNT;

    write_sysreg(hcr_base() | gic_maintenance_bits(bits) | count, ICH_HCR_EL2);
}

static uint32_t v3_take_eoi_count(void)
{
    uint64_t hcr = read_sysreg(ICH_HCR_EL2);

    write_sysreg(hcr & ~GICH_HCR_EOICOUNT, ICH_HCR_EL2);
    return (uint32_t)field_get(GICH_HCR_EOICOUNT, hcr);
}

static const struct gic_driver gicv3 = {
    .name = "GICv3",
    .version = 3,
    .pcpu_init = v3_pcpu_init,
    .acknowledge = v3_acknowledge,
    .drop = v3_drop,
    .deactivate = v3_deactivate,
    .enable = v3_enable,
    .disable = v3_disable,
    .set_edge = v3_set_edge,
    .set_affinity = v3_set_affinity,
    .set_active = v3_set_active,
    .send_sgi = v3_send_sgi,
    .read_lr = v3_read_lr,
    .write_lr = v3_write_lr,
    .empty_lrs = v3_empty_lrs,
    .vcpu_save = v3_vcpu_save,
    .vcpu_load = v3_vcpu_load,
    .read_vmcr = v3_read_vmcr,
    .set_maintenance = v3_set_maintenance,
    .take_eoi_count = v3_take_eoi_count,
};

/* --- the distributor --- */

int gicv3_init(void)
{
    gic.driver = &gicv3;
    gic.gicd = (volatile uint8_t *)device_map(MADDR(gic.dist.base), GICR_FRAME);
    if (gic.gicd == NULL) {
        log_err("GICv3: no memory to map the distributor");
        return -ENODEV;
    }
    uint32_t arch = (uint32_t)field_get(GIC_PIDR2_ARCH, mmio_read32(gic.gicd + GICD_V3_PIDR2));
    if (arch != 3 && arch != 4) {
        log_err("GICv3: what is at 0x%lx says that it is version %u", gic.dist.base, arch);
        return -ENODEV;
    }
    uint32_t lines = (uint32_t)field_get(GICD_TYPER_LINES, mmio_read32(gic.gicd + GICD_TYPER));
    gic.nr_irqs = min(32 * (lines + 1), GIC_FIRST_SPECIAL);

    write_sysreg(read_sysreg(ICC_SRE_EL2) | ICC_SRE_SRE, ICC_SRE_EL2);
    isb();
    uint64_t vtr = read_sysreg(ICH_VTR_EL2);
    gic.nr_lrs = min((uint32_t)field_get(GICH_VTR_LISTREGS, vtr) + 1, (uint32_t)VGIC_MAX_LRS);
    gic.traps_dir = (vtr & ICH_VTR_TDS) != 0;
    nr_aprs = 1u << min((uint32_t)field_get(ICH_VTR_PREBITS, vtr) + 1 - 5, 2u);

    mmio_write32(gic.gicd + GICD_CTLR, 0);
    gic_wait(gic.gicd + GICD_CTLR, (uint32_t)GICD_CTLR_RWP, "switching the distributor off");
    gic_reset_spis();
    mmio_write32(gic.gicd + GICD_CTLR, (uint32_t)GICD_CTLR_ARE);
    gic_wait(gic.gicd + GICD_CTLR, (uint32_t)GICD_CTLR_RWP, "switching to affinity routing");
    for (uint32_t i = GIC_FIRST_SPI; i < gic.nr_irqs; i++)
        v3_set_affinity(i, this_pcpu());
    mmio_write32(gic.gicd + GICD_CTLR, (uint32_t)(GICD_CTLR_ARE | GICD_CTLR_GRP1));
    gic_wait(gic.gicd + GICD_CTLR, (uint32_t)GICD_CTLR_RWP, "switching the distributor on");
    return 0;
}
