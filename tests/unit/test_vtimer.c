/* SPDX-License-Identifier: MIT */
/*
 * Guests' timers: what is moved between hardware and memory, what wakes a vCPU that sleeps, and
 * what ends its wait.
 */
#include "unit.h"

#include "fake_sysreg.h"

FAKE_SYSREG(cntv_ctl_el0);
FAKE_SYSREG(cntv_cval_el0);
FAKE_SYSREG(cntp_ctl_el0);
FAKE_SYSREG(cntp_cval_el0);
FAKE_SYSREG(cntpct_el0);
FAKE_SYSREG(cnthctl_el2);

#include "../../hypervisor/arch/arm64/vtimer.c"

/* --- who is asked --------------------------------------------------------------------------------
 */

struct clock_info clock_info = { .irq_hyp = 26, .irq_virt = 27, .irq_phys = 30 };
struct gic_info gic;

static struct domain domain;
static struct vcpu vcpu;
static uint32_t fired, kicks;
static uint64_t wake_at; /* ticks and ns are one here */

uint64_t clock_of_ticks(uint64_t ticks)
{
    return ticks;
}

int timer_init(struct timer *t, void (*fn)(void *), void *arg)
{
    t->fn = fn;
    t->arg = arg;
    return 0;
}

void timer_destroy(struct timer *t)
{
    wake_at = TIMER_NEVER;
}

void timer_set(struct timer *t, struct pcpu *p, uint64_t expires_ns)
{
    wake_at = expires_ns;
}

void timer_stop(struct timer *t)
{
    wake_at = TIMER_NEVER;
}

bool vgic_fired(const struct vcpu *v, uint32_t virq)
{
    return (fired >> virq & 1) != 0;
}

void vgic_inject_saved(struct vcpu *v, uint32_t ppi)
{
    fired |= 1u << ppi;
}

struct vcpu *vgic_inject(struct domain *d, struct vcpu *v, uint32_t virq, struct vcpu *here)
{
    fired |= 1u << virq;
    return v;
}

void vgic_tie(struct domain *d, struct vcpu *v, uint32_t virq, uint32_t irq)
{
}

void vcpu_kick(struct vcpu *v)
{
    kicks++;
}

/* --- helpers ------------------------------------------------------------------------------------
 */

#define OFFSET 1000u

/* What the hardware does as time passes. */
static void at_time(uint64_t now)
{
    fake_cntpct_el0 = now;
    fake_cntv_ctl_el0 &= ~(uint64_t)CTL_ISTATUS;
    fake_cntp_ctl_el0 &= ~(uint64_t)CTL_ISTATUS;
    if ((fake_cntv_ctl_el0 & CTL_ENABLE) && now - OFFSET >= fake_cntv_cval_el0)
        fake_cntv_ctl_el0 |= CTL_ISTATUS;
    if ((fake_cntp_ctl_el0 & CTL_ENABLE) && now >= fake_cntp_cval_el0)
        fake_cntp_ctl_el0 |= CTL_ISTATUS;
}

static void start(void)
{
    memset(&domain, 0, sizeof(domain));
    memset(&vcpu, 0, sizeof(vcpu));
    vcpu.domain = &domain;
    domain.arch.cntvoff = OFFSET;
    fired = kicks = 0;
    wake_at = TIMER_NEVER;
    assert_int_equal(vtimer_vcpu_init(&vcpu), 0);
    vtimer_vcpu_reset(&vcpu);
    vtimer_load(&vcpu);
    at_time(OFFSET);
}

static void block(void)
{
    vcpu.blocked = true;
    vtimer_save(&vcpu);
}

/* --- tests ---------------------------------------------------------------------------------------
 */

/* A guest whose timer is due, but masked, burns its CPU in WFI; or one with an open timer sleeps
 * on. */
static void ends_a_wait(void **state)
{
    start();
    assert_false(vtimer_fires(&vcpu));
    fake_cntv_cval_el0 = 500;
    fake_cntv_ctl_el0 = CTL_ENABLE;
    at_time(OFFSET + 499);
    assert_false(vtimer_fires(&vcpu));
    at_time(OFFSET + 500);
    assert_true(vtimer_fires(&vcpu));
    fake_cntv_ctl_el0 |= CTL_IMASK;
    assert_false(vtimer_fires(&vcpu));
    fake_cntv_ctl_el0 &= ~CTL_IMASK;
    fired = 1u << VTIMER_PPI_VIRT; /* whether it is to be taken is the vGIC's matter now */
    assert_false(vtimer_fires(&vcpu));
    fake_cntp_cval_el0 = OFFSET;
    fake_cntp_ctl_el0 = CTL_ENABLE;
    at_time(OFFSET + 500);
    assert_true(vtimer_fires(&vcpu));
}

/* A guest's timer goes on while another guest has the CPU, and leaves nothing there. */
static void is_switched(void **state)
{
    start();
    fake_cntv_cval_el0 = 500;
    fake_cntv_ctl_el0 = CTL_ENABLE;
    fake_cntp_cval_el0 = 2000;
    fake_cntp_ctl_el0 = CTL_ENABLE | CTL_IMASK;
    vtimer_save(&vcpu);
    assert_int_equal(fake_cntv_ctl_el0, 0);
    assert_int_equal(fake_cntp_ctl_el0, 0);
    assert_int_equal(wake_at, TIMER_NEVER); /* it does not sleep, it waits for its turn */
    at_time(OFFSET + 499);
    assert_false(vtimer_pending(&vcpu, VTIMER_PPI_VIRT));
    at_time(OFFSET + 500);
    assert_true(vtimer_pending(&vcpu, VTIMER_PPI_VIRT));
    at_time(2000);
    assert_false(vtimer_pending(&vcpu, VTIMER_PPI_PHYS));
    vtimer_load(&vcpu);
    assert_int_equal(fake_cntv_cval_el0, 500);
    assert_int_equal(fake_cntv_ctl_el0, CTL_ENABLE);
    assert_int_equal(fake_cntp_cval_el0, 2000);
    assert_int_equal(fake_cntp_ctl_el0, CTL_ENABLE | CTL_IMASK);
}

/* A guest that sleeps is woken late, never, or again and again for what it has masked. */
static void wakes_a_sleeper(void **state)
{
    start();
    fake_cntv_cval_el0 = 500;
    fake_cntv_ctl_el0 = CTL_ENABLE;
    fake_cntp_cval_el0 = OFFSET + 400;
    fake_cntp_ctl_el0 = CTL_ENABLE;
    block();
    assert_int_equal(wake_at, OFFSET + 400);
    at_time(OFFSET + 450);
    vcpu.arch.vtimer.wake.fn(&vcpu);
    assert_int_equal(kicks, 1);
    assert_int_equal(fired, 1u << VTIMER_PPI_PHYS);
    vtimer_load(&vcpu);
    assert_int_equal(wake_at, TIMER_NEVER);
    block(); /* with that interrupt masked: the other timer is next */
    assert_int_equal(wake_at, OFFSET + 500);
    at_time(OFFSET + 500);
    vcpu.arch.vtimer.wake.fn(&vcpu);
    assert_int_equal(fired, 1u << VTIMER_PPI_PHYS | 1u << VTIMER_PPI_VIRT);
    vtimer_load(&vcpu);
    block(); /* both masked */
    assert_int_equal(wake_at, TIMER_NEVER);
}

/* A comparator that the counter never reaches wakes a guest at once. */
static void far_future(void **state)
{
    start();
    fake_cntv_cval_el0 = UINT64_MAX - 1; /* beyond the end, with the offset */
    fake_cntv_ctl_el0 = CTL_ENABLE;
    block();
    assert_int_equal(wake_at, TIMER_NEVER);
    assert_false(vtimer_pending(&vcpu, VTIMER_PPI_VIRT));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends_a_wait),
        cmocka_unit_test(is_switched),
        cmocka_unit_test(wakes_a_sleeper),
        cmocka_unit_test(far_future),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
