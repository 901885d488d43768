/* SPDX-License-Identifier: MIT */
/*
 * The virtual GIC: its life, and what comes in: lines, edges, physical interrupts, SGIs. List
 * registers are in vgic_lr.c, registers in vgic_regs.c, vgic_v2.c and vgic_v3.c.
 */
#include <asm/gic.h>
#include <asm/vgic_model.h>
#include <hospes/errno.h>
#include <hospes/heap.h>
#include <hospes/irq.h>
#include <hospes/log.h>
#include <lib/format.h>

/* --- life --- */

int vgic_init(struct domain *d, uint32_t nr_spis)
{
    struct vgic *g = &d->arch.vgic;

    if (gic.driver->version == 2 && d->max_vcpus > VGIC_V2_VCPUS)
        return -EINVAL;
    nr_spis = min(nr_spis, (uint32_t)VGIC_MAX_SPIS);
    g->lock = SPINLOCK_INIT(LOCK_VGIC);
    g->domain = d;
    g->version = gic.driver->version;
    g->nr_vcpus = d->max_vcpus;
    g->nr_banks = 1 + (nr_spis + 31) / 32;
    g->ctlr = 0;
    g->spi = NULL;
    if (g->nr_banks == 1)
        return 0;
    g->spi = heap_calloc(g->nr_banks - 1, sizeof(*g->spi));
    if (g->spi == NULL)
        return -ENOMEM;
    for (uint32_t n = 1; n < g->nr_banks; n++) {
        struct vgic_bank *b = &g->spi[n - 1];
        b->group1 = g->version == 3 ? ~0u : 0;
        for (uint32_t i = 0; i < 32; i++)
            b->route[i] = g->version == 3 ? 0 : 1; /* vCPU 0 */
    }
    return 0;
}

void vgic_destroy(struct domain *d)
{
    heap_free(d->arch.vgic.spi);
    d->arch.vgic.spi = NULL;
    d->arch.vgic.nr_banks = 0;
}

int vgic_vcpu_init(struct vcpu *v)
{
    struct vgic_vcpu *vg = &v->arch.vgic;

    vg->lock = SPINLOCK_INIT(LOCK_VGIC_VCPU);
    vg->priv.edge = 0xffff;
    vg->priv.group1 = gic.driver->version == 3 ? ~0u : 0;
    vg->asleep = true;
    return 0;
}

/*
 * Guests of Xen are told that it is a level, and configure it so. Then being pended again while it
 * is active could not be told from not having been acknowledged yet.
 */
void vgic_set_pulse(struct vcpu *v, uint32_t intid)
{
    struct vgic_bank *b = &v->arch.vgic.priv;

    b->pulse |= (uint32_t)1 << intid;
    b->edge |= (uint32_t)1 << intid;
}

void vgic_vcpu_reset(struct vcpu *v)
{
    struct vgic_vcpu *vg = &v->arch.vgic;

    /* The CPU interface only: redistributor and distributor do not lose power with a CPU. */
    vg->vmcr = 0;
    for (uint32_t i = 0; i < 4; i++)
        vg->apr0[i] = vg->apr1[i] = 0;
}

int vgic_map(struct domain *d, gaddr_t gicd, gaddr_t second, uint64_t second_bytes)
{
    if (d->arch.vgic.version == 3)
        return vgic_v3_map(d, gicd, second, second_bytes);
    return vgic_v2_map(d, gicd, second, second_bytes);
}

/* --- what comes in --- */

void vgic_notify(struct vcpu *v, uint32_t n)
{
    __atomic_fetch_or(&v->arch.vgic.todo, BIT(n), __ATOMIC_RELEASE);
    vcpu_kick(v);
}

void vgic_resync(struct vcpu *v)
{
    __atomic_fetch_or(&v->arch.vgic.todo, VGIC_RESYNC, __ATOMIC_RELEASE);
    vcpu_kick(v);
}

void vgic_offer(struct vgic *g, struct vcpu *t, uint32_t n, uint32_t bits)
{
    const struct vgic_bank *b = vgic_bank(g, t, n);

    bits &= vgic_pending(b) & b->enabled & vgic_in_groups(g, b);
    if (bits == 0)
        return;
    if (n == 0) {
        vgic_notify(t, 0);
        return;
    }
    uint32_t last = VGIC_NO_VCPU;
    for (; bits != 0; bits &= bits - 1) {
        /* Whose list register has it must let go of it first, or show it as active and pending. */
        uint32_t i = bit_lowest(bits);
        uint32_t target = (b->in_lr & (uint32_t)1 << i) ? b->owner[i] : b->target[i];
        if (target != last && target < g->nr_vcpus && g->domain->vcpus[target] != NULL)
            vgic_notify(g->domain->vcpus[target], n);
        last = target;
    }
}

void vgic_release_physical(struct vcpu *v, struct vcpu *t, uint32_t n, uint32_t bits)
{
    struct vgic_bank *b = vgic_bank(vgic_of(v), t, n);

    bits &= b->tied & b->fired & ~b->latched;
    if (bits == 0)
        return;
    if (n == 0 && t != v && t->arch.vgic.loaded) {
        /* The line is that of another pCPU, which has to do it. */
        t->arch.vgic.unfire |= bits;
        vgic_resync(t);
        return;
    }
    b->fired &= ~bits;
    if (n == 0 && !t->arch.vgic.loaded)
        return; /* it is inactive, and was to be activated when `t` is loaded */
    for (; bits != 0; bits &= bits - 1)
        gic.driver->set_active(b->irq[bit_lowest(bits)], false);
}

/* True if the domain has `intid`, of `v` if it is not an SPI. */
static bool exists(const struct vgic *g, const struct vcpu *v, uint32_t intid)
{
    return intid / 32 < g->nr_banks && intid < GIC_FIRST_SPECIAL &&
           (intid >= GIC_FIRST_SPI || v != NULL);
}

void vgic_set_line(struct domain *d, struct vcpu *v, uint32_t intid, bool level)
{
    struct vgic *g = &d->arch.vgic;
    uint32_t n = intid / 32, i = intid % 32, bit = (uint32_t)1 << i;

    if (!exists(g, v, intid))
        return;
    struct vgic_bank *b = vgic_bank(g, v, n);
    spin_lock(vgic_bank_lock(g, v, n));
    bool was = (b->line & bit) != 0;
    if (level != was) {
        b->line ^= bit;
        if (level) {
            if (b->edge & bit)
                b->latched |= bit;
            vgic_offer(g, v, n, bit);
        } else if (b->in_lr & ~b->edge & bit) {
            /* If it waits there it must not be taken any more. */
            vgic_resync(n == 0 ? v : d->vcpus[b->owner[i]]);
        }
    }
    spin_unlock(vgic_bank_lock(g, v, n));
}

/*
 * An edge of an interrupt of `v`'s own, whose lock is held. `here`: it is loaded on this pCPU,
 * where a free list register takes what can be taken at once.
 */
static void pend_private(struct vgic *g, struct vcpu *v, uint32_t intid, bool here)
{
    struct vgic_bank *b = &v->arch.vgic.priv;
    uint32_t bit = (uint32_t)1 << intid % 32; /* of its first bank */

    if (here && (b->enabled & vgic_in_groups(g, b) & bit) && vgic_show(v, b, intid, 0))
        return;
    b->latched |= bit;
    vgic_offer(g, v, 0, bit);
}

/* What was shown at once woke nobody: a vCPU stays loaded while its pCPU idles. No lock held. */
static void wake_if_blocked(struct vcpu *v)
{
    if (unlikely(read_once(v->blocked)))
        vcpu_kick(v);
}

void vgic_pend(struct domain *d, struct vcpu *v, uint32_t intid, const struct vcpu *here)
{
    struct vgic *g = &d->arch.vgic;
    uint32_t n = intid / 32, bit = (uint32_t)1 << (intid % 32);

    if (!exists(g, v, intid))
        return;
    spin_lock(vgic_bank_lock(g, v, n));
    if (n == 0) {
        pend_private(g, v, intid, v == here);
    } else {
        vgic_bank(g, v, n)->latched |= bit;
        vgic_offer(g, v, n, bit);
    }
    spin_unlock(vgic_bank_lock(g, v, n));
    if (n == 0)
        wake_if_blocked(v);
}

void vgic_tie(struct domain *d, struct vcpu *v, uint32_t virq, uint32_t irq)
{
    struct vgic *g = &d->arch.vgic;
    uint32_t n = virq / 32, i = virq % 32;

    if (!exists(g, v, virq))
        return;
    struct vgic_bank *b = vgic_bank(g, v, n);
    spin_lock(vgic_bank_lock(g, v, n));
    b->tied |= (uint32_t)1 << i;
    b->irq[i] = (uint16_t)irq;
    spin_unlock(vgic_bank_lock(g, v, n));
}

void vgic_untie(struct domain *d, struct vcpu *v, uint32_t virq)
{
    struct vgic *g = &d->arch.vgic;
    uint32_t n = virq / 32, bit = (uint32_t)1 << (virq % 32);

    if (!exists(g, v, virq))
        return;
    struct vgic_bank *b = vgic_bank(g, v, n);
    spin_lock(vgic_bank_lock(g, v, n));
    b->tied &= ~bit;
    b->fired &= ~bit;
    spin_unlock(vgic_bank_lock(g, v, n));
}

/* A physical interrupt of `v`'s own. */
static void inject_private(struct vgic *g, struct vcpu *v, uint32_t ppi, bool here)
{
    struct vgic_vcpu *vg = &v->arch.vgic;
    struct vgic_bank *b = &vg->priv;
    uint32_t bit = (uint32_t)1 << (ppi % 32);

    spin_lock(&vg->lock);
    b->fired |= bit & b->tied;
    pend_private(g, v, ppi, here);
    spin_unlock(&vg->lock);
    wake_if_blocked(v);
}

/* True if SPI `i` of bank `b`, LOCK_VGIC held, could be shown to `v` at once. */
static bool show_spi(struct vgic *g, struct vcpu *v, struct vgic_bank *b, uint32_t intid)
{
    if (!(b->enabled & vgic_in_groups(g, b) & (uint32_t)1 << (intid % 32)))
        return false;
    spin_lock(&v->arch.vgic.lock);
    bool shown = vgic_show(v, b, intid, 0);
    spin_unlock(&v->arch.vgic.lock);
    if (shown)
        wake_if_blocked(v);
    return shown;
}

struct vcpu *vgic_inject(struct domain *d, struct vcpu *v, uint32_t virq, struct vcpu *here)
{
    struct vgic *g = &d->arch.vgic;
    uint32_t n = virq / 32, i = virq % 32, bit = (uint32_t)1 << i;

    if (!exists(g, v, virq))
        return NULL;
    if (n == 0) {
        inject_private(g, v, virq, v == here);
        return v;
    }
    struct vgic_bank *b = vgic_bank(g, NULL, n);
    spin_lock(&g->lock);
    b->fired |= bit & b->tied;
    struct vcpu *target = b->target[i] < g->nr_vcpus ? d->vcpus[b->target[i]] : NULL;
    if (target == NULL || target != here || !show_spi(g, target, b, virq)) {
        b->latched |= bit;
        vgic_offer(g, NULL, n, bit);
    }
    spin_unlock(&g->lock);
    return target;
}

void vgic_inject_saved(struct vcpu *v, uint32_t ppi)
{
    struct vgic_vcpu *vg = &v->arch.vgic;
    uint32_t bit = (uint32_t)1 << ppi;

    spin_lock(&vg->lock);
    if (!vg->loaded && (vg->priv.tied & ~vg->priv.fired & bit)) {
        vg->priv.latched |= bit;
        vg->priv.fired |= bit;
        vgic_offer(vgic_of(v), v, 0, bit);
    }
    spin_unlock(&vg->lock);
}

bool vgic_fired(const struct vcpu *v, uint32_t virq)
{
    return (read_once(v->arch.vgic.priv.fired) & (uint32_t)1 << virq) != 0;
}

/* --- SGIs by system register --- */

/* `v` sends SGI `intid` to `t`; with `group0_only` only if it is of group 0 there. */
static void pend_sgi(struct vcpu *v, struct vcpu *t, uint32_t intid, bool group0_only)
{
    struct vgic *g = vgic_of(v);
    struct vgic_vcpu *vg = &t->arch.vgic;
    struct vgic_bank *b = &vg->priv;
    uint32_t bit = (uint32_t)1 << intid;

    spin_lock(&vg->lock);
    if (likely(!group0_only || !(b->group1 & bit)))
        pend_private(g, t, intid, t == v);
    spin_unlock(&vg->lock);
}

static void __noinline write_sgir(struct vcpu *v, uint64_t value, bool group0_only)
{
    struct vgic *g = vgic_of(v);
    uint32_t intid = (uint32_t)field_get(ICC_SGIR_INTID, value);

    if (value & ICC_SGIR_IRM) {
        for (uint32_t i = 0; i < g->nr_vcpus; i++)
            if (i != v->id && g->domain->vcpus[i] != NULL)
                pend_sgi(v, g->domain->vcpus[i], intid, group0_only);
        return;
    }
    uint32_t targets = (uint32_t)field_get(ICC_SGIR_TARGETS, value);
    /* Affinities that none of our vCPUs has: see vgic_mpidr(). */
    if ((value & (ICC_SGIR_AFF3 | ICC_SGIR_AFF2 | ICC_SGIR_RS)) != 0)
        return;
    uint32_t first = (uint32_t)field_get(ICC_SGIR_AFF1, value) * 16;
    for (; targets != 0; targets &= targets - 1) {
        uint32_t i = first + bit_lowest(targets);
        if (i >= g->nr_vcpus)
            return;
        if (g->domain->vcpus[i] != NULL)
            pend_sgi(v, g->domain->vcpus[i], intid, group0_only);
    }
}

void vgic_write_sgi1r(struct vcpu *v, uint64_t value)
{
    if (value & (ICC_SGIR_IRM | ICC_SGIR_TARGETS))
        write_sgir(v, value, false);
}

void vgic_write_sgi0r(struct vcpu *v, uint64_t value)
{
    if (value & (ICC_SGIR_IRM | ICC_SGIR_TARGETS))
        write_sgir(v, value, true);
}

/* --- for the console's debug keys --- */

static void dump_bank(const char *whose, uint32_t n, const struct vgic_bank *b)
{
    if ((b->enabled | b->latched | b->line | b->active | b->in_lr) == 0)
        return;
    log_info("  %s%u-%u: enabled %08x latched %08x line %08x active %08x in LR %08x fired %08x",
             whose, 32 * n, 32 * n + 31, b->enabled, b->latched, b->line, b->active, b->in_lr,
             b->fired);
}

void vgic_dump(struct domain *d)
{
    struct vgic *g = &d->arch.vgic;
    struct vcpu *v;
    uint32_t i;

    log_info("GICv%u of d%u: CTLR 0x%x", g->version, d->id, g->ctlr);
    for (uint32_t n = 1; n < g->nr_banks; n++)
        dump_bank("", n, &g->spi[n - 1]);
    domain_for_each_vcpu (d, v, i) {
        const struct vgic_vcpu *vg = &v->arch.vgic;
        char whose[16];

        format(whose, sizeof(whose), "v%u ", v->id);
        dump_bank(whose, 0, &vg->priv);
        for (uint32_t used = vg->lr_used; used != 0; used &= used - 1)
            log_info("  %sLR%u as written: 0x%lx", whose, bit_lowest(used),
                     vg->lr[bit_lowest(used)]);
    }
}
