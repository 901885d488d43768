/* SPDX-License-Identifier: MIT */
/*
 * The local APIC of x86's guests: registers both ways, priorities, messages between vCPUs, INIT and
 * start-up, timers. Intel SDM volume 3, chapter 11.
 */
// sources: core/timer.c core/spinlock.c
#include "unit.h"

#include "x86_vcpu.h"

#include "../../hypervisor/arch/x86/vlapic.c"
#include "../../hypervisor/arch/x86/vlapic_ipi.c"
#include "../../hypervisor/arch/x86/vlapic_regs.c"
#include "../../hypervisor/arch/x86/vlapic_timer.c"

#include <asm/host.h>
#include <string.h>

#define VCPUS 4u

static struct domain dom;
static struct vcpu vcpus[VCPUS], *list[VCPUS];
static struct vcpu_info infos[VCPUS];
static mmio_handler_fn *page;
static uint32_t kicks[VCPUS], resets, ended;
static uint8_t ended_vector, started_at;

/* --- what is around it ------------------------------------------------------------------------ */

void vcpu_kick(struct vcpu *v)
{
    kicks[v->id]++;
}

void vcpu_up(struct vcpu *v)
{
    v->online = v->initialised = true;
}

void vcpu_down(struct vcpu *v)
{
    v->online = false;
}

void arch_vcpu_reset(struct vcpu *v)
{
    resets++;
    vlapic_vcpu_reset(v);
}

void hvm_start_at(struct vcpu *v, uint8_t vector)
{
    started_at = vector;
}

void vioapic_eoi(struct domain *d, uint8_t vector)
{
    ended++;
    ended_vector = vector;
}

uint64_t vtime_tsc(const struct domain *d)
{
    return clock_ns() * 2;
}

uint64_t vtime_ns_of_tsc(const struct domain *d, uint64_t guest_tsc)
{
    return guest_tsc / 2;
}

int mmio_add(struct domain *d, gaddr_t start, uint64_t bytes, mmio_handler_fn *handler,
             void *device)
{
    assert_int_equal(start.v, VLAPIC_PAGE);
    page = handler;
    return 0;
}

static int set_up(void **state)
{
    host_pcpus_init(1);
    memset(&dom, 0, sizeof(dom));
    memset(vcpus, 0, sizeof(vcpus));
    memset(infos, 0, sizeof(infos));
    memset(kicks, 0, sizeof(kicks));
    resets = ended = 0;
    dom.lock = SPINLOCK_INIT(LOCK_DOMAIN);
    dom.max_vcpus = VCPUS;
    dom.vcpus = list;
    assert_int_equal(timer_queue_init(this_pcpu()), 0);
    assert_int_equal(vlapic_domain_init(&dom), 0);
    for (uint32_t i = 0; i < VCPUS; i++) {
        list[i] = &vcpus[i];
        vcpus[i].id = i;
        vcpus[i].domain = &dom;
        vcpus[i].info = &infos[i];
        assert_int_equal(vlapic_vcpu_init(&vcpus[i]), 0);
        vlapic_vcpu_reset(&vcpus[i]);
    }
    vcpus[0].online = true;
    return 0;
}

static int tear_down(void **state)
{
    for (uint32_t i = 0; i < VCPUS; i++)
        vlapic_vcpu_destroy(&vcpus[i]);
    free(this_pcpu()->timers.heap);
    return 0;
}

/* --- ways to the registers -------------------------------------------------------------------- */

static uint32_t load(uint32_t cpu, uint32_t offset)
{
    struct mmio_access a = { .addr = GADDR(VLAPIC_PAGE + offset), .offset = offset, .size = 4 };

    assert_int_equal(page(&vcpus[cpu], &a, NULL), EXIT_HANDLED);
    return (uint32_t)a.value;
}

static enum exit_action store(uint32_t cpu, uint32_t offset, uint32_t value)
{
    struct mmio_access a = { .addr = GADDR(VLAPIC_PAGE + offset),
                             .offset = offset,
                             .size = 4,
                             .write = true,
                             .value = value };

    return page(&vcpus[cpu], &a, NULL);
}

static void switch_on(uint32_t cpu)
{
    store(cpu, APIC_SVR, 0x1ff);
}

static void use_msrs(uint32_t cpu)
{
    struct vcpu *v = &vcpus[cpu];

    assert_int_equal(vlapic_write_base(v, v->arch.vlapic.base | APIC_BASE_X2APIC), EXIT_HANDLED);
}

static enum exit_action write_msr(uint32_t cpu, uint32_t offset, uint64_t value)
{
    return vlapic_write_msr(&vcpus[cpu], APIC_MSR(offset), value);
}

static void advance(uint64_t ns)
{
    host_clock_advance(ns);
    timer_run();
}

static bool is_pended(uint32_t cpu, uint8_t vector)
{
    return is_set(vcpus[cpu].arch.vlapic.irr, vector);
}

/* --- interrupts ------------------------------------------------------------------------------- */

static void test_reset(void **state)
{
    assert_int_equal(load(1, APIC_ID), 2u << 24);
    assert_int_equal(load(0, APIC_VERSION), 0x50014);
    assert_int_equal(load(0, APIC_SVR), 0xff);
    assert_int_equal(load(0, APIC_DFR), UINT32_MAX);
    for (uint32_t lvt = APIC_LVT_TIMER; lvt <= APIC_LVT_ERROR; lvt += 16)
        assert_int_equal(load(0, lvt), APIC_MASKED);
    assert_true(vcpus[0].arch.vlapic.base & APIC_BASE_BSP);
    assert_false(vcpus[1].arch.vlapic.base & APIC_BASE_BSP);
}

static void test_order(void **state)
{
    struct vcpu *v = &vcpus[0];

    switch_on(0);
    assert_int_equal(vlapic_pending(v), -1);
    vlapic_raise(v, 0x31, false);
    vlapic_raise(v, 0x85, false);
    assert_int_equal(kicks[0], 2);
    assert_int_equal(vlapic_pending(v), 0x85);
    vlapic_accept(v, 0x85);
    assert_int_equal(load(0, APIC_ISR + 0x40), 1u << 5);
    /* The same class, and below: they wait. */
    vlapic_raise(v, 0x8f, false);
    assert_int_equal(vlapic_pending(v), -1);
    assert_int_equal(load(0, APIC_PPR), 0x80);
    vlapic_raise(v, 0x90, false);
    assert_int_equal(vlapic_pending(v), 0x90);
    vlapic_accept(v, 0x90);
    store(0, APIC_EOI, 0);
    assert_int_equal(load(0, APIC_PPR), 0x80);
    store(0, APIC_EOI, 0);
    assert_int_equal(vlapic_pending(v), 0x8f);
    /* TPR holds back its own class too. */
    store(0, APIC_TPR, 0x80);
    assert_int_equal(vlapic_pending(v), -1);
    store(0, APIC_TPR, 0x7f);
    assert_int_equal(vlapic_pending(v), 0x8f);
}

/* What came while it was off is there when it is on. */
static void test_off(void **state)
{
    struct vcpu *v = &vcpus[0];

    vlapic_raise(v, 0x50, false);
    assert_int_equal(vlapic_pending(v), -1);
    switch_on(0);
    assert_int_equal(vlapic_pending(v), 0x50);
    store(0, APIC_SVR, 0xff);
    assert_int_equal(vlapic_pending(v), -1);
    /* Messages of others do not come then. */
    switch_on(1);
    store(1, APIC_ICR, 0x4051);
    assert_false(is_pended(0, 0x51));
}

static void test_levels(void **state)
{
    struct vcpu *v = &vcpus[0];

    switch_on(0);
    vlapic_raise(v, 0x60, true);
    vlapic_accept(v, 0x60);
    assert_int_equal(load(0, APIC_TMR + 0x30), 1);
    store(0, APIC_EOI, 0);
    assert_int_equal(ended, 1);
    assert_int_equal(ended_vector, 0x60);
    vlapic_raise(v, 0x60, false);
    vlapic_accept(v, 0x60);
    store(0, APIC_EOI, 0);
    store(0, APIC_EOI, 0); /* of nothing */
    assert_int_equal(ended, 1);
}

static void test_bad_vectors(void **state)
{
    switch_on(0);
    vlapic_raise(&vcpus[0], 15, false);
    assert_int_equal(vlapic_pending(&vcpus[0]), -1);
    store(0, APIC_ICR_HIGH, 0);
    store(0, APIC_ICR, 0x400f);
    assert_int_equal(load(0, APIC_ESR), 0);
    store(0, APIC_ESR, 0);
    assert_int_equal(load(0, APIC_ESR), APIC_ESR_SEND_VECTOR | APIC_ESR_RECEIVE_VECTOR);
    store(0, 0x40, 1); /* no register */
    store(0, APIC_ESR, 0);
    assert_int_equal(load(0, APIC_ESR), APIC_ESR_REGISTER);
}

/* --- messages --------------------------------------------------------------------------------- */

static void test_destinations(void **state)
{
    for (uint32_t i = 0; i < VCPUS; i++) {
        switch_on(i);
        store(i, APIC_LDR, 0x01000000u << i);
    }
    store(0, APIC_ICR_HIGH, 2u << 24);
    store(0, APIC_ICR, 0x4041);
    assert_true(is_pended(1, 0x41) && !is_pended(0, 0x41) && !is_pended(2, 0x41));
    /* Logical, flat. */
    store(0, APIC_ICR_HIGH, 0x0c000000);
    store(0, APIC_ICR, 0x4842);
    assert_true(is_pended(2, 0x42) && is_pended(3, 0x42) && !is_pended(1, 0x42));
    /* Lowest priority: one of them. */
    store(0, APIC_ICR, 0x4943);
    assert_int_equal(is_pended(2, 0x43) + is_pended(3, 0x43), 1);
    /* Clusters. */
    for (uint32_t i = 0; i < VCPUS; i++) {
        store(i, APIC_DFR, 0x0fffffff);
        store(i, APIC_LDR, (i / 2 << 4 | 1u << i % 2) << 24);
    }
    store(0, APIC_ICR_HIGH, 0x13000000);
    store(0, APIC_ICR, 0x4844);
    assert_true(is_pended(2, 0x44) && is_pended(3, 0x44) && !is_pended(0, 0x44));
    /* All but itself, itself, all. */
    store(0, APIC_ICR, 0xc4045);
    assert_true(!is_pended(0, 0x45) && is_pended(1, 0x45) && is_pended(3, 0x45));
    store(0, APIC_ICR, 0x44046);
    assert_true(is_pended(0, 0x46) && !is_pended(1, 0x46));
    store(0, APIC_ICR, 0x84047);
    assert_true(is_pended(0, 0x47) && is_pended(3, 0x47));
    /* Broadcast, and nobody. */
    store(0, APIC_ICR_HIGH, 0xff000000);
    store(0, APIC_ICR, 0x4048);
    assert_true(is_pended(0, 0x48) && is_pended(3, 0x48));
    store(0, APIC_ICR_HIGH, 0x77000000);
    store(0, APIC_ICR, 0x4049);
    for (uint32_t i = 0; i < VCPUS; i++)
        assert_false(is_pended(i, 0x49));
}

static void test_x2apic_messages(void **state)
{
    for (uint32_t i = 0; i < VCPUS; i++) {
        switch_on(i);
        use_msrs(i);
    }
    assert_int_equal(write_msr(0, APIC_ICR, 0x600004041), EXIT_HANDLED);
    assert_true(is_pended(3, 0x41) && !is_pended(0, 0x41));
    /* Logical: cluster 0, members 0 and 4, which are vCPUs 0 and 2. */
    assert_int_equal(write_msr(0, APIC_ICR, 0x1100004842), EXIT_HANDLED);
    assert_true(is_pended(0, 0x42) && is_pended(2, 0x42) && !is_pended(1, 0x42));
    assert_int_equal(write_msr(1, APIC_SELF_IPI, 0x43), EXIT_HANDLED);
    assert_true(is_pended(1, 0x43) && !is_pended(0, 0x43));
    assert_int_equal(write_msr(0, APIC_ICR, 0xffffffff00004044), EXIT_HANDLED);
    assert_true(is_pended(0, 0x44) && is_pended(3, 0x44));
    /* NMI. */
    assert_int_equal(write_msr(0, APIC_ICR, 0x200004400), EXIT_HANDLED);
    assert_true(vcpus[1].arch.nmi_pending);
}

static void test_start(void **state)
{
    struct vcpu *ap = &vcpus[1];

    switch_on(0);
    store(0, APIC_ICR_HIGH, 2u << 24);
    store(0, APIC_ICR, 0x4500); /* INIT for one that waits already */
    assert_false(vlapic_take_init(ap));
    assert_int_equal(store(0, APIC_ICR, 0x4609), EXIT_HANDLED);
    assert_true(ap->online);
    assert_int_equal(started_at, 9);
    assert_int_equal(resets, 1);
    store(0, APIC_ICR, 0x460a); /* the second one that some send */
    assert_int_equal(resets, 1);
    /* INIT while it runs: the sender of the start-up waits until it is off. */
    store(0, APIC_ICR, 0x4500);
    assert_int_equal(kicks[1], 1);
    assert_int_equal(store(0, APIC_ICR, 0x460b), EXIT_RETRY);
    assert_true(vlapic_take_init(ap));
    assert_false(ap->online);
    ap->sched.held = true;
    assert_int_equal(store(0, APIC_ICR, 0x460b), EXIT_RETRY);
    ap->sched.held = false;
    assert_int_equal(store(0, APIC_ICR, 0x460b), EXIT_HANDLED);
    assert_int_equal(started_at, 0xb);
    /* A toolstack that gives it a state gives it all of it. */
    store(0, APIC_ICR, 0x4500);
    arch_vcpu_reset(ap);
    assert_false(vlapic_take_init(ap));
    assert_true(ap->online);
    /* INIT, level, de-assert: nothing. */
    store(0, APIC_ICR, 0x8500);
    assert_false(vlapic_take_init(ap));
}

/* The start-up's reset does not lose an event that it was told of before. */
static void test_start_with_event(void **state)
{
    struct vcpu *ap = &vcpus[1];

    switch_on(0);
    ap->arch.upcall_vector = 0xf3;
    infos[1].evtchn_upcall_pending = 1;
    store(0, APIC_ICR_HIGH, 2u << 24);
    store(0, APIC_ICR, 0x4609);
    switch_on(1);
    assert_int_equal(vlapic_pending(ap), 0xf3);
}

/* --- registers as MSRs ------------------------------------------------------------------------ */

static void test_msrs(void **state)
{
    struct vcpu *v = &vcpus[1];
    uint64_t value;

    assert_int_equal(vlapic_read_msr(v, APIC_MSR(APIC_ID), &value), EXIT_FAULT);
    assert_int_equal(write_msr(1, APIC_EOI, 0), EXIT_FAULT);
    use_msrs(1);
    assert_int_equal(vlapic_read_msr(v, APIC_MSR(APIC_ID), &value), EXIT_HANDLED);
    assert_int_equal(value, 2);
    assert_int_equal(vlapic_read_msr(v, APIC_MSR(APIC_LDR), &value), EXIT_HANDLED);
    assert_int_equal(value, 4);
    assert_int_equal(vlapic_read_msr(v, APIC_MSR(APIC_DFR), &value), EXIT_FAULT);
    assert_int_equal(vlapic_read_msr(v, APIC_MSR(APIC_ICR_HIGH), &value), EXIT_FAULT);
    assert_int_equal(vlapic_read_msr(v, MSR_X2APIC_LAST, &value), EXIT_FAULT);
    assert_int_equal(write_msr(1, APIC_LDR, 0), EXIT_FAULT);
    assert_int_equal(write_msr(1, APIC_TPR, 0x100), EXIT_FAULT);
    assert_int_equal(write_msr(1, APIC_EOI, 1), EXIT_FAULT);
    assert_int_equal(write_msr(1, APIC_SVR, BIT(13)), EXIT_FAULT);
    assert_int_equal(write_msr(1, APIC_LVT_TIMER, BIT(32)), EXIT_FAULT);
    assert_int_equal(write_msr(1, APIC_COUNT, BIT(32)), EXIT_FAULT);
    /* The page is not there then. */
    assert_int_equal(load(1, APIC_ID), UINT32_MAX);
}

static void test_base(void **state)
{
    struct vcpu *v = &vcpus[0];
    uint64_t on = VLAPIC_PAGE | APIC_BASE_BSP | APIC_BASE_ENABLE;

    assert_int_equal(vlapic_write_base(v, on + FRAME_SIZE), EXIT_FAULT);
    assert_int_equal(vlapic_write_base(v, on & ~APIC_BASE_BSP), EXIT_FAULT);
    assert_int_equal(vlapic_write_base(v, VLAPIC_PAGE | APIC_BASE_BSP | APIC_BASE_X2APIC),
                     EXIT_FAULT);
    assert_int_equal(vlapic_write_base(v, on | APIC_BASE_X2APIC), EXIT_HANDLED);
    assert_int_equal(vlapic_write_base(v, on), EXIT_FAULT);
    assert_int_equal(vlapic_write_base(v, VLAPIC_PAGE | APIC_BASE_BSP), EXIT_HANDLED);
    assert_int_equal(vlapic_write_base(v, on | APIC_BASE_X2APIC), EXIT_FAULT);
    assert_int_equal(vlapic_write_base(v, on), EXIT_HANDLED);
}

static void test_odd_accesses(void **state)
{
    struct mmio_access a = { .addr = GADDR(VLAPIC_PAGE + 0x21), .offset = 0x21, .size = 1 };

    assert_int_equal(page(&vcpus[1], &a, NULL), EXIT_HANDLED);
    assert_int_equal((uint8_t)a.value, 0);
    a = (struct mmio_access){ .offset = 0x22, .size = 4 };
    assert_int_equal(page(&vcpus[1], &a, NULL), EXIT_HANDLED);
    assert_int_equal(a.value, 0);
    a = (struct mmio_access){ .offset = APIC_TPR, .size = 8, .write = true, .value = 0xff };
    assert_int_equal(page(&vcpus[1], &a, NULL), EXIT_HANDLED);
    assert_int_equal(load(1, APIC_TPR), 0);
    for (uint32_t offset = 0; offset < FRAME_SIZE; offset += 4) {
        (void)load(1, offset);
        if (offset != APIC_ICR)
            store(1, offset, UINT32_MAX);
    }
}

/* --- timers ----------------------------------------------------------------------------------- */

static void test_one_shot(void **state)
{
    switch_on(0);
    store(0, APIC_DIVIDE, 0xb); /* by 1 */
    store(0, APIC_LVT_TIMER, 0x30);
    store(0, APIC_COUNT, 1000); /* 10 us */
    advance(4000);
    assert_int_equal(load(0, APIC_CURRENT), 600);
    assert_false(is_pended(0, 0x30));
    advance(6000);
    assert_true(is_pended(0, 0x30));
    assert_int_equal(load(0, APIC_CURRENT), 0);
    vlapic_accept(&vcpus[0], 0x30);
    advance(1000000);
    assert_false(is_pended(0, 0x30));
    /* Masked: it counts, and tells nobody. A count of 0 stops it. */
    store(0, APIC_LVT_TIMER, 0x10030);
    store(0, APIC_COUNT, 1000);
    advance(20000);
    assert_false(is_pended(0, 0x30));
    store(0, APIC_LVT_TIMER, 0x30);
    store(0, APIC_COUNT, 1000);
    store(0, APIC_COUNT, 0);
    advance(20000);
    assert_false(is_pended(0, 0x30));
}

static void test_periodic(void **state)
{
    uint32_t came = 0;

    switch_on(0);
    store(0, APIC_DIVIDE, 0); /* by 2 */
    store(0, APIC_LVT_TIMER, 0x20031);
    store(0, APIC_COUNT, 50000); /* 1 ms */
    for (uint32_t i = 0; i < 10; i++) {
        advance(1000000);
        came += is_pended(0, 0x31);
        vlapic_accept(&vcpus[0], 0x31);
        vcpus[0].arch.vlapic.isr[0] = 0;
    }
    assert_int_equal(came, 10);
    store(0, APIC_COUNT, 0);
    advance(5000000);
    assert_false(is_pended(0, 0x31));
    /* The shortest of all does not keep us from anything else. */
    store(0, APIC_COUNT, 1);
    host_clock_advance(1000000);
    for (uint32_t i = 0; i < 40; i++)
        timer_run();
    assert_true(this_pcpu()->timers.programmed_ns > clock_ns());
    store(0, APIC_COUNT, 0);
}

static void test_deadline(void **state)
{
    struct vcpu *v = &vcpus[0];

    switch_on(0);
    vlapic_write_deadline(v, 100000);
    assert_int_equal(vlapic_read_deadline(v), 0); /* not in that mode */
    store(0, APIC_LVT_TIMER, 0x40032);
    vlapic_write_deadline(v, 100000); /* ticks of half a ns: 50 us */
    assert_int_equal(vlapic_read_deadline(v), 100000);
    advance(49000);
    assert_false(is_pended(0, 0x32));
    advance(2000);
    assert_true(is_pended(0, 0x32));
    assert_int_equal(vlapic_read_deadline(v), 0);
    vlapic_accept(v, 0x32);
    /* One that is past fires at once; 0 disarms. */
    vlapic_write_deadline(v, 1);
    advance(1);
    assert_true(is_pended(0, 0x32));
    vlapic_accept(v, 0x32);
    vlapic_write_deadline(v, 300000);
    vlapic_write_deadline(v, 0);
    advance(1000000);
    assert_false(is_pended(0, 0x32));
    assert_int_equal(load(0, APIC_CURRENT), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_reset),
        TEST(test_order),
        TEST(test_off),
        TEST(test_levels),
        TEST(test_bad_vectors),
        TEST(test_destinations),
        TEST(test_x2apic_messages),
        TEST(test_start),
        TEST(test_start_with_event),
        TEST(test_msrs),
        TEST(test_base),
        TEST(test_odd_accesses),
        TEST(test_one_shot),
        TEST(test_periodic),
        TEST(test_deadline),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
