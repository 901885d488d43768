/* SPDX-License-Identifier: MIT */
/* Physical interrupt lines and their owners: the hypervisor or a domain. See <hospes/irq.h>. */
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/heap.h>
#include <hospes/irq.h>
#include <hospes/log.h>
#include <hospes/pcpu.h>

static struct irq_desc *descs;
static uint32_t nr_descs;

int irq_init(void)
{
    uint32_t nr = arch_irq_count();

    descs = heap_calloc(nr, sizeof(*descs));
    if (descs == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < nr; i++) {
        descs[i].lock = SPINLOCK_INIT(LOCK_IRQ);
        descs[i].irq = i;
    }
    nr_descs = nr;
    return 0;
}

struct irq_desc *irq_desc(uint32_t irq)
{
    return irq < nr_descs ? &descs[irq] : NULL;
}

int irq_request(uint32_t irq, enum irq_trigger trigger, void (*fn)(void *arg), void *arg)
{
    struct irq_desc *desc = irq_desc(irq);
    int rc = -EBUSY;

    if (desc == NULL)
        return -EINVAL;
    spin_lock(&desc->lock);
    if (desc->owner == IRQ_UNUSED) {
        desc->owner = IRQ_HOSPES;
        desc->trigger = (uint8_t)trigger;
        desc->fn = fn;
        desc->arg = arg;
        desc->pcpu = this_pcpu()->id;
        arch_irq_enable(irq, trigger, desc->pcpu);
        rc = 0;
    }
    spin_unlock(&desc->lock);
    return rc;
}

int irq_give(uint32_t irq, enum irq_trigger trigger, struct domain *d, uint32_t virq)
{
    struct irq_desc *desc = irq_desc(irq);
    int rc = -EBUSY;

    if (desc == NULL)
        return -EINVAL;
    spin_lock(&desc->lock);
    if (desc->owner == IRQ_UNUSED) {
        desc->owner = IRQ_GUEST;
        desc->trigger = (uint8_t)trigger;
        desc->enabled = false;
        desc->domain = d;
        desc->virq = virq;
        desc->pcpu = this_pcpu()->id;
        rc = 0;
    }
    spin_unlock(&desc->lock);
    /* The line is off until the guest wants it, which it can once it is tied. */
    if (rc == 0)
        arch_irq_tie(d, virq, irq);
    return rc;
}

static void nothing(void *arg)
{
    (void)arg;
}

int irq_can_give(uint32_t irq, const struct domain *d)
{
    struct irq_desc *desc = irq_desc(irq);
    int rc;

    if (desc == NULL)
        return -EINVAL;
    spin_lock(&desc->lock);
    rc = desc->owner == IRQ_UNUSED || (desc->owner == IRQ_GUEST && desc->domain == d) ? 0 : -EPERM;
    spin_unlock(&desc->lock);
    return rc;
}

/* Takes a line from `d`; false: it is not d's. */
static bool take(struct irq_desc *desc, struct domain *d)
{
    uint32_t virq = 0;
    bool taken = false;

    spin_lock(&desc->lock);
    if (desc->owner == IRQ_GUEST && desc->domain == d) {
        arch_irq_disable(desc->irq);
        arch_irq_finish(desc->irq);
        virq = desc->virq;
        desc->owner = IRQ_UNUSED;
        desc->domain = NULL;
        desc->enabled = false;
        taken = true;
    }
    spin_unlock(&desc->lock);
    if (taken)
        arch_irq_untie(d, virq);
    return taken;
}

int irq_take(uint32_t irq, struct domain *d)
{
    struct irq_desc *desc = irq_desc(irq);

    if (desc == NULL)
        return -EINVAL;
    if (!take(desc, d))
        return -ENOENT;
    pcpu_call_others(nothing, NULL);
    return 0;
}

void irq_take_all(struct domain *d)
{
    bool any = false;

    for (uint32_t i = 0; i < nr_descs; i++)
        any |= take(&descs[i], d);
    /* A pCPU in irq_dispatch() may have read `d` just before: let all come by a point where none is
     * in it. */
    if (any)
        pcpu_call_others(nothing, NULL);
}

/* The line's descriptor, locked, if a guest has it. */
static struct irq_desc *lock_guest_irq(uint32_t irq)
{
    struct irq_desc *desc = irq_desc(irq);

    if (desc == NULL)
        return NULL;
    spin_lock(&desc->lock);
    if (desc->owner == IRQ_GUEST)
        return desc;
    spin_unlock(&desc->lock);
    return NULL;
}

void irq_guest_enable(uint32_t irq, uint32_t pcpu)
{
    struct irq_desc *desc = lock_guest_irq(irq);

    if (desc == NULL)
        return;
    desc->enabled = true;
    desc->pcpu = pcpu;
    arch_irq_enable(irq, desc->trigger, pcpu);
    spin_unlock(&desc->lock);
}

void irq_guest_disable(uint32_t irq)
{
    struct irq_desc *desc = lock_guest_irq(irq);

    if (desc == NULL)
        return;
    desc->enabled = false;
    arch_irq_disable(irq);
    spin_unlock(&desc->lock);
}

void irq_guest_trigger(uint32_t irq, enum irq_trigger trigger)
{
    struct irq_desc *desc = lock_guest_irq(irq);

    if (desc == NULL)
        return;
    if (desc->trigger != trigger) {
        desc->trigger = (uint8_t)trigger;
        /* A line that is on is switched off meanwhile: the controller wants it so. */
        if (desc->enabled) {
            arch_irq_disable(irq);
            arch_irq_enable(irq, trigger, desc->pcpu);
        }
    }
    spin_unlock(&desc->lock);
}

void irq_route(uint32_t irq, uint32_t pcpu)
{
    struct irq_desc *desc = irq_desc(irq);

    if (desc == NULL)
        return;
    spin_lock(&desc->lock);
    if (desc->owner != IRQ_UNUSED && desc->pcpu != pcpu) {
        desc->pcpu = pcpu;
        arch_irq_set_affinity(irq, pcpu);
    }
    spin_unlock(&desc->lock);
}

void irq_dispatch(uint32_t irq)
{
    struct irq_desc *desc = irq_desc(irq);

    if (unlikely(desc == NULL))
        return;
    spin_lock(&desc->lock);
    uint8_t owner = desc->owner;
    struct domain *d = desc->domain;
    uint32_t virq = desc->virq;
    void (*fn)(void *) = desc->fn;
    void *arg = desc->arg;
    if (owner == IRQ_UNUSED) {
        /* Nobody's: keep it from coming again. */
        arch_irq_disable(irq);
        arch_irq_finish(irq);
    }
    spin_unlock(&desc->lock);

    if (owner == IRQ_GUEST) {
        arch_irq_inject(d, virq, irq);
    } else if (owner == IRQ_HOSPES) {
        fn(arg);
        arch_irq_finish(irq);
    } else {
        log_warn("interrupt %u came, which nobody asked for: switched off", irq);
    }
}
