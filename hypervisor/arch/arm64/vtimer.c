/* SPDX-License-Identifier: MIT */
/*
 * Guests' timers (Arm ARM DDI 0487 D12; <asm/vtimer.h>). While a vCPU is loaded its comparators are
 * in the hardware and their interrupts, tied to its PPIs, reach it without our looking at
 * registers. doc/interrupts.md tells how the lines are shared.
 */
#include <asm/clock.h>
#include <asm/gic.h>
#include <asm/sysreg.h>
#include <asm/vgic.h>
#include <asm/vtimer.h>
#include <hospes/domain.h>
#include <hospes/pcpu.h>
#include <hospes/vcpu.h>

#define CTL_ENABLE  BIT(0)
#define CTL_IMASK   BIT(1)
#define CTL_ISTATUS BIT(2)

/* The timer with these registers would interrupt, were it not for its comparator. */
static bool is_armed(uint64_t ctl)
{
    return (ctl & (CTL_ENABLE | CTL_IMASK)) == CTL_ENABLE;
}

/* The physical count at which the comparator of the virtual timer is met; the greatest for never.
 */
static uint64_t virt_due(const struct vcpu *v)
{
    uint64_t cval = v->arch.vtimer.cntv_cval, offset = v->domain->arch.cntvoff;

    return cval <= UINT64_MAX - offset ? cval + offset : UINT64_MAX;
}

/* The saved timer's condition holds. */
static bool saved_pending(uint64_t ctl, uint64_t due)
{
    return is_armed(ctl) && read_sysreg(cntpct_el0) >= due;
}

static void wake(void *arg)
{
    struct vcpu *v = arg;
    const struct vtimer_vcpu *t = &v->arch.vtimer;

    /*
     * What is due is pended at once: to leave it to the hardware would cost the vCPU an exit right
     * after it entered. Its registers cannot change meanwhile: vtimer_load() waits for this
     * function.
     */
    if (saved_pending(t->cntv_ctl, virt_due(v)))
        vgic_inject_saved(v, t->ppi_virt);
    if (saved_pending(t->cntp_ctl, t->cntp_cval))
        vgic_inject_saved(v, t->ppi_phys);
    vcpu_kick(v);
}

int vtimer_vcpu_init(struct vcpu *v)
{
    struct vtimer_vcpu *t = &v->arch.vtimer;

    t->ppi_virt = VTIMER_PPI_VIRT;
    t->ppi_phys = VTIMER_PPI_PHYS;
    return timer_init(&t->wake, wake, v);
}

void vtimer_vcpu_destroy(struct vcpu *v)
{
    timer_destroy(&v->arch.vtimer.wake);
}

void vtimer_vcpu_reset(struct vcpu *v)
{
    v->arch.vtimer.cntv_ctl = 0;
    v->arch.vtimer.cntp_ctl = 0;
}

/* When the vCPU that sleeps is to be woken: TIMER_NEVER, or when the first timer is due that has
 * not fired yet. */
static uint64_t next_wake(const struct vcpu *v)
{
    const struct vtimer_vcpu *t = &v->arch.vtimer;
    uint64_t at = TIMER_NEVER;

    if (is_armed(t->cntv_ctl) && !vgic_fired(v, t->ppi_virt))
        at = clock_of_ticks(virt_due(v));
    if (is_armed(t->cntp_ctl) && !vgic_fired(v, t->ppi_phys))
        at = min(at, clock_of_ticks(t->cntp_cval));
    return at;
}

void vtimer_save(struct vcpu *v)
{
    struct vtimer_vcpu *t = &v->arch.vtimer;

    if (!t->loaded)
        return;
    t->cntv_ctl = read_sysreg(cntv_ctl_el0);
    write_sysreg(0, cntv_ctl_el0);
    t->cntv_cval = read_sysreg(cntv_cval_el0);
    t->cntp_ctl = read_sysreg(cntp_ctl_el0);
    write_sysreg(0, cntp_ctl_el0);
    t->cntp_cval = read_sysreg(cntp_cval_el0);
    isb(); /* the lines are low before vgic_save() makes them inactive */
    t->loaded = false;
    if (!read_once(v->blocked))
        return;
    uint64_t at = next_wake(v);
    if (at != TIMER_NEVER) {
        t->wake_set = true;
        timer_set(&t->wake, this_pcpu(), at);
    }
}

/* The first time: the numbers that the guest sees. The hardware domain has the machine's device
 * tree. */
static void tie(struct vcpu *v)
{
    struct vtimer_vcpu *t = &v->arch.vtimer;

    if (v->domain->hardware) {
        t->ppi_virt = (uint8_t)clock_info.irq_virt;
        t->ppi_phys = (uint8_t)clock_info.irq_phys;
    }
    vgic_tie(v->domain, v, t->ppi_virt, clock_info.irq_virt);
    vgic_tie(v->domain, v, t->ppi_phys, clock_info.irq_phys);
    t->tied = true;
}

void vtimer_load(struct vcpu *v)
{
    struct vtimer_vcpu *t = &v->arch.vtimer;

    if (t->loaded)
        return;
    if (unlikely(!t->tied))
        tie(v);
    if (t->wake_set) {
        timer_stop(&t->wake);
        t->wake_set = false;
    }
    t->loaded = true;
    write_sysreg(t->cntv_cval, cntv_cval_el0);
    write_sysreg(t->cntv_ctl, cntv_ctl_el0);
    write_sysreg(t->cntp_cval, cntp_cval_el0);
    write_sysreg(t->cntp_ctl, cntp_ctl_el0);
    isb();
}

bool vtimer_pending(struct vcpu *v, uint32_t ppi)
{
    const struct vtimer_vcpu *t = &v->arch.vtimer;
    uint64_t ctl;

    if (!vtimer_is_ppi(t, ppi))
        return false;
    bool virt = ppi == t->ppi_virt;
    if (!t->loaded)
        return virt ? saved_pending(t->cntv_ctl, virt_due(v))
                    : saved_pending(t->cntp_ctl, t->cntp_cval);
    ctl = virt ? read_sysreg(cntv_ctl_el0) : read_sysreg(cntp_ctl_el0);
    return (ctl & (CTL_ENABLE | CTL_IMASK | CTL_ISTATUS)) == (CTL_ENABLE | CTL_ISTATUS);
}

bool vtimer_fires(struct vcpu *v)
{
    const struct vtimer_vcpu *t = &v->arch.vtimer;

    return (vtimer_pending(v, t->ppi_virt) && !vgic_fired(v, t->ppi_virt)) ||
           (vtimer_pending(v, t->ppi_phys) && !vgic_fired(v, t->ppi_phys));
}

void vtimer_pcpu_init(void)
{
    /* A guest uses the physical counter and timer without a trap; nothing of the last owner's is
     * armed. */
    write_sysreg(CNTHCTL_EL1PCTEN | CNTHCTL_EL1PCEN, cnthctl_el2);
    write_sysreg(0, cntv_ctl_el0);
    write_sysreg(0, cntp_ctl_el0);
    isb();
    gic.driver->enable(clock_info.irq_virt);
    gic.driver->enable(clock_info.irq_phys);
}

void vtimer_interrupt(bool virt)
{
    struct vcpu *v = this_pcpu()->current;

    if (v != NULL && v->arch.vtimer.loaded) {
        vgic_inject(v->domain, v, virt ? v->arch.vtimer.ppi_virt : v->arch.vtimer.ppi_phys, v);
        return;
    }
    /* It was on its way when the vCPU was saved. */
    gic.driver->set_active(virt ? clock_info.irq_virt : clock_info.irq_phys, false);
}
