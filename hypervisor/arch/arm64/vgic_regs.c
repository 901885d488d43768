/* SPDX-License-Identifier: MIT */
/*
 * Registers that the distributors of both versions and the GICv3 redistributor share (IHI
 * 0048B 4.3, IHI 0069H 12.9): a bit, two bits or a byte for each interrupt.
 */
#include <asm/gic.h>
#include <asm/vgic_model.h>
#include <asm/vtimer.h>
#include <hospes/irq.h>

/* Bits of words that stand for SGIs. */
#define SGIS 0xffffu

/* Those whose pending bits can be written: v2's SGIs have SPENDSGIR and CPENDSGIR instead. */
static uint32_t written_pending(const struct vgic *g, uint32_t n)
{
    return n == 0 && g->version == 2 ? ~SGIS : ~0u;
}

/* Interrupts of bank `n` that exist: not the special numbers at the end. */
static uint32_t existing(uint32_t n)
{
    return n == GIC_FIRST_SPECIAL / 32 ? ((uint32_t)1 << GIC_FIRST_SPECIAL % 32) - 1 : ~0u;
}

/* --- tied interrupts: the physical side follows --- */

static void physical_enable(struct vgic *g, struct vgic_bank *b, uint32_t bits)
{
    for (bits &= b->tied; bits != 0; bits &= bits - 1) {
        uint32_t i = bit_lowest(bits), target = b->target[i];
        const struct vcpu *t = target < g->nr_vcpus ? g->domain->vcpus[target] : NULL;
        const struct pcpu *p = t != NULL ? read_once(t->sched.pcpu) : NULL;
        irq_guest_enable(b->irq[i], p != NULL ? p->id : 0);
    }
}

static void physical_disable(const struct vgic_bank *b, uint32_t bits)
{
    for (bits &= b->tied; bits != 0; bits &= bits - 1)
        irq_guest_disable(b->irq[bit_lowest(bits)]);
}

/* --- a bit for each --- */

/*
 * Timers' lines are known where the timers are: what a past one left pending goes, one that is due
 * shows even while its interrupt is active.
 */
static uint32_t timers_pending(struct vcpu *v, uint32_t value)
{
    for (uint32_t bits = v->arch.vgic.priv.tied; bits != 0; bits &= bits - 1) {
        uint32_t i = bit_lowest(bits), bit = (uint32_t)1 << i;
        if (vtimer_pending(v, i))
            value |= bit;
        else if (vgic_timer_went(v, i))
            value &= ~bit;
    }
    return value;
}

/* ISPENDR, ISACTIVER and their counterparts: what list registers hold has to be fetched. */
static uint32_t read_state(struct vcpu *v, struct vcpu *t, uint32_t n, bool active)
{
    struct vgic_stopped s;
    struct vgic_bank *b = vgic_stop(v, t, n, ~0u, &s);
    uint32_t value = active ? b->active : vgic_pending(b);

    if (n == 0 && t == v && !active)
        value = timers_pending(v, value);
    vgic_resume(v, t, n, &s);
    return value;
}

uint32_t vgic_read_bits(struct vcpu *v, struct vcpu *t, uint32_t offset)
{
    struct vgic *g = vgic_of(v);
    uint32_t n = offset % 0x80 / 4;

    if (n >= g->nr_banks)
        return 0;
    const struct vgic_bank *b = vgic_bank(g, t, n);
    switch (offset & ~0x7fu) {
    case GICD_IGROUPR:
        return read_once(b->group1);
    case GICD_ISENABLER:
    case GICD_ICENABLER:
        return read_once(b->enabled);
    case GICD_ISPENDR:
    case GICD_ICPENDR:
        return read_state(v, t, n, false);
    case GICD_ISACTIVER:
    case GICD_ICACTIVER:
        return read_state(v, t, n, true);
    default:
        return 0;
    }
}

/* What a timer left pending while its interrupt was off goes if the guest has set it anew since. */
static void drop_past_timers(struct vcpu *v, uint32_t bits)
{
    const struct vgic_bank *b = &v->arch.vgic.priv;

    for (bits &= b->tied & b->fired & b->latched; bits != 0; bits &= bits - 1)
        vgic_timer_went(v, bit_lowest(bits));
}

static enum exit_action __noinline set_enabled(struct vcpu *v, struct vcpu *t, uint32_t n,
                                               uint32_t value)
{
    struct vgic *g = vgic_of(v);
    struct vgic_bank *b = vgic_bank(g, t, n);

    spin_lock(vgic_bank_lock(g, t, n));
    value &= ~b->enabled;
    b->enabled |= value;
    if (n != 0)
        physical_enable(g, b, value);
    else if (t == v)
        drop_past_timers(v, value);
    vgic_offer(g, t, n, value);
    spin_unlock(vgic_bank_lock(g, t, n));
    return EXIT_HANDLED;
}

static enum exit_action __noinline clear_enabled(struct vcpu *v, struct vcpu *t, uint32_t n,
                                                 uint32_t value)
{
    struct vgic_stopped s;
    struct vgic_bank *b = vgic_stop(v, t, n, value, &s);

    b->enabled &= ~value;
    if (n != 0)
        physical_disable(b, value);
    vgic_resume(v, t, n, &s);
    return EXIT_HANDLED;
}

static enum exit_action __noinline set_pending(struct vcpu *v, struct vcpu *t, uint32_t n,
                                               uint32_t value)
{
    struct vgic_stopped s;
    struct vgic_bank *b = vgic_stop(v, t, n, value, &s);

    b->latched |= value;
    b->written |= value & b->tied;
    vgic_offer(vgic_of(v), t, n, value);
    vgic_resume(v, t, n, &s);
    return EXIT_HANDLED;
}

static enum exit_action __noinline clear_pending(struct vcpu *v, struct vcpu *t, uint32_t n,
                                                 uint32_t value)
{
    struct vgic_stopped s;
    struct vgic_bank *b = vgic_stop(v, t, n, value, &s);

    b->latched &= ~value;
    b->written &= ~value;
    vgic_release_physical(v, t, n, value & ~b->active);
    vgic_resume(v, t, n, &s);
    return EXIT_HANDLED;
}

static enum exit_action __noinline set_active(struct vcpu *v, struct vcpu *t, uint32_t n,
                                              uint32_t value)
{
    struct vgic_stopped s;
    struct vgic_bank *b = vgic_stop(v, t, n, value, &s);
    struct vgic *g = vgic_of(v);

    value &= ~b->active;
    b->active |= value;
    if (n == 0 && value != 0)
        vgic_notify(t, 0);
    for (; n != 0 && value != 0; value &= value - 1) {
        /* Active where it would have been acknowledged; with no target yet, here. */
        uint32_t i = bit_lowest(value), target = b->target[i];
        struct vcpu *owner = target < g->nr_vcpus ? g->domain->vcpus[target] : NULL;
        owner = owner != NULL ? owner : v;
        b->owner[i] = (uint8_t)owner->id;
        vgic_notify(owner, n);
    }
    vgic_resume(v, t, n, &s);
    return EXIT_HANDLED;
}

static enum exit_action __noinline clear_active(struct vcpu *v, struct vcpu *t, uint32_t n,
                                                uint32_t value)
{
    struct vgic_stopped s;
    struct vgic_bank *b = vgic_stop(v, t, n, value, &s);

    value &= b->active;
    b->active &= ~value;
    vgic_release_physical(v, t, n, value);
    vgic_offer(vgic_of(v), t, n, value);
    vgic_resume(v, t, n, &s);
    return EXIT_HANDLED;
}

static enum exit_action __noinline set_group(struct vcpu *v, struct vcpu *t, uint32_t n,
                                             uint32_t value)
{
    struct vgic_stopped s;
    struct vgic_bank *b = vgic_bank(vgic_of(v), t, n);
    uint32_t changed = read_once(b->group1) ^ value;

    if (changed == 0)
        return EXIT_HANDLED;
    b = vgic_stop(v, t, n, changed, &s);
    b->group1 = (b->group1 & ~changed) | (value & changed);
    vgic_offer(vgic_of(v), t, n, changed);
    vgic_resume(v, t, n, &s);
    return EXIT_HANDLED;
}

/* Each function on its own, called last: what changes nothing, the usual case, costs no frame. */
enum exit_action vgic_write_bits(struct vcpu *v, struct vcpu *t, uint32_t offset, uint32_t value)
{
    struct vgic *g = vgic_of(v);
    uint32_t n = offset % 0x80 / 4;

    if (unlikely(n >= g->nr_banks))
        return EXIT_HANDLED;
    if (unlikely(n == GIC_FIRST_SPECIAL / 32))
        value &= existing(n);
    const struct vgic_bank *b = vgic_bank(g, t, n);
    switch (offset / 0x80) {
    case GICD_IGROUPR / 0x80:
        return set_group(v, t, n, value);
    case GICD_ISENABLER / 0x80:
        return (value & ~read_once(b->enabled)) != 0 ? set_enabled(v, t, n, value) : EXIT_HANDLED;
    case GICD_ICENABLER / 0x80:
        value &= read_once(b->enabled);
        return value != 0 ? clear_enabled(v, t, n, value) : EXIT_HANDLED;
    case GICD_ISPENDR / 0x80:
        value &= written_pending(g, n);
        return value != 0 ? set_pending(v, t, n, value) : EXIT_HANDLED;
    case GICD_ICPENDR / 0x80:
        value &= written_pending(g, n);
        return value != 0 ? clear_pending(v, t, n, value) : EXIT_HANDLED;
    case GICD_ISACTIVER / 0x80:
        return value != 0 ? set_active(v, t, n, value) : EXIT_HANDLED;
    case GICD_ICACTIVER / 0x80:
        return value != 0 ? clear_active(v, t, n, value) : EXIT_HANDLED;
    default:
        return EXIT_HANDLED;
    }
}

/* --- a byte for each --- */

uint32_t vgic_read_priority(struct vcpu *v, struct vcpu *t, uint32_t first, uint32_t bytes)
{
    struct vgic *g = vgic_of(v);
    uint32_t value = 0;

    if (first / 32 >= g->nr_banks)
        return 0;
    const struct vgic_bank *b = vgic_bank(g, t, first / 32);
    for (uint32_t i = 0; i < bytes; i++)
        value |= (uint32_t)read_once(b->priority[first % 32 + i]) << (8 * i);
    return value;
}

void vgic_write_priority(struct vcpu *v, struct vcpu *t, uint32_t first, uint32_t bytes,
                         uint32_t value)
{
    struct vgic *g = vgic_of(v);

    if (first / 32 >= g->nr_banks || first >= GIC_FIRST_SPECIAL)
        return;
    /* What is pending in a list register keeps the priority it was given: the specification leaves
     * that open. */
    struct vgic_bank *b = vgic_bank(g, t, first / 32);
    for (uint32_t i = 0; i < bytes; i++)
        write_once(b->priority[first % 32 + i], (uint8_t)(value >> (8 * i) & VGIC_PRIORITY_BITS));
}

/* --- two bits for each --- */

uint32_t vgic_read_config(struct vcpu *v, struct vcpu *t, uint32_t first)
{
    struct vgic *g = vgic_of(v);
    uint32_t value = 0;

    if (first / 32 >= g->nr_banks)
        return 0;
    const struct vgic_bank *b = vgic_bank(g, t, first / 32);
    uint32_t edge = (read_once(b->edge) & ~b->pulse) | read_once(b->pulse_edge);

    edge >>= first % 32;
    for (uint32_t i = 0; i < 16; i++)
        value |= (edge >> i & 1) << (2 * i + 1);
    return value;
}

void vgic_write_config(struct vcpu *v, struct vcpu *t, uint32_t first, uint32_t value)
{
    struct vgic *g = vgic_of(v);
    struct vgic_stopped s;
    uint32_t n = first / 32, edge = 0;

    if (n >= g->nr_banks || first < GIC_NR_SGIS)
        return; /* SGIs are edges for good */
    for (uint32_t i = 0; i < 16; i++)
        edge |= (value >> (2 * i + 1) & 1) << (first % 32 + i);
    uint32_t half = 0xffffu << (first % 32) & existing(n);
    struct vgic_bank *b = vgic_bank(g, t, n);
    uint32_t changed = (edge ^ read_once(b->edge)) & half & ~b->pulse;
    if (b->pulse & half)
        write_once(b->pulse_edge, edge & b->pulse);
    if (changed == 0)
        return;
    b = vgic_stop(v, t, n, changed, &s);
    b->edge = (b->edge & ~changed) | (edge & changed);
    for (uint32_t bits = n != 0 ? changed & b->tied : 0; bits != 0; bits &= bits - 1) {
        uint32_t i = bit_lowest(bits);
        irq_guest_trigger(b->irq[i], edge >> i & 1 ? IRQ_EDGE : IRQ_LEVEL);
    }
    vgic_offer(g, t, n, changed);
    vgic_resume(v, t, n, &s);
}

/* --- routes, and the switch for all --- */

void vgic_retarget(struct vgic *g, uint32_t n, uint32_t i, uint32_t vcpu)
{
    struct vgic_bank *b = vgic_bank(g, NULL, n);
    uint32_t bit = (uint32_t)1 << i;

    if (b->target[i] == vcpu)
        return;
    b->target[i] = (uint8_t)vcpu;
    if (b->in_lr & bit)
        vgic_resync(g->domain->vcpus[b->owner[i]]);
    else
        vgic_offer(g, NULL, n, bit);
}

void vgic_write_ctlr(struct vcpu *v, uint32_t enables)
{
    struct vgic *g = vgic_of(v);
    struct vcpu *t;
    uint32_t i;

    spin_lock(&g->lock);
    bool changed = g->ctlr != enables;
    write_once(g->ctlr, enables);
    spin_unlock(&g->lock);
    if (!changed)
        return;
    /* Each looks at all it has: what may be shown has changed. When this returns it is so. */
    domain_for_each_vcpu (g->domain, t, i) {
        __atomic_fetch_or(&t->arch.vgic.todo, (BIT(g->nr_banks) - 1) | VGIC_RESYNC,
                          __ATOMIC_RELEASE);
        vcpu_kick(t);
    }
    vgic_stop_others(v);
}
