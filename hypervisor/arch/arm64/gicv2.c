/* SPDX-License-Identifier: MIT */
/*
 * GICv2 with virtualization extensions (Arm IHI 0048B): GIC-400 and those of Cortex-A7 and A15.
 * Distributor, CPU interface and virtual interface control by memory; the fourth part, GICV, is
 * mapped to guests.
 */
#include <asm/gic.h>
#include <asm/gic_regs.h>
#include <asm/vgic.h>
#include <hospes/cpu.h>
#include <hospes/errno.h>
#include <hospes/io.h>
#include <hospes/log.h>
#include <hospes/map.h>
#include <hospes/pcpu.h>
#include <hospes/vcpu.h>

/* --- this pCPU's interface --- */

static int v2_pcpu_init(struct pcpu *p)
{
    /* The registers of SGIs and PPIs read as targeting whoever reads them. */
    uint32_t targets = 0;
    for (uint32_t i = 0; i < 32 && targets == 0; i += 4)
        targets = mmio_read32(gic.gicd + GICD_ITARGETSR + i);
    targets |= targets >> 16;
    targets |= targets >> 8;
    p->arch.gic_target = (uint8_t)targets;
    if (!is_power_of_two(p->arch.gic_target)) {
        /* A GIC for a single CPU has these registers as zero. */
        if (p->arch.gic_target != 0 || nr_pcpus > 1) {
            log_err("GICv2: CPU %u cannot tell its number (ITARGETSR 0x%x)", p->id, targets);
            return -ENODEV;
        }
        p->arch.gic_target = 1;
    }

    gic_reset_private(gic.gicd, false);
    mmio_write32(gic.gicd + GICD_ISENABLER, 0xffffu);

    mmio_write32(gic.gich + GICH_HCR, 0);
    mmio_write32(gic.gich + GICH_VMCR, 0);
    for (uint32_t i = 0; i < gic.nr_lrs; i++)
        mmio_write32(gic.gich + GICH_LR + 4 * i, 0);

    mmio_write32(gic.gicc + GICC_PMR, 0xff);
    mmio_write32(gic.gicc + GICC_BPR, 0);
    mmio_write32(gic.gicc + GICC_CTLR, (uint32_t)(GICC_CTLR_ENABLE | GICC_CTLR_EOIMODE));
    return 0;
}

/* --- interrupts --- */

static uint32_t v2_acknowledge(void)
{
    return mmio_read32(gic.gicc + GICC_IAR);
}

static void v2_drop(uint32_t iar)
{
    mmio_write32(gic.gicc + GICC_EOIR, iar);
}

static void v2_deactivate(uint32_t iar)
{
    mmio_write32(gic.gicc + GICC_DIR, iar);
}

static void set_bit_of(uint32_t offset, uint32_t intid)
{
    mmio_write32(gic.gicd + offset + intid / 32 * 4, (uint32_t)1 << (intid % 32));
}

static void v2_enable(uint32_t intid)
{
    set_bit_of(GICD_ISENABLER, intid);
}

static void v2_disable(uint32_t intid)
{
    set_bit_of(GICD_ICENABLER, intid);
    /* A read after it: the write has arrived. */
    mmio_read32(gic.gicd + GICD_ICENABLER + intid / 32 * 4);
}

static void v2_set_edge(uint32_t intid, bool edge)
{
    if (intid < GIC_NR_SGIS)
        return;
    volatile uint8_t *p = gic.gicd + GICD_ICFGR + intid / 16 * 4;
    uint32_t bit = (uint32_t)2 << (intid % 16 * 2);
    uint32_t old = mmio_read32(p);
    uint32_t new = edge ? old | bit : old & ~bit;

    if (new != old)
        mmio_write32(p, new);
}

static void v2_set_affinity(uint32_t intid, const struct pcpu *p)
{
    mmio_write8(gic.gicd + GICD_ITARGETSR + intid, p->arch.gic_target);
}

static void v2_set_active(uint32_t intid, bool active)
{
    set_bit_of(active ? GICD_ISACTIVER : GICD_ICACTIVER, intid);
}

static void v2_send_sgi(const struct pcpu *p, uint32_t sgi)
{
    mmio_write32(gic.gicd + GICD_SGIR,
                 (uint32_t)field_prep(GICD_SGIR_TARGETS, p->arch.gic_target) | sgi);
}

/* --- the virtual CPU interface --- */

static uint64_t v2_read_lr(uint32_t n)
{
    uint32_t v = mmio_read32(gic.gich + GICH_LR + 4 * n);
    uint64_t lr = field_get(GICH_LR_VINTID, v) |
                  field_prep(GIC_LR_PRIORITY, field_get(GICH_LR_PRIORITY, v) << 3);

    if (v & GICH_LR_PENDING)
        lr |= GIC_LR_PENDING;
    if (v & GICH_LR_ACTIVE)
        lr |= GIC_LR_ACTIVE;
    if (v & GICH_LR_GROUP1)
        lr |= GIC_LR_GROUP1;
    if (v & GICH_LR_HW)
        return lr | GIC_LR_HW | field_prep(GIC_LR_PINTID, field_get(GICH_LR_PINTID, v));
    if (v & GICH_LR_EOI)
        lr |= GIC_LR_EOI;
    return lr | field_prep(GIC_LR_PINTID, field_get(GICH_LR_SOURCE, v));
}

static void v2_write_lr(uint32_t n, uint64_t lr)
{
    uint64_t v = field_prep(GICH_LR_VINTID, lr) |
                 field_prep(GICH_LR_PRIORITY, field_get(GIC_LR_PRIORITY, lr) >> 3);

    if (lr & GIC_LR_PENDING)
        v |= GICH_LR_PENDING;
    if (lr & GIC_LR_ACTIVE)
        v |= GICH_LR_ACTIVE;
    if (lr & GIC_LR_GROUP1)
        v |= GICH_LR_GROUP1;
    if (lr & GIC_LR_HW)
        v |= GICH_LR_HW | field_prep(GICH_LR_PINTID, field_get(GIC_LR_PINTID, lr));
    else
        v |= field_prep(GICH_LR_SOURCE, field_get(GIC_LR_PINTID & ~GIC_LR_EOI, lr)) |
             ((lr & GIC_LR_EOI) ? GICH_LR_EOI : 0);
    mmio_write32(gic.gich + GICH_LR + 4 * n, (uint32_t)v);
}

static uint32_t v2_empty_lrs(void)
{
    return mmio_read32(gic.gich + GICH_ELRSR);
}

static void v2_vcpu_save(struct vcpu *v)
{
    struct vgic_vcpu *vg = &v->arch.vgic;

    vg->vmcr = mmio_read32(gic.gich + GICH_VMCR);
    vg->apr0[0] = mmio_read32(gic.gich + GICH_APR);
    mmio_write32(gic.gich + GICH_HCR, 0);
}

static void v2_vcpu_load(struct vcpu *v)
{
    const struct vgic_vcpu *vg = &v->arch.vgic;

    mmio_write32(gic.gich + GICH_VMCR, vg->vmcr);
    mmio_write32(gic.gich + GICH_APR, vg->apr0[0]);
    mmio_write32(gic.gich + GICH_HCR, (uint32_t)GICH_HCR_EN);
}

static uint32_t v2_read_vmcr(void)
{
    return mmio_read32(gic.gich + GICH_VMCR);
}

static void v2_set_maintenance(uint32_t bits)
{
    uint64_t hcr = GICH_HCR_EN | gic_maintenance_bits(bits) |
                   (mmio_read32(gic.gich + GICH_HCR) & GICH_HCR_EOICOUNT);

    mmio_write32(gic.gich + GICH_HCR, (uint32_t)hcr);
}

static uint32_t v2_take_eoi_count(void)
{
    uint32_t hcr = mmio_read32(gic.gich + GICH_HCR);

    mmio_write32(gic.gich + GICH_HCR, hcr & ~(uint32_t)GICH_HCR_EOICOUNT);
    return (uint32_t)field_get(GICH_HCR_EOICOUNT, hcr);
}

static const struct gic_driver gicv2 = {
    .name = "GICv2",
    .version = 2,
    .pcpu_init = v2_pcpu_init,
    .acknowledge = v2_acknowledge,
    .drop = v2_drop,
    .deactivate = v2_deactivate,
    .enable = v2_enable,
    .disable = v2_disable,
    .set_edge = v2_set_edge,
    .set_affinity = v2_set_affinity,
    .set_active = v2_set_active,
    .send_sgi = v2_send_sgi,
    .read_lr = v2_read_lr,
    .write_lr = v2_write_lr,
    .empty_lrs = v2_empty_lrs,
    .vcpu_save = v2_vcpu_save,
    .vcpu_load = v2_vcpu_load,
    .read_vmcr = v2_read_vmcr,
    .set_maintenance = v2_set_maintenance,
    .take_eoi_count = v2_take_eoi_count,
};

/* --- the distributor --- */

/*
 * Boards with 64 KiB pages in mind lead the GIC-400's address lines up by four, so that each 4 KiB
 * page appears sixteen times and GICC_DIR is 64 KiB away. The last copy of the first page is next
 * to the first of the second.
 */
static uint64_t alias_offset(const struct gic_region *r, volatile uint8_t *p)
{
    if (r->size < GICC_ALIAS_BYTES)
        return 0;
    uint32_t iidr = mmio_read32(p + GICC_IIDR);
    if (iidr != 0 && iidr == mmio_read32(p + GICC_ALIAS_OFFSET + GICC_IIDR))
        return GICC_ALIAS_OFFSET;
    return 0;
}

static volatile uint8_t *map(const struct gic_region *r, uint64_t most)
{
    return (volatile uint8_t *)device_map(MADDR(r->base), min(r->size, most));
}

int gicv2_init(void)
{
    gic.driver = &gicv2;
    gic.gicd = map(&gic.dist, 0x1000);
    gic.gicc = map(&gic.cpu, GICC_ALIAS_BYTES);
    gic.gich = map(&gic.hyp, 0x1000);
    if (gic.gicd == NULL || gic.gicc == NULL || gic.gich == NULL) {
        log_err("GICv2: no memory to map its registers");
        return -ENODEV;
    }
    uint64_t offset = alias_offset(&gic.cpu, gic.gicc);
    gic.gicc += offset;
    gic.traps_dir = true; /* its page is not mapped to guests */
    gic.virt_offset = gic.virt.size >= GICC_ALIAS_BYTES ? offset : 0;

    uint32_t lines = (uint32_t)field_get(GICD_TYPER_LINES, mmio_read32(gic.gicd + GICD_TYPER));
    gic.nr_irqs = min(32 * (lines + 1), GIC_FIRST_SPECIAL);
    uint32_t vtr = mmio_read32(gic.gich + GICH_VTR);
    gic.nr_lrs = min((uint32_t)field_get(GICH_VTR_LISTREGS, vtr) + 1, (uint32_t)VGIC_MAX_LRS);

    mmio_write32(gic.gicd + GICD_CTLR, 0);
    gic_reset_spis();
    uint32_t here = 0;
    for (uint32_t i = 0; i < 32 && here == 0; i += 4)
        here = mmio_read32(gic.gicd + GICD_ITARGETSR + i);
    for (uint32_t i = GIC_FIRST_SPI; i < gic.nr_irqs; i += 4)
        mmio_write32(gic.gicd + GICD_ITARGETSR + i, here);
    mmio_write32(gic.gicd + GICD_CTLR, (uint32_t)GICD_CTLR_GRP0);
    return 0;
}
