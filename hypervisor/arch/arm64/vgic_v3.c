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

/* Registers that a guest reads once. */
static uint64_t __noinline dist_read_other(struct vcpu *v, uint32_t offset)
{
    const struct vgic *g = vgic_of(v);

    if (offset == GICD_CTLR)
        return GICD_CTLR_ARE | GICD_CTLR_DS | read_once(g->ctlr);
    if (offset == GICD_IIDR)
        return VGIC_IIDR;
    if (within(offset, GICD_IPRIORITYR + GIC_FIRST_SPI, GICD_ITARGETSR))
        return vgic_read_priority(v, NULL, offset - GICD_IPRIORITYR, 4);
    if (within(offset, GICD_ICFGR + GIC_FIRST_SPI / 4, GICD_IGRPMODR))
        return vgic_read_config(v, NULL, (offset - GICD_ICFGR) * 4);
    if (within(offset, GICD_IROUTER, GICD_IROUTER + 0x2000))
        return offset & 4 ? 0 : read_route(g, (offset - GICD_IROUTER) / 8);
    if (within(offset, GICD_V3_ID, GICR_FRAME))
        return ids[(offset - GICD_V3_ID) / 4];
    return 0;
}

static enum exit_action __noinline dist_write_other(struct vcpu *v, uint32_t offset, uint32_t value)
{
    if (offset == GICD_CTLR)
        vgic_write_ctlr(v, value & (uint32_t)(GICD_CTLR_GRP0 | GICD_CTLR_GRP1));
    else if (within(offset, GICD_IPRIORITYR + GIC_FIRST_SPI, GICD_ITARGETSR))
        vgic_write_priority(v, NULL, offset - GICD_IPRIORITYR, 4, value);
    else if (within(offset, GICD_ICFGR + GIC_FIRST_SPI / 4, GICD_IGRPMODR))
        vgic_write_config(v, NULL, (offset - GICD_ICFGR) * 4, value);
    else if (within(offset, GICD_IROUTER, GICD_IROUTER + 0x2000) && !(offset & 4))
        write_route(vgic_of(v), (offset - GICD_IROUTER) / 8, value);
    return EXIT_HANDLED;
}

/* Bytes of priorities, and whole routes. */
static enum exit_action __noinline dist_odd(struct vcpu *v, struct mmio_access *a)
{
    uint32_t offset = (uint32_t)a->offset;
    bool priority = a->size == 1 && within(offset, GICD_IPRIORITYR + GIC_FIRST_SPI, GICD_ITARGETSR);
    bool route =
        a->size == 8 && (offset & 7) == 0 && within(offset, GICD_IROUTER, GICD_IROUTER + 0x2000);

    if (priority && a->write)
        vgic_write_priority(v, NULL, offset - GICD_IPRIORITYR, 1, (uint32_t)a->value);
    else if (route && a->write)
        write_route(vgic_of(v), (offset - GICD_IROUTER) / 8, a->value);
    else if (!a->write)
        a->value = priority ? vgic_read_priority(v, NULL, offset - GICD_IPRIORITYR, 1)
                   : route  ? read_route(vgic_of(v), (offset - GICD_IROUTER) / 8)
                            : 0;
    return EXIT_HANDLED;
}

/* SGIs and PPIs are not seen here, but in redistributors. */
static bool is_spi_bits(uint32_t offset)
{
    return within(offset, GICD_IGROUPR, GICD_IPRIORITYR) && offset % 0x80 != 0;
}

static enum exit_action __noinline dist_read(struct vcpu *v, struct mmio_access *a)
{
    uint32_t offset = (uint32_t)a->offset;

    a->value = is_spi_bits(offset) ? vgic_read_bits(v, NULL, offset) : dist_read_other(v, offset);
    return EXIT_HANDLED;
}

/* Each way ends in a call of a function that returns here's value: none needs a frame of its own.
 */
static enum exit_action dist_access(struct vcpu *v, struct mmio_access *a, void *device)
{
    const struct vgic *g = device;
    uint32_t offset = (uint32_t)a->offset;

    if (unlikely(a->size != 4 || (offset & 3) != 0))
        return dist_odd(v, a);
    if (a->write) {
        if (likely(is_spi_bits(offset)))
            return vgic_write_bits(v, NULL, offset, (uint32_t)a->value);
        return dist_write_other(v, offset, (uint32_t)a->value);
    }
    if (offset != GICD_TYPER)
        return dist_read(v, a);
    a->value = g->typer;
    return EXIT_HANDLED;
}

/* --- redistributors --- */

static uint64_t redist_typer(const struct vgic *g, const struct vcpu *t)
{
    uint64_t mpidr = vgic_mpidr(t->id);

    return field_prep(GICR_TYPER_AFF, mpidr) | field_prep(GICR_TYPER_NUMBER, t->id) |
           (t->id + 1 == g->nr_vcpus ? GICR_TYPER_LAST : 0);
}

static uint64_t redist_read_word(struct vcpu *v, struct vcpu *t, uint32_t offset)
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
        return redist_typer(g, t) >> 32;
    case GICR_WAKER:
        return read_once(t->arch.vgic.asleep) ? GICR_WAKER_SLEEP | GICR_WAKER_ASLEEP : 0;
    case GICR_SGI(GICD_ICFGR):
        return vgic_read_config(v, t, 0);
    case GICR_SGI(GICD_ICFGR) + 4:
        return vgic_read_config(v, t, 16);
    default:
        return within(offset, GICR_ID, GICR_FRAME) ? ids[(offset - GICR_ID) / 4] : 0;
    }
}

static enum exit_action __noinline redist_read(struct vcpu *v, struct vcpu *t, uint32_t offset,
                                               struct mmio_access *a)
{
    a->value = redist_read_word(v, t, offset);
    return EXIT_HANDLED;
}

static enum exit_action __noinline redist_write_other(struct vcpu *v, struct vcpu *t,
                                                      uint32_t offset, uint32_t value)
{
    if (within(offset, GICR_SGI(GICD_IPRIORITYR), GICR_SGI(GICD_IPRIORITYR) + 32))
        vgic_write_priority(v, t, offset - GICR_SGI(GICD_IPRIORITYR), 4, value);
    else if (offset == GICR_SGI(GICD_ICFGR) + 4)
        vgic_write_config(v, t, 16, value);
    else if (offset == GICR_WAKER)
        write_once(t->arch.vgic.asleep, (value & GICR_WAKER_SLEEP) != 0);
    return EXIT_HANDLED;
}

/* Bytes of priorities, GICR_TYPER as a whole; and redistributors of vCPUs that there are not. */
static enum exit_action __noinline redist_odd(struct vcpu *v, struct vcpu *t, uint32_t offset,
                                              struct mmio_access *a)
{
    uint32_t first = GICR_SGI(GICD_IPRIORITYR);
    bool priority = t != NULL && a->size == 1 && within(offset, first, first + 32);
    bool typer = t != NULL && a->size == 8 && offset == GICR_TYPER;

    if (priority && a->write)
        vgic_write_priority(v, t, offset - first, 1, (uint32_t)a->value);
    else if (!a->write)
        a->value = priority ? vgic_read_priority(v, t, offset - first, 1)
                   : typer  ? redist_typer(vgic_of(v), t)
                            : 0;
    return EXIT_HANDLED;
}

static enum exit_action redist_access(struct vcpu *v, struct mmio_access *a, void *device)
{
    const struct vgic *g = device;
    uint32_t id = (uint32_t)(a->offset >> FRAMES_OF_VCPU_SHIFT);
    uint32_t offset = (uint32_t)a->offset & ((1u << FRAMES_OF_VCPU_SHIFT) - 1);
    struct vcpu *t = id < g->nr_vcpus ? g->domain->vcpus[id] : NULL;

    if (unlikely(t == NULL || a->size != 4 || (offset & 3) != 0))
        return redist_odd(v, t, offset, a);
    if (!a->write)
        return redist_read(v, t, offset, a);
    if (!within(offset, GICR_SGI(GICD_IGROUPR), GICR_SGI(GICD_IPRIORITYR)))
        return redist_write_other(v, t, offset, (uint32_t)a->value);
    if (offset % 0x80 != 0)
        return EXIT_HANDLED;
    return vgic_write_bits(v, t, offset - GICR_FRAME, (uint32_t)a->value);
}

int vgic_v3_map(struct domain *d, gaddr_t gicd, gaddr_t gicr, uint64_t gicr_bytes)
{
    uint64_t bytes = (uint64_t)d->arch.vgic.nr_vcpus << FRAMES_OF_VCPU_SHIFT;
    int rc;

    if (gicr_bytes < bytes)
        return -EINVAL;
    d->arch.vgic.typer =
        (uint32_t)(field_prep(GICD_TYPER_LINES, d->arch.vgic.nr_banks - 1) |
                   field_prep(GICD_TYPER_IDBITS, INTID_BITS - 1) | GICD_TYPER_NO1N);
    rc = mmio_add(d, gicd, GICR_FRAME, dist_access, &d->arch.vgic);
    if (rc == 0)
        rc = mmio_add(d, gicr, bytes, redist_access, &d->arch.vgic);
    return rc;
}
