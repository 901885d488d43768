/* SPDX-License-Identifier: MIT */
/*
 * List registers of the virtual GIC: which interrupts are in them, and getting them back (IHI 0048B
 * chapter 5, IHI 0069H chapter 6). doc/interrupts.md tells the rules; the first of them: a vCPU
 * that is not loaded has nothing in list registers.
 *
 *   place()    bank -> list register
 *   fold()     list register -> bank
 *   release()  a list register was found empty: the guest is done with what it held
 *
 * Everywhere here: the vCPU's lock is held, LOCK_VGIC too where SPIs may be concerned, and the vCPU
 * is loaded on this pCPU.
 */
#include <asm/gic.h>
#include <asm/vgic_model.h>
#include <asm/vtimer.h>

/* Of an SGI that is in a list register (v2). */
#define SENDER (GIC_LR_PINTID & ~GIC_LR_EOI)

/* What is to be in a list register: sorted by `key`, the least first. */
struct choice {
    uint32_t key;
    uint16_t intid;
};

static struct vgic_bank *bank_of(struct vcpu *v, uint32_t intid)
{
    return vgic_bank(vgic_of(v), v, intid / 32);
}

/* --- one interrupt --- */

bool vgic_timer_went(struct vcpu *v, uint32_t intid)
{
    struct vgic_bank *b = &v->arch.vgic.priv;
    uint32_t bit = (uint32_t)1 << intid;

    if (!(b->tied & b->fired & b->latched & ~b->written & bit) ||
        !vtimer_is_ppi(&v->arch.vtimer, intid) || vtimer_pending(v, intid))
        return false;
    b->latched &= ~bit;
    if (!(b->active & bit))
        vgic_release_physical(v, v, 0, bit);
    return true;
}

/* v2: the sender of SGI `i` that goes into the list register; more of them ask for a notice at its
 * end. */
static uint64_t place_v2_sgi(struct vgic_vcpu *vg, uint32_t i, bool active, bool *pending)
{
    uint32_t sources = vg->sgi_sources[i];
    uint32_t source = active ? vg->sgi_active[i] : sources != 0 ? bit_lowest(sources) : 0;

    *pending = *pending && (sources == 0 || (sources & 1u << source) != 0);
    if (*pending)
        sources &= ~(1u << source);
    vg->sgi_sources[i] = (uint8_t)sources;
    if (sources == 0)
        vg->priv.latched &= ~((uint32_t)1 << i);
    return field_prep(GIC_LR_PINTID, source) | (sources != 0 ? GIC_LR_EOI : 0);
}

static void attach(struct vcpu *v, struct vgic_bank *b, uint32_t intid, uint32_t n)
{
    struct vgic_vcpu *vg = &v->arch.vgic;
    uint32_t i = intid % 32;

    b->in_lr |= (uint32_t)1 << i;
    b->lr_of[i] = (uint8_t)n;
    b->owner[i] = (uint8_t)v->id;
    vg->lr_used |= 1u << n;
    if (intid >= GIC_FIRST_SPI)
        vg->lr_spi |= 1u << n;
}

/*
 * Puts `intid`, which is pending or active, into list register `n`, which is free. An active one
 * may be shown as pending too only if `both`; else its end asks for maintenance.
 */
static void place(struct vcpu *v, uint32_t intid, uint32_t n, bool both)
{
    struct vgic *g = vgic_of(v);
    struct vgic_vcpu *vg = &v->arch.vgic;
    struct vgic_bank *b = bank_of(v, intid);
    uint32_t i = intid % 32, bit = (uint32_t)1 << i;
    bool mine = intid < GIC_FIRST_SPI || b->target[i] == v->id;
    bool active = (b->active & bit) != 0;
    bool pending = mine && (vgic_deliverable(g, b) & bit) != 0;
    uint64_t lr = intid | field_prep(GIC_LR_PRIORITY, b->priority[i]);

    if (b->group1 & bit)
        lr |= GIC_LR_GROUP1;
    if (active && !both)
        pending = false;
    if (b->tied & b->fired & bit) {
        /* Active and pending again goes without the hardware's help: its end is ours then. */
        if (active && (b->latched & bit))
            lr |= GIC_LR_EOI;
        else
            lr |= GIC_LR_HW | field_prep(GIC_LR_PINTID, b->irq[i]);
        b->latched &= ~(pending ? bit : 0);
    } else if (intid < GIC_NR_SGIS && g->version == 2) {
        lr |= place_v2_sgi(vg, i, active, &pending);
    } else if ((b->edge | b->tied) & bit) {
        b->latched &= ~(pending ? bit : 0);
        if (!mine || (b->latched & bit))
            lr |= GIC_LR_EOI; /* what is, or gets, pending is for another, or not now: it waits for
                                 this end */
    } else {
        lr |= GIC_LR_EOI; /* to look at the line again */
    }
    lr |= (pending ? GIC_LR_PENDING : 0) | (active ? GIC_LR_ACTIVE : 0);

    attach(v, b, intid, n);
    vg->lr[n] = lr;
    gic.driver->write_lr(n, lr);
}

/*
 * Where `intid`, which is not pending in a list register, can be put without a look at any other.
 * False if there is more to do: see each case.
 */
static bool find_place(struct vcpu *v, struct vgic_bank *b, uint32_t intid, uint32_t *n)
{
    struct vgic_vcpu *vg = &v->arch.vgic;
    uint32_t i = intid % 32, bit = (uint32_t)1 << i;

    if (!(b->in_lr & bit)) {
        uint32_t free = ((1u << gic.nr_lrs) - 1) & ~vg->lr_used;
        /* Others may have ended; or it is active and was left out. */
        if (free == 0 || (b->active & bit))
            return false;
        *n = bit_lowest(free);
        attach(v, b, intid, *n);
        return true;
    }
    /* The same one as before, which has ended: what goes with that comes first. */
    *n = b->lr_of[i];
    b->active &= ~bit;
    b->written &= ~bit;
    return (vg->lr[*n] & (GIC_LR_HW | GIC_LR_EOI)) != GIC_LR_EOI;
}

bool vgic_show(struct vcpu *v, struct vgic_bank *b, uint32_t intid, uint32_t sender)
{
    struct vgic_vcpu *vg = &v->arch.vgic;
    uint32_t i = intid % 32, bit = (uint32_t)1 << i, n;
    uint64_t lr = intid | GIC_LR_PENDING | field_prep(GIC_LR_PRIORITY, b->priority[i]) |
                  field_prep(GIC_LR_PINTID, sender);

    if (unlikely(!vg->loaded || (read_once(vg->parks) | vg->waiting) != 0))
        return false;
    if (b->in_lr & bit) {
        if (intid >= GIC_FIRST_SPI && b->owner[i] != v->id)
            return false;
        uint64_t old = gic.driver->read_lr(b->lr_of[i]);
        if (old & (GIC_LR_PENDING | GIC_LR_ACTIVE)) {
            if ((b->tied & bit) || (intid < GIC_NR_SGIS && ((old ^ lr) & SENDER) != 0))
                return false;
            if (old & GIC_LR_PENDING)
                return true;
            gic.driver->write_lr(b->lr_of[i], old | GIC_LR_PENDING);
            return true;
        }
    }
    if (!find_place(v, b, intid, &n))
        return false;
    if (b->group1 & bit)
        lr |= GIC_LR_GROUP1;
    if (b->tied & b->fired & bit)
        lr |= GIC_LR_HW | field_prep(GIC_LR_PINTID, b->irq[i]);
    vg->lr[n] = lr;
    gic.driver->write_lr(n, lr);
    return true;
}

/* Takes note that list register `n` is free; what it held is not in_lr any more. Its bank is
 * returned. */
static struct vgic_bank *detach(struct vgic_vcpu *vg, struct vcpu *v, uint32_t n)
{
    uint32_t intid = (uint32_t)(vg->lr[n] & GIC_LR_VINTID);
    struct vgic_bank *b = bank_of(v, intid);

    vg->lr_used &= ~(1u << n);
    vg->lr_spi &= ~(1u << n);
    b->in_lr &= ~((uint32_t)1 << (intid % 32));
    return b;
}

/* Tells whoever is to have it that `intid`, which left a list register, is pending (again). `v`
 * itself: *banks. */
static void offer_again(struct vcpu *v, const struct vgic_bank *b, uint32_t intid, uint64_t *banks)
{
    struct vgic *g = vgic_of(v);
    uint32_t i = intid % 32;

    if (intid < GIC_FIRST_SPI || b->target[i] == v->id)
        *banks |= BIT(intid / 32);
    else if (!(b->active & (uint32_t)1 << i))
        vgic_offer(g, v, intid / 32, (uint32_t)1 << i);
}

/* `bit`, if it was pending in a list register that was filled with `lr` and holds none that is now.
 */
static uint32_t acknowledged(uint64_t lr, uint32_t bit)
{
    return (lr & GIC_LR_PENDING) ? bit : 0;
}

/* List register `n` is empty: the guest has taken and ended what it held. */
static void release(struct vcpu *v, uint32_t n, uint64_t *banks)
{
    struct vgic_vcpu *vg = &v->arch.vgic;
    uint64_t lr = vg->lr[n];
    uint32_t intid = (uint32_t)(lr & GIC_LR_VINTID), bit = (uint32_t)1 << (intid % 32);
    struct vgic_bank *b = detach(vg, v, n);

    b->active &= ~bit;
    b->written &= ~acknowledged(lr, bit);
    if (lr & GIC_LR_HW)
        b->fired &=
            ~(bit & ~b->latched); /* the hardware has deactivated it; but it came again since */
    else if (b->tied & b->fired & bit)
        vgic_release_physical(v, v, intid / 32, bit);
    else if (!((b->edge | b->tied) & bit))
        b->latched &= ~acknowledged(lr, bit);
    /* Asks for maintenance as long as it stands there. */
    if ((lr & (GIC_LR_HW | GIC_LR_EOI)) == GIC_LR_EOI)
        gic.driver->write_lr(n, 0);
    if (vgic_pending(b) & bit)
        offer_again(v, b, intid, banks);
}

void vgic_release_ended(struct vcpu *v, uint64_t *banks)
{
    uint32_t ended = gic.driver->empty_lrs() & v->arch.vgic.lr_used;

    for (; ended != 0; ended &= ended - 1)
        release(v, bit_lowest(ended), banks);
}

/* Takes what is in list register `n` out of it. */
static void fold(struct vcpu *v, uint32_t n, uint64_t *banks)
{
    struct vgic_vcpu *vg = &v->arch.vgic;
    uint64_t lr = gic.driver->read_lr(n);
    uint32_t intid = (uint32_t)(vg->lr[n] & GIC_LR_VINTID), i = intid % 32, bit = (uint32_t)1 << i;

    if (!(lr & (GIC_LR_PENDING | GIC_LR_ACTIVE))) {
        release(v, n, banks);
        return;
    }
    struct vgic_bank *b = detach(vg, v, n);
    b->active = (lr & GIC_LR_ACTIVE) ? b->active | bit : b->active & ~bit;
    if (intid < GIC_NR_SGIS && vgic_of(v)->version == 2) {
        uint32_t source = (uint32_t)field_get(SENDER, lr) & 7;
        if (lr & GIC_LR_PENDING) {
            vg->sgi_sources[i] |= (uint8_t)(1u << source);
            b->latched |= bit;
        }
        if (lr & GIC_LR_ACTIVE)
            vg->sgi_active[i] = (uint8_t)source;
    } else if ((b->edge | b->tied) & bit) {
        if (lr & GIC_LR_PENDING)
            b->latched |= bit;
        else
            b->written &= ~acknowledged(vg->lr[n], bit);
    } else if (!(lr & GIC_LR_PENDING)) {
        b->latched &= ~acknowledged(vg->lr[n], bit);
    }
    gic.driver->write_lr(n, 0);
    if (intid < GIC_FIRST_SPI)
        vgic_timer_went(v, intid);
    if ((b->active & bit) != 0)
        *banks |= BIT(intid / 32);
    if (vgic_pending(b) & bit)
        offer_again(v, b, intid, banks);
}

/* --- filling them --- */

/* Of bank `n`: those that ought to be in a list register of `v`. */
static uint32_t candidates(struct vcpu *v, uint32_t n)
{
    struct vgic *g = vgic_of(v);
    const struct vgic_bank *b = vgic_bank(g, v, n);
    uint32_t pending = vgic_deliverable(g, b), active = b->active & ~b->in_lr;
    uint32_t all = pending | active;

    if (n == 0)
        return all;
    for (uint32_t rest = all; rest != 0; rest &= rest - 1) {
        uint32_t i = bit_lowest(rest), bit = (uint32_t)1 << i;
        bool mine = ((b->in_lr | active) & bit) ? b->owner[i] == v->id : b->target[i] == v->id;
        if (!mine)
            all &= ~bit;
    }
    return all;
}

/* An edge came for an interrupt that `v` has in a list register. False: needs a rebuild. */
static bool merge(struct vcpu *v, struct vgic_bank *b, uint32_t intid)
{
    uint32_t bit = (uint32_t)1 << (intid % 32);

    if (!((b->edge | b->tied) & bit) || !(b->latched & bit))
        return true; /* its line is looked at when it ends */
    if ((b->tied & bit) || (intid < GIC_NR_SGIS && vgic_of(v)->version == 2) ||
        (intid >= GIC_FIRST_SPI && b->target[intid % 32] != v->id))
        return false;
    uint32_t n = b->lr_of[intid % 32];
    uint64_t lr = gic.driver->read_lr(n);
    if (!(lr & GIC_LR_PENDING))
        gic.driver->write_lr(n, lr | GIC_LR_PENDING);
    b->latched &= ~bit;
    return true;
}

bool vgic_add(struct vcpu *v, uint64_t banks)
{
    struct vgic *g = vgic_of(v);
    struct vgic_vcpu *vg = &v->arch.vgic;
    uint32_t all = (1u << gic.nr_lrs) - 1;

    if (vg->lr_used != 0)
        vgic_release_ended(v, &banks);
    for (; banks != 0; banks &= banks - 1) {
        uint32_t n = bit_lowest(banks);
        struct vgic_bank *b = vgic_bank(g, v, n);
        for (uint32_t rest = candidates(v, n); rest != 0; rest &= rest - 1) {
            uint32_t i = bit_lowest(rest), intid = 32 * n + i;
            if (b->in_lr & (uint32_t)1 << i) {
                if (!merge(v, b, intid))
                    return false;
                continue;
            }
            if (n == 0 && vgic_timer_went(v, i) && !(b->active & (uint32_t)1 << i))
                continue;
            uint32_t free = all & ~vg->lr_used;
            if (free == 0)
                return false;
            place(v, intid, bit_lowest(free), true);
        }
    }
    return true;
}

/* Inserts a choice; the greatest key falls out when there are more than `most`. Returns the new
 * number. */
static uint32_t choose(struct choice *list, uint32_t nr, uint32_t most, struct choice new)
{
    uint32_t at = nr < most ? nr : most;

    while (at > 0 && list[at - 1].key > new.key) {
        if (at < most)
            list[at] = list[at - 1];
        at--;
    }
    if (at < most)
        list[at] = new;
    return nr < most ? nr + 1 : nr;
}

/* Bits of a choice's key above priority and number, which decide among equals. The best pending one
 * has none. */
#define KEY_ACTIVE      (1u << 24)
#define KEY_PENDING     (2u << 24)
#define KEY_MASKED      (3u << 24) /* pending, of a group that is off in the CPU interface */
#define KEY_LEVEL(key)  ((key) >> 24)
#define KEY_PRIORITY(p) ((uint32_t)(p) << 16)

/* How many were left out. */
struct left_out {
    uint32_t pending, active;
    bool can_preempt; /* a pending one is in that is not masked */
};

/* What interrupt `i` of bank `n` is as a choice. */
static struct choice choice_of(const struct vgic_bank *b, uint32_t n, uint32_t i, uint32_t vmcr)
{
    uint32_t bit = (uint32_t)1 << i;
    uint32_t level = KEY_PENDING;

    if (b->active & bit)
        level = KEY_ACTIVE;
    else if (!(vmcr & ((b->group1 & bit) ? VMCR_ENG1 : VMCR_ENG0)))
        level = KEY_MASKED;
    return (struct choice){ .key = level | KEY_PRIORITY(b->priority[i]) | (32 * n + i),
                            .intid = (uint16_t)(32 * n + i) };
}

/*
 * Chooses what is to be in list registers: the best pending one before all, so that it can preempt,
 * then the active ones, since the guest will end these, then the rest; each by priority.
 */
static uint32_t choose_all(struct vcpu *v, uint64_t banks, uint32_t vmcr, struct choice *list,
                           struct left_out *left)
{
    struct vgic *g = vgic_of(v);
    struct choice best = { .key = UINT32_MAX };
    uint32_t nr = 0, total = 0, nr_active = 0, kept_active = 0;

    for (; banks != 0; banks &= banks - 1) {
        uint32_t n = bit_lowest(banks);
        struct vgic_bank *b = vgic_bank(g, v, n);
        for (uint32_t rest = candidates(v, n); rest != 0; rest &= rest - 1) {
            uint32_t i = bit_lowest(rest);
            if (n == 0 && vgic_timer_went(v, i) && !(b->active & (uint32_t)1 << i))
                continue;
            struct choice c = choice_of(b, n, i, vmcr);
            total++;
            nr_active += KEY_LEVEL(c.key) == KEY_LEVEL(KEY_ACTIVE);
            if (KEY_LEVEL(c.key) == KEY_LEVEL(KEY_PENDING) && c.key < best.key) {
                struct choice second = best;
                best = c;
                c = second;
            }
            if (c.key != UINT32_MAX)
                nr = choose(list, nr, gic.nr_lrs, c);
        }
    }
    left->can_preempt = best.key != UINT32_MAX;
    if (left->can_preempt)
        nr = choose(list, nr, gic.nr_lrs,
                    (struct choice){ .key = best.key & ~KEY_PENDING, .intid = best.intid });
    for (uint32_t i = 0; i < nr; i++)
        kept_active += KEY_LEVEL(list[i].key) == KEY_LEVEL(KEY_ACTIVE);
    left->active = nr_active - kept_active;
    left->pending = total - nr - left->active;
    return nr;
}

/* The guest ended `count` active interrupts that no list register held: those of highest priority,
 * in turn. */
static void end_left_out(struct vcpu *v, uint32_t count, uint64_t *banks)
{
    struct vgic *g = vgic_of(v);

    while (count-- != 0) {
        struct choice best = { .key = UINT32_MAX };
        for (uint64_t rest = v->arch.vgic.waiting; rest != 0; rest &= rest - 1) {
            uint32_t n = bit_lowest(rest);
            const struct vgic_bank *b = vgic_bank(g, v, n);
            for (uint32_t bits = b->active & ~b->in_lr; bits != 0; bits &= bits - 1) {
                uint32_t i = bit_lowest(bits);
                uint32_t key = KEY_PRIORITY(b->priority[i]) | (32 * n + i);
                if ((n == 0 || b->owner[i] == v->id) && key < best.key)
                    best = (struct choice){ .key = key, .intid = (uint16_t)(32 * n + i) };
            }
        }
        if (best.key == UINT32_MAX)
            return;
        struct vgic_bank *b = bank_of(v, best.intid);
        b->active &= ~((uint32_t)1 << (best.intid % 32));
        vgic_release_physical(v, v, best.intid / 32, (uint32_t)1 << (best.intid % 32));
        if (vgic_pending(b) & (uint32_t)1 << (best.intid % 32))
            offer_again(v, b, best.intid, banks);
    }
}

/* What another vCPU's access has ended of this one's private interrupts: their lines are this
 * pCPU's. */
static void end_deferred(struct vcpu *v)
{
    uint32_t bits = v->arch.vgic.unfire;

    v->arch.vgic.unfire = 0;
    if (bits != 0)
        vgic_release_physical(v, v, 0, bits & ~v->arch.vgic.priv.active);
}

void vgic_set_maintenance(struct vgic_vcpu *vg, uint32_t bits)
{
    if (vg->maintenance == bits)
        return;
    /* Ends that were counted before have nothing to do with what is left out now. */
    if (bits & ~vg->maintenance & GIC_MAINT_EOI_COUNT)
        gic.driver->take_eoi_count();
    vg->maintenance = bits;
    gic.driver->set_maintenance(bits);
}

/* What tells us when there is room for, or need of, what was left out. */
static uint32_t needed_maintenance(const struct left_out *left, uint32_t vmcr)
{
    uint32_t bits = left->active != 0 ? GIC_MAINT_EOI_COUNT : 0;

    if (left->pending == 0)
        return bits;
    /* Only while one is there: else it would come without end. */
    if (left->can_preempt)
        bits |= GIC_MAINT_NONE_PENDING;
    bits |= (vmcr & VMCR_ENG0) ? GIC_MAINT_GROUP0_OFF : GIC_MAINT_GROUP0_ON;
    return bits | ((vmcr & VMCR_ENG1) ? GIC_MAINT_GROUP1_OFF : GIC_MAINT_GROUP1_ON);
}

void vgic_empty_lrs(struct vcpu *v, uint64_t *banks)
{
    struct vgic_vcpu *vg = &v->arch.vgic;

    if (vg->maintenance & GIC_MAINT_EOI_COUNT) {
        uint32_t count = gic.driver->take_eoi_count();
        /* With EOImode = 1 an end is a write to DIR, which came to vgic_write_dir(). */
        if (!gic.traps_dir || !(gic.driver->read_vmcr() & VMCR_EOIM))
            end_left_out(v, count, banks);
    }
    for (uint32_t used = vg->lr_used; used != 0; used &= used - 1)
        fold(v, bit_lowest(used), banks);
    end_deferred(v);
    *banks |= vg->waiting;
    vg->waiting = 0;
}

void vgic_rebuild(struct vcpu *v, uint64_t banks)
{
    struct vgic_vcpu *vg = &v->arch.vgic;
    struct choice list[VGIC_MAX_LRS];
    struct left_out left = { 0 };

    vgic_empty_lrs(v, &banks);
    uint32_t vmcr = gic.driver->read_vmcr();
    uint32_t nr = choose_all(v, banks & VGIC_ALL_BANKS, vmcr, list, &left);
    /* None pending is to mean: none that is better than what is left out. */
    for (uint32_t i = 0; i < nr; i++)
        place(v, list[i].intid, i, left.pending == 0);
    vg->waiting = left.pending + left.active != 0 ? (uint32_t)banks : 0;
    vgic_set_maintenance(vg, needed_maintenance(&left, vmcr));
}
