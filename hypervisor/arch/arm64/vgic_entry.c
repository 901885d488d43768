/* SPDX-License-Identifier: MIT */
/*
 * The virtual GIC between exit and entry: delivery, load and save, and getting at what is in list
 * registers of vCPUs that run. doc/interrupts.md tells of parking.
 */
#include <asm/gic.h>
#include <asm/vgic_model.h>
#include <asm/vtimer.h>
#include <hospes/cpu.h>

/* --- locks --- */

/* LOCK_VGIC is needed only where an SPI may be concerned. */
static bool lock_for(struct vgic *g, struct vgic_vcpu *vg, bool spis)
{
    if (spis)
        spin_lock(&g->lock);
    spin_lock(&vg->lock);
    return spis;
}

static void unlock_for(struct vgic *g, struct vgic_vcpu *vg, bool spis)
{
    spin_unlock(&vg->lock);
    if (spis)
        spin_unlock(&g->lock);
}

/* Out with all; what is known of them is in the banks afterwards and in `todo`. */
static void empty(struct vcpu *v)
{
    struct vgic *g = vgic_of(v);
    struct vgic_vcpu *vg = &v->arch.vgic;
    uint64_t banks = 0;
    bool spis = lock_for(g, vg, (vg->lr_spi | (vg->waiting & ~1u)) != 0);

    vgic_empty_lrs(v, &banks);
    vgic_set_maintenance(vg, 0);
    unlock_for(g, vg, spis);
    if (banks != 0)
        __atomic_fetch_or(&vg->todo, banks, __ATOMIC_RELAXED);
}

/* --- parking --- */

/* One round of waiting for another pCPU: serves what that one, or a third, may be waiting for. */
static void wait_round(struct vcpu *v)
{
    struct vgic_vcpu *vg = &v->arch.vgic;

    if (load_acquire(vg->parks) != 0 && (vg->lr_used | vg->waiting) != 0)
        empty(v);
    pcpu_wait_round();
}

/* Stays out of the guest, with nothing in list registers, while somebody wants that. */
static void stay_parked(struct vcpu *v)
{
    empty(v);
    while (load_acquire(v->arch.vgic.parks) != 0)
        pcpu_wait_round();
}

/* Gets `t`, which runs on another pCPU, out of the guest with its list registers empty, until
 * unpark(). */
static void park(struct vcpu *v, struct vcpu *t, struct vgic_stopped *s)
{
    struct vgic_vcpu *vg = &t->arch.vgic;

    if (!s->any)
        bitmap_zero(s->vcpus, DOMAIN_MAX_VCPUS);
    s->any = true;
    if (!bitmap_test(s->vcpus, t->id)) {
        bitmap_set(s->vcpus, t->id);
        __atomic_fetch_add(&vg->parks, 1, __ATOMIC_SEQ_CST);
        __atomic_fetch_or(&vg->todo, VGIC_PARK, __ATOMIC_SEQ_CST);
        vcpu_kick(t);
    }
    while (load_acquire(vg->lr_used) != 0)
        wait_round(v);
}

static void unpark(const struct vgic *g, struct vgic_stopped *s)
{
    unsigned int i;

    if (!s->any)
        return;
    bitmap_for_each_set (i, s->vcpus, DOMAIN_MAX_VCPUS)
        __atomic_fetch_sub(&g->domain->vcpus[i]->arch.vgic.parks, 1, __ATOMIC_RELEASE);
}

struct vgic_bank *vgic_stop(struct vcpu *v, struct vcpu *t, uint32_t n, uint32_t mask,
                            struct vgic_stopped *s)
{
    struct vgic *g = vgic_of(v);
    struct vgic_bank *b = vgic_bank(g, t, n);

    s->any = false;
    for (;;) {
        spin_lock(vgic_bank_lock(g, t, n));
        uint32_t busy = b->in_lr & mask;
        if (likely(busy == 0))
            return b;
        struct vcpu *owner = n == 0 ? t : g->domain->vcpus[b->owner[bit_lowest(busy)]];
        spin_unlock(vgic_bank_lock(g, t, n));

        /* Each vCPU comes up once, or twice if it was just about to enter: then it fills nothing
         * until resumed. */
        if (owner == v) {
            empty(v);
            vcpu_kick(v);
        } else {
            park(v, owner, s);
        }
    }
}

void vgic_stop_others(struct vcpu *v)
{
    const struct vgic *g = vgic_of(v);
    struct vgic_stopped s = { .any = false };
    struct vcpu *t;
    uint32_t i;

    domain_for_each_vcpu (g->domain, t, i) {
        if (t == v)
            continue;
        /* With the lock: not in the middle of vgic_deliver(). */
        spin_lock(&t->arch.vgic.lock);
        bool holds = t->arch.vgic.lr_used != 0;
        spin_unlock(&t->arch.vgic.lock);
        if (holds)
            park(v, t, &s);
    }
    unpark(g, &s);
}

void vgic_resume(struct vcpu *v, struct vcpu *t, uint32_t n, struct vgic_stopped *s)
{
    struct vgic *g = vgic_of(v);

    spin_unlock(vgic_bank_lock(g, t, n));
    unpark(g, s);
}

/* --- entry, load, save --- */

/* Does what `todo` says; false: somebody parked this vCPU in between, nothing may be put into list
 * registers. */
static bool deliver(struct vcpu *v, uint64_t todo)
{
    struct vgic *g = vgic_of(v);
    struct vgic_vcpu *vg = &v->arch.vgic;
    bool spis = lock_for(g, vg, (todo & VGIC_ALL_BANKS) > 1 || vg->lr_spi != 0 || vg->waiting > 1);
    bool done = read_once(vg->parks) == 0;

    if (likely(done) &&
        ((todo & VGIC_RESYNC) || vg->waiting != 0 || !vgic_add(v, todo & VGIC_ALL_BANKS)))
        vgic_rebuild(v, todo);
    unlock_for(g, vg, spis);
    return done;
}

/* Shows a latched edge of a private interrupt at once, if it can be. */
static bool show_private(struct vcpu *v, uint32_t version, uint32_t intid)
{
    struct vgic_vcpu *vg = &v->arch.vgic;
    uint32_t senders = version == 2 && intid < GIC_NR_SGIS ? vg->sgi_sources[intid] : 0;
    uint32_t sender = senders != 0 ? bit_lowest(senders) : 0;

    if ((senders & (senders - 1)) != 0 || !vgic_show(v, &vg->priv, intid, sender))
        return false;
    vg->priv.latched &= ~((uint32_t)1 << intid);
    if (senders != 0)
        vg->sgi_sources[intid] = 0;
    return true;
}

/*
 * The usual case, shortened: edges of SGIs and PPIs, and there is room. False: nothing but that was
 * done.
 */
static bool deliver_private(struct vcpu *v)
{
    struct vgic *g = vgic_of(v);
    struct vgic_vcpu *vg = &v->arch.vgic;
    struct vgic_bank *b = &vg->priv;
    bool done = false;

    spin_lock(&vg->lock);
    uint32_t bits = vgic_deliverable(g, b);
    if (((bits & ~(b->edge | b->tied)) | (b->active & ~b->in_lr)) == 0) {
        while (bits != 0 && show_private(v, g->version, bit_lowest(bits)))
            bits &= bits - 1;
        done = bits == 0;
    }
    spin_unlock(&vg->lock);
    return done;
}

void vgic_deliver(struct vcpu *v)
{
    struct vgic_vcpu *vg = &v->arch.vgic;
    uint64_t todo;

    if (unlikely(!vg->loaded))
        vgic_load(v);
    if (read_once(vg->todo) == 0)
        return;
    todo = __atomic_exchange_n(&vg->todo, 0, __ATOMIC_ACQUIRE);
    if (likely(todo == BIT(0)) && deliver_private(v))
        return;
    if (unlikely(todo & VGIC_PARK)) {
        stay_parked(v);
        todo |= __atomic_exchange_n(&vg->todo, 0, __ATOMIC_ACQUIRE);
    }
    while (unlikely(!deliver(v, todo))) {
        stay_parked(v);
        todo |= __atomic_exchange_n(&vg->todo, 0, __ATOMIC_ACQUIRE);
    }
}

void vgic_save(struct vcpu *v)
{
    struct vgic_vcpu *vg = &v->arch.vgic;
    struct vgic_bank *b = &vg->priv;

    if (!vg->loaded)
        return;
    if ((vg->lr_used | vg->waiting | read_once(vg->unfire)) != 0)
        empty(v);
    gic.driver->vcpu_save(v);
    spin_lock(&vg->lock);
    vg->loaded = false;
    /* This pCPU's lines of the tied PPIs (timers) are the next vCPU's. */
    for (uint32_t bits = b->tied & b->fired; bits != 0; bits &= bits - 1)
        gic.driver->set_active(b->irq[bit_lowest(bits)], false);
    spin_unlock(&vg->lock);
}

void vgic_load(struct vcpu *v)
{
    struct vgic_vcpu *vg = &v->arch.vgic;
    struct vgic_bank *b = &vg->priv;

    if (vg->loaded)
        return;
    gic.driver->vcpu_load(v);
    spin_lock(&vg->lock);
    vg->loaded = true;
    for (uint32_t bits = b->tied & b->fired; bits != 0; bits &= bits - 1)
        gic.driver->set_active(b->irq[bit_lowest(bits)], true);
    spin_unlock(&vg->lock);
}

void vgic_maintenance(struct vcpu *v)
{
    vgic_resync(v);
}

void vgic_write_dir(struct vcpu *v, uint64_t value)
{
    struct vgic *g = vgic_of(v);
    uint32_t intid = (uint32_t)value & 0xffffff, n = intid / 32;
    struct vgic_stopped s;

    if (intid >= GIC_FIRST_SPECIAL || n >= g->nr_banks)
        return;
    uint32_t bit = (uint32_t)1 << (intid % 32);
    struct vgic_bank *b = vgic_stop(v, v, n, bit, &s);
    if (b->active & bit) {
        b->active &= ~bit;
        vgic_release_physical(v, v, n, bit);
        vgic_offer(g, v, n, bit);
    }
    vgic_resume(v, v, n, &s);
}

/* --- would it be interrupted? --- */

static bool passes(uint32_t vmcr, uint32_t priority, bool group1)
{
    return (vmcr & (group1 ? VMCR_ENG1 : VMCR_ENG0)) != 0 && priority < field_get(VMCR_PMR, vmcr);
}

/* `lr` holds the pending interrupt of a timer that was set anew since: it would end no wait. */
static bool is_stale(struct vcpu *v, uint64_t lr)
{
    uint32_t intid = (uint32_t)(lr & GIC_LR_VINTID);

    return intid < GIC_FIRST_SPI && (lr & GIC_LR_HW) &&
           !(v->arch.vgic.priv.written & (uint32_t)1 << intid) &&
           vtimer_is_ppi(&v->arch.vtimer, intid) && !vtimer_pending(v, intid);
}

/* True if one that waits in a list register would be taken. */
static bool held_interrupt(struct vcpu *v, uint32_t vmcr)
{
    bool stale = false;

    for (uint32_t held = v->arch.vgic.lr_used; held != 0; held &= held - 1) {
        uint64_t lr = gic.driver->read_lr(bit_lowest(held));
        if (!(lr & GIC_LR_PENDING) ||
            !passes(vmcr, (uint32_t)field_get(GIC_LR_PRIORITY, lr), (lr & GIC_LR_GROUP1) != 0))
            continue;
        if (likely(!is_stale(v, lr)))
            return true;
        stale = true;
    }
    /* It goes, and with it the active state that would keep the timer from firing next time. */
    if (stale)
        empty(v);
    return false;
}

bool vgic_has_interrupt(struct vcpu *v)
{
    struct vgic *g = vgic_of(v);
    struct vgic_vcpu *vg = &v->arch.vgic;
    uint64_t banks = (read_once(vg->todo) & VGIC_ALL_BANKS) | vg->waiting;

    if (banks == 0 && vg->lr_used == 0)
        return false;
    uint32_t vmcr = vg->loaded ? gic.driver->read_vmcr() : vg->vmcr;
    if (vg->lr_used != 0) {
        /* What has ended there may be pending anew in its bank. */
        bool spis = lock_for(g, vg, vg->lr_spi != 0);
        uint64_t ended = 0;
        vgic_release_ended(v, &ended);
        unlock_for(g, vg, spis);
        if (ended != 0)
            __atomic_fetch_or(&vg->todo, ended, __ATOMIC_RELAXED);
        if (held_interrupt(v, vmcr))
            return true;
        banks |= (read_once(vg->todo) & VGIC_ALL_BANKS) | vg->waiting;
    }
    /* A glance without locks: who pends something after it kicks this vCPU. */
    for (; banks != 0; banks &= banks - 1) {
        uint32_t n = bit_lowest(banks);
        const struct vgic_bank *b = vgic_bank(g, v, n);
        for (uint32_t bits = vgic_deliverable(g, b) & ~(b->active | b->in_lr); bits != 0;
             bits &= bits - 1) {
            uint32_t i = bit_lowest(bits);
            if ((n == 0 || b->target[i] == v->id) &&
                passes(vmcr, b->priority[i], (b->group1 & (uint32_t)1 << i) != 0))
                return true;
        }
    }
    return false;
}
