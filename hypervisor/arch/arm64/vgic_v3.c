/* SPDX-License-Identifier: MIT */
/*
 * A guest's GICv3 (IHI 0069H chapter 12): distributor with affinity routing for good, one security
 * state, no LPIs; and a redistributor of two frames for each vCPU. The CPU interface is the
 * hardware's.
 *
 * Accesses: a word, a byte of IPRIORITYR, eight bytes of IROUTER and GICR_TYPER. Others, and
 * reserved registers, read as zero and ignore writes.
 */
#include <asm/gic.h>
#include <asm/vgic_model.h>
#include <hospes/errno.h>
#include <hospes/log.h>

#define FRAMES_OF_VCPU_SHIFT 17 /* RD_base and SGI_base */
#define INTID_BITS           10u

/* PIDR4 to 7, PIDR0 to 3, CIDR0 to 3: the values that IHI 0069H recommends. */
static const uint8_t ids[12] = { 0x44, 0, 0, 0, 0x92, 0xb4, 0x3b, 0, 0x0d, 0xf0, 0x05, 0xb1 };

static bool within(uint32_t offset, uint32_t from, uint32_t end)
{
    return offset - from < end - from;
}

/* --- distributor --- */

static uint32_t vcpu_of_affinity(const struct vgic *g, uint32_t affinity)
{
    uint32_t id = (affinity & 15) | affinity >> 8 << 4;

    return (affinity & 0xf0) == 0 && id < g->nr_vcpus ? id : VGIC_NO_VCPU;
}

static uint64_t read_route(const struct vgic *g, uint32_t intid)
{
    return intid >= GIC_FIRST_SPI && intid / 32 < g->nr_banks
               ? read_once(g->spi[intid / 32 - 1].route[intid % 32])
               : 0;
}

/* Affinity 3 and "any CPU" (IRM) do not exist here: GICD_TYPER says so. */
static void write_route(struct vgic *g, uint32_t intid, uint64_t value)
{
    if (intid < GIC_FIRST_SPI || intid >= GIC_FIRST_SPECIAL || intid / 32 >= g->nr_banks)
        return;
    uint32_t affinity = (uint32_t)field_get(GICD_IROUTER_AFF, value);

    spin_lock(&g->lock);
    g->spi[intid / 32 - 1].route[intid % 32] = affinity;
    vgic_retarget(g, intid / 32, intid % 32, vcpu_of_affinity(g, affinity));
    spin_unlock(&g->lock);
}

static uint32_t dist_read(struct vcpu *v, uint32_t offset)
{
    const struct vgic *g = vgic_of(v);

    switch (offset) {
    case GICD_CTLR:
        return (uint32_t)(GICD_CTLR_ARE | GICD_CTLR_DS) | read_once(g->ctlr);
    case GICD_TYPER:
        return (uint32_t)(field_prep(GICD_TYPER_LINES, g->nr_banks - 1) |
                          field_prep(GICD_TYPER_IDBITS, INTID_BITS - 1) | GICD_TYPER_NO1N);
    case GICD_IIDR:
        return VGIC_IIDR;
    default:
        break;
    }
    /* SGIs and PPIs are not seen here, but in redistributors. */
    if (within(offset, GICD_IGROUPR, GICD_IPRIORITYR))
        return offset % 0x80 != 0 ? vgic_read_bits(v, NULL, offset) : 0;
    if (within(offset, GICD_IPRIORITYR + GIC_FIRST_SPI, GICD_ITARGETSR))
        return vgic_read_priority(v, NULL, offset - GICD_IPRIORITYR, 4);
    if (within(offset, GICD_ICFGR + GIC_FIRST_SPI / 4, GICD_IGRPMODR))
        return vgic_read_config(v, NULL, (offset - GICD_ICFGR) * 4);
    if (within(offset, GICD_IROUTER, GICD_IROUTER + 0x2000))
        return offset & 4 ? 0 : (uint32_t)read_route(g, (offset - GICD_IROUTER) / 8);
    if (within(offset, GICD_V3_ID, GICR_FRAME))
        return ids[(offset - GICD_V3_ID) / 4];
    return 0;
}

static void dist_write(struct vcpu *v, uint32_t offset, uint32_t value)
{
    if (within(offset, GICD_IGROUPR, GICD_IPRIORITYR)) {
        if (offset % 0x80 != 0)
            vgic_write_bits(v, NULL, offset, value);
    } else if (offset == GICD_CTLR) {
        vgic_write_ctlr(v, value & (uint32_t)(GICD_CTLR_GRP0 | GICD_CTLR_GRP1));
    } else if (within(offset, GICD_IPRIORITYR + GIC_FIRST_SPI, GICD_ITARGETSR)) {
        vgic_write_priority(v, NULL, offset - GICD_IPRIORITYR, 4, value);
    } else if (within(offset, GICD_ICFGR + GIC_FIRST_SPI / 4, GICD_IGRPMODR)) {
        vgic_write_config(v, NULL, (offset - GICD_ICFGR) * 4, value);
    } else if (within(offset, GICD_IROUTER, GICD_IROUTER + 0x2000) && !(offset & 4)) {
        write_route(vgic_of(v), (offset - GICD_IROUTER) / 8, value);
    }
}

/* Bytes of priorities, and whole routes; *known is false for anything else. */
static uint64_t dist_odd(struct vcpu *v, const struct mmio_access *a)
{
    uint32_t offset = (uint32_t)a->offset;

    if (a->size == 1 && within(offset, GICD_IPRIORITYR + GIC_FIRST_SPI, GICD_ITARGETSR)) {
        if (!a->write)
            return vgic_read_priority(v, NULL, offset - GICD_IPRIORITYR, 1);
        vgic_write_priority(v, NULL, offset - GICD_IPRIORITYR, 1, (uint32_t)a->value);
    } else if (a->size == 8 && within(offset, GICD_IROUTER, GICD_IROUTER + 0x2000) &&
               !(offset & 7)) {
        if (!a->write)
            return read_route(vgic_of(v), (offset - GICD_IROUTER) / 8);
        write_route(vgic_of(v), (offset - GICD_IROUTER) / 8, a->value);
    }
    return 0;
}

static enum exit_action dist_access(struct vcpu *v, struct mmio_access *a, void *device)
{
    uint32_t offset = (uint32_t)a->offset;

    (void)device;
    if (unlikely(a->size != 4 || (offset & 3) != 0)) {
        uint64_t value = dist_odd(v, a);
        if (!a->write)
            a->value = value;
    } else if (a->write) {
        dist_write(v, offset, (uint32_t)a->value);
    } else {
        a->value = dist_read(v, offset);
    }
    return EXIT_HANDLED;
}

/* --- redistributors --- */

static uint64_t redist_typer(const struct vgic *g, const struct vcpu *t)
{
    uint64_t mpidr = vgic_mpidr(t->id);

    return field_prep(GICR_TYPER_AFF, mpidr) | field_prep(GICR_TYPER_NUMBER, t->id) |
           (t->id + 1 == g->nr_vcpus ? GICR_TYPER_LAST : 0);
}

static uint32_t redist_read(struct vcpu *v, struct vcpu *t, uint32_t offset)
{
    const struct vgic *g = vgic_of(v);

    if (within(offset, GICR_SGI(GICD_IGROUPR), GICR_SGI(GICD_IPRIORITYR)))
        return offset % 0x80 == 0 ? vgic_read_bits(v, t, offset - GICR_FRAME) : 0;
    if (within(offset, GICR_SGI(GICD_IPRIORITYR), GICR_SGI(GICD_IPRIORITYR) + 32))
        return vgic_read_priority(v, t, offset - GICR_SGI(GICD_IPRIORITYR), 4);
    switch (offset) {
    case GICR_IIDR:
        return VGIC_IIDR;
    case GICR_TYPER:
        return (uint32_t)redist_typer(g, t);
    case GICR_TYPER + 4:
        return (uint32_t)(redist_typer(g, t) >> 32);
    case GICR_WAKER:
        return read_once(t->arch.vgic.asleep) ? (uint32_t)(GICR_WAKER_SLEEP | GICR_WAKER_ASLEEP)
                                              : 0;
    case GICR_SGI(GICD_ICFGR):
        return vgic_read_config(v, t, 0);
    case GICR_SGI(GICD_ICFGR) + 4:
        return vgic_read_config(v, t, 16);
    default:
        return within(offset, GICR_ID, GICR_FRAME) ? ids[(offset - GICR_ID) / 4] : 0;
    }
}

static void redist_write(struct vcpu *v, struct vcpu *t, uint32_t offset, uint32_t value)
{
    if (within(offset, GICR_SGI(GICD_IGROUPR), GICR_SGI(GICD_IPRIORITYR))) {
        if (offset % 0x80 == 0)
            vgic_write_bits(v, t, offset - GICR_FRAME, value);
    } else if (within(offset, GICR_SGI(GICD_IPRIORITYR), GICR_SGI(GICD_IPRIORITYR) + 32)) {
        vgic_write_priority(v, t, offset - GICR_SGI(GICD_IPRIORITYR), 4, value);
    } else if (offset == GICR_SGI(GICD_ICFGR) + 4) {
        vgic_write_config(v, t, 16, value);
    } else if (offset == GICR_WAKER) {
        write_once(t->arch.vgic.asleep, (value & GICR_WAKER_SLEEP) != 0);
    }
}

static uint64_t redist_odd(struct vcpu *v, struct vcpu *t, uint32_t offset,
                           const struct mmio_access *a)
{
    if (a->size == 1 && within(offset, GICR_SGI(GICD_IPRIORITYR), GICR_SGI(GICD_IPRIORITYR) + 32)) {
        if (!a->write)
            return vgic_read_priority(v, t, offset - GICR_SGI(GICD_IPRIORITYR), 1);
        vgic_write_priority(v, t, offset - GICR_SGI(GICD_IPRIORITYR), 1, (uint32_t)a->value);
    } else if (a->size == 8 && offset == GICR_TYPER) {
        return redist_typer(vgic_of(v), t);
    }
    return 0;
}

static enum exit_action redist_access(struct vcpu *v, struct mmio_access *a, void *device)
{
    uint32_t id = (uint32_t)(a->offset >> FRAMES_OF_VCPU_SHIFT);
    uint32_t offset = (uint32_t)a->offset & ((1u << FRAMES_OF_VCPU_SHIFT) - 1);
    const struct vgic *g = vgic_of(v);
    struct vcpu *t = id < g->nr_vcpus ? g->domain->vcpus[id] : NULL;

    (void)device;
    if (unlikely(t == NULL)) {
        if (!a->write)
            a->value = 0;
    } else if (unlikely(a->size != 4 || (offset & 3) != 0)) {
        uint64_t value = redist_odd(v, t, offset, a);
        if (!a->write)
            a->value = value;
    } else if (a->write) {
        redist_write(v, t, offset, (uint32_t)a->value);
    } else {
        a->value = redist_read(v, t, offset);
    }
    return EXIT_HANDLED;
}

int vgic_v3_map(struct domain *d, gaddr_t gicd, gaddr_t gicr, uint64_t gicr_bytes)
{
    uint64_t bytes = (uint64_t)d->arch.vgic.nr_vcpus << FRAMES_OF_VCPU_SHIFT;
    int rc;

    if (gicr_bytes < bytes)
        return -EINVAL;
    rc = mmio_add(d, gicd, GICR_FRAME, dist_access, &d->arch.vgic);
    if (rc == 0)
        rc = mmio_add(d, gicr, bytes, redist_access, &d->arch.vgic);
    return rc;
}
