/* SPDX-License-Identifier: MIT */
/*
 * A guest's GICv2 distributor (IHI 0048B chapter 4). Its CPU interface is the machine's GICV,
 * mapped.
 *
 * Accesses: a word anywhere, a byte of IPRIORITYR, ITARGETSR, CPENDSGIR and SPENDSGIR. Others, and
 * reserved registers, read as zero and ignore writes.
 */
#include <asm/gic.h>
#include <asm/vgic_model.h>
#include <hospes/errno.h>

#define DIST_BYTES 0x1000u

/* ICPIDR4 to 7, 0 to 3, ICCIDR0 to 3: a GIC-400's. */
static const uint8_t ids[12] = { 0x04, 0, 0, 0, 0x90, 0xb4, 0x2b, 0, 0x0d, 0xf0, 0x05, 0xb1 };

static bool within(uint32_t offset, uint32_t from, uint32_t end)
{
    return offset - from < end - from;
}

/* --- ITARGETSR: with one vCPU it is all zero --- */

static uint8_t read_target(const struct vcpu *v, uint32_t intid)
{
    const struct vgic *g = vgic_of(v);

    if (g->nr_vcpus == 1 || intid / 32 >= g->nr_banks)
        return 0;
    if (intid < GIC_FIRST_SPI)
        return (uint8_t)(1u << v->id);
    return (uint8_t)read_once(g->spi[intid / 32 - 1].route[intid % 32]);
}

static void write_target(struct vcpu *v, uint32_t intid, uint32_t mask)
{
    struct vgic *g = vgic_of(v);

    if (g->nr_vcpus == 1 || intid / 32 >= g->nr_banks || intid < GIC_FIRST_SPI ||
        intid >= GIC_FIRST_SPECIAL)
        return;
    mask &= (1u << g->nr_vcpus) - 1;
    spin_lock(&g->lock);
    g->spi[intid / 32 - 1].route[intid % 32] = mask;
    vgic_retarget(g, intid / 32, intid % 32, mask != 0 ? bit_lowest(mask) : VGIC_NO_VCPU);
    spin_unlock(&g->lock);
}

/* --- SGIs --- */

static void pend_sgi(struct vcpu *v, struct vcpu *t, uint32_t intid)
{
    struct vgic_vcpu *vg = &t->arch.vgic;
    uint32_t bit = (uint32_t)1 << intid;

    spin_lock(&vg->lock);
    if (t != v || vg->sgi_sources[intid] != 0 ||
        !(vg->priv.enabled & vgic_in_groups(vgic_of(v), &vg->priv) & bit) ||
        !vgic_show(v, &vg->priv, intid, v->id)) {
        vg->sgi_sources[intid] |= (uint8_t)(1u << v->id);
        vg->priv.latched |= bit;
        vgic_offer(vgic_of(v), t, 0, bit);
    }
    spin_unlock(&vg->lock);
}

static void write_sgir(struct vcpu *v, uint32_t value)
{
    const struct vgic *g = vgic_of(v);
    uint32_t intid = (uint32_t)field_get(GICD_SGIR_INTID, value);
    uint32_t targets;

    switch (field_get(GICD_SGIR_FILTER, value)) {
    case 0:
        targets = (uint32_t)field_get(GICD_SGIR_TARGETS, value);
        break;
    case 1:
        targets = ~(1u << v->id);
        break;
    case 2:
        targets = 1u << v->id;
        break;
    default:
        return;
    }
    for (targets &= (1u << g->nr_vcpus) - 1; targets != 0; targets &= targets - 1) {
        struct vcpu *t = g->domain->vcpus[bit_lowest(targets)];
        if (t != NULL)
            pend_sgi(v, t, intid);
    }
}

/* CPENDSGIR and SPENDSGIR: who sent SGI `intid` to this vCPU. */
static uint8_t read_sources(struct vcpu *v, uint32_t intid)
{
    struct vgic_stopped s;

    vgic_stop(v, v, 0, 1u << intid, &s);
    uint8_t sources = v->arch.vgic.sgi_sources[intid];
    vgic_resume(v, v, 0, &s);
    return sources;
}

static void write_sources(struct vcpu *v, uint32_t intid, uint32_t mask, bool set)
{
    struct vgic_vcpu *vg = &v->arch.vgic;
    struct vgic_stopped s;
    uint32_t bit = 1u << intid;

    mask &= (1u << vgic_of(v)->nr_vcpus) - 1;
    if (mask == 0)
        return;
    struct vgic_bank *b = vgic_stop(v, v, 0, bit, &s);
    if (set)
        vg->sgi_sources[intid] |= (uint8_t)mask;
    else
        vg->sgi_sources[intid] &= (uint8_t)~mask;
    b->latched = vg->sgi_sources[intid] != 0 ? b->latched | bit : b->latched & ~bit;
    vgic_offer(vgic_of(v), v, 0, bit);
    vgic_resume(v, v, 0, &s);
}

/* --- registers with a byte for each interrupt --- */

static bool is_bytes(uint32_t offset)
{
    return within(offset, GICD_IPRIORITYR, GICD_ICFGR) ||
           within(offset, GICD_CPENDSGIR, GICD_SPENDSGIR + GIC_NR_SGIS);
}

static uint8_t read_byte(struct vcpu *v, uint32_t offset)
{
    if (offset < GICD_ITARGETSR)
        return (uint8_t)vgic_read_priority(v, v, offset - GICD_IPRIORITYR, 1);
    if (offset < GICD_ICFGR)
        return read_target(v, offset - GICD_ITARGETSR);
    return read_sources(v, (offset - GICD_CPENDSGIR) % GIC_NR_SGIS);
}

static void write_byte(struct vcpu *v, uint32_t offset, uint8_t value)
{
    if (offset < GICD_ITARGETSR)
        vgic_write_priority(v, v, offset - GICD_IPRIORITYR, 1, value);
    else if (offset < GICD_ICFGR)
        write_target(v, offset - GICD_ITARGETSR, value);
    else
        write_sources(v, (offset - GICD_CPENDSGIR) % GIC_NR_SGIS, value, offset >= GICD_SPENDSGIR);
}

static enum exit_action __noinline access_bytes(struct vcpu *v, struct mmio_access *a)
{
    uint32_t offset = (uint32_t)a->offset;
    uint64_t value = 0;

    for (uint32_t i = 0; i < a->size; i++) {
        if (a->write)
            write_byte(v, offset + i, (uint8_t)(a->value >> (8 * i)));
        else
            value |= (uint64_t)read_byte(v, offset + i) << (8 * i);
    }
    if (!a->write)
        a->value = value;
    return EXIT_HANDLED;
}

/* --- the distributor --- */

static uint32_t dist_read_word(struct vcpu *v, uint32_t offset)
{
    const struct vgic *g = vgic_of(v);

    if (within(offset, GICD_IGROUPR, GICD_IPRIORITYR))
        return vgic_read_bits(v, v, offset);
    if (offset == GICD_CTLR)
        return read_once(g->ctlr);
    if (offset == GICD_IIDR)
        return VGIC_IIDR;
    if (within(offset, GICD_ICFGR, GICD_IGRPMODR))
        return vgic_read_config(v, v, (offset - GICD_ICFGR) * 4);
    if (within(offset, GICD_V2_ID, DIST_BYTES))
        return ids[(offset - GICD_V2_ID) / 4];
    return 0;
}

static enum exit_action __noinline dist_read(struct vcpu *v, struct mmio_access *a)
{
    a->value = dist_read_word(v, (uint32_t)a->offset);
    return EXIT_HANDLED;
}

static enum exit_action __noinline dist_write_other(struct vcpu *v, uint32_t offset, uint32_t value)
{
    if (offset == GICD_SGIR)
        write_sgir(v, value);
    else if (offset == GICD_CTLR)
        vgic_write_ctlr(v, value & (uint32_t)(GICD_CTLR_GRP0 | GICD_CTLR_GRP1));
    else if (within(offset, GICD_ICFGR, GICD_IGRPMODR))
        vgic_write_config(v, v, (offset - GICD_ICFGR) * 4, value);
    return EXIT_HANDLED;
}

/* Of another width than a word. */
static enum exit_action __noinline dist_odd(struct vcpu *v, struct mmio_access *a)
{
    if (a->size == 1 && is_bytes((uint32_t)a->offset))
        return access_bytes(v, a);
    if (!a->write)
        a->value = 0;
    return EXIT_HANDLED;
}

static enum exit_action dist_access(struct vcpu *v, struct mmio_access *a, void *device)
{
    const struct vgic *g = device;
    uint32_t offset = (uint32_t)a->offset;

    if (unlikely(a->size != 4 || (offset & 3) != 0))
        return dist_odd(v, a);
    if (is_bytes(offset))
        return access_bytes(v, a);
    if (a->write) {
        if (within(offset, GICD_IGROUPR, GICD_IPRIORITYR))
            return vgic_write_bits(v, v, offset, (uint32_t)a->value);
        return dist_write_other(v, offset, (uint32_t)a->value);
    }
    if (offset != GICD_TYPER)
        return dist_read(v, a);
    a->value = g->typer;
    return EXIT_HANDLED;
}

/* GICC_DIR, alone in its page: the hardware's would deactivate nothing that is not in a list
 * register. */
static enum exit_action dir_access(struct vcpu *v, struct mmio_access *a, void *device)
{
    (void)device;
    if (!a->write)
        a->value = 0;
    else if (a->size == 4 && a->offset % FRAME_SIZE == 0)
        vgic_write_dir(v, a->value & GIC_INTID);
    return EXIT_HANDLED;
}

/*
 * GICC: a page of the machine's GICV and one with GICC_DIR; or, where a guest's tree says that
 * there are as many copies of each as on the board, all of them.
 */
int vgic_v2_map(struct domain *d, gaddr_t gicd, gaddr_t gicc, uint64_t gicc_bytes)
{
    struct vgic *g = &d->arch.vgic;
    uint64_t offset = gic.virt_offset, bytes = FRAME_SIZE;

    if (gicc_bytes < 2 * FRAME_SIZE)
        return -EINVAL;
    if (gicc_bytes >= GICC_ALIAS_BYTES && offset != 0) {
        offset = 0;
        bytes = GICC_ALIAS_BYTES / 2;
    }
    g->typer = (uint32_t)(field_prep(GICD_TYPER_LINES, g->nr_banks - 1) |
                          field_prep(GICD_TYPER_CPUS, g->nr_vcpus - 1));
    int rc = mmio_add(d, gicd, DIST_BYTES, dist_access, g);
    if (rc == 0)
        rc = mmio_add(d, gaddr_add(gicc, bytes), bytes, dir_access, g);
    if (rc != 0)
        return rc;
    return p2m_map(d, gaddr_to_gfn(gicc), maddr_to_mfn(MADDR(gic.virt.base + offset)),
                   bytes >> FRAME_SHIFT, P2M_DEVICE);
}
