/* SPDX-License-Identifier: MIT */
// sources: arch/arm64/vgic.c arch/arm64/vgic_lr.c arch/arm64/vgic_entry.c
// sources: arch/arm64/vgic_regs.c arch/arm64/vgic_v2.c arch/arm64/vgic_v3.c core/spinlock.c
/*
 * The virtual GIC, one thing at a time: what identifies it, wild accesses, timers shared by vCPUs,
 * private interrupts changed from elsewhere, and whether a vCPU that waits would be woken.
 * test_vgic_random.c has the rest.
 */
#include "test_vgic_machine.h"

static struct vcpu *vcpu(uint32_t id)
{
    return machine_vcpu_list[id];
}

static void private_write(struct vcpu *v, struct vcpu *t, uint32_t offset, uint32_t value)
{
    guest_access(v, private_region(), private_at(t, offset), 4, true, value);
}

static uint32_t private_read(struct vcpu *v, struct vcpu *t, uint32_t offset)
{
    return (uint32_t)guest_access(v, private_region(), private_at(t, offset), 4, false, 0);
}

/* Both vCPUs loaded, groups on, the timer's PPI tied and enabled. */
static void start_two(uint32_t version)
{
    machine_start(version, 2, 4);
    load(vcpu(0), 0);
    load(vcpu(1), 1);
    guest_write(vcpu(0), GICD_CTLR, 3);
    for (uint32_t i = 0; i < 2; i++) {
        vgic_tie(&machine_domain, vcpu(i), PPI_TIMER, PPI_TIMER);
        private_write(vcpu(i), vcpu(i), GICD_ISENABLER, 1u << PPI_TIMER | 2);
    }
}

static bool has_interrupt_result;

static void has_interrupt_job(void *arg)
{
    has_interrupt_result = vgic_has_interrupt(arg);
}

static bool has_interrupt(struct vcpu *v)
{
    begin(&machine_pcpus[where_is(v)], has_interrupt_job, v);
    finish_all();
    return has_interrupt_result;
}

/* --- registers ------------------------------------------------------------------------------- */

/* A guest's driver refuses the controller, or finds the wrong number of interrupts or CPUs. */
static void identification_v3(void **state)
{
    machine_start(3, 4, 4);
    load(vcpu(0), 0);
    assert_int_equal(guest_read(vcpu(0), GICD_TYPER) & 0x1f, NR_INTIDS / 32 - 1);
    assert_int_equal(guest_read(vcpu(0), GICD_CTLR), GICD_CTLR_ARE | GICD_CTLR_DS);
    assert_int_equal(guest_read(vcpu(0), GICD_V3_PIDR2) & 0xf0, 0x30);
    for (uint32_t i = 0; i < 4; i++) {
        uint64_t typer = guest_access(vcpu(0), 1, (uint64_t)i << 17 | GICR_TYPER, 8, false, 0);
        assert_int_equal(typer >> 32, i);
        assert_int_equal(typer >> 8 & 0xffff, i);
        assert_int_equal((typer & GICR_TYPER_LAST) != 0, i == 3);
        assert_int_equal(
            guest_access(vcpu(0), 1, (uint64_t)i << 17 | (GICR_TYPER + 4), 4, false, 0), i);
    }
    /* Linux wakes it and waits for both bits to go. */
    assert_int_equal(guest_access(vcpu(0), 1, GICR_WAKER, 4, false, 0), 6);
    guest_access(vcpu(0), 1, GICR_WAKER, 4, true, 0);
    assert_int_equal(guest_access(vcpu(0), 1, GICR_WAKER, 4, false, 0), 0);
    machine_stop();
}

static void identification_v2(void **state)
{
    machine_start(2, 4, 4);
    load(vcpu(2), 0);
    assert_int_equal(guest_read(vcpu(2), GICD_TYPER), (NR_INTIDS / 32 - 1) | 3 << 5);
    assert_int_equal(guest_read(vcpu(2), 0xfe8) & 0xf0, 0x20);
    /* By these a CPU learns its number. */
    assert_int_equal(guest_read(vcpu(2), GICD_ITARGETSR), 0x04040404);
    machine_stop();
    machine_start(2, 1, 4);
    load(vcpu(0), 0);
    assert_int_equal(guest_read(vcpu(0), GICD_ITARGETSR + 32), 0);
    machine_stop();
}

/* A guest with the most interrupts has some at the end that do not exist: they must not come to be.
 */
static void most_interrupts(void **state)
{
    struct domain d = { .max_vcpus = 8 };

    machine_start(3, 1, 4);
    assert_int_equal(vgic_init(&d, 5000), 0);
    assert_int_equal(d.arch.vgic.nr_banks, 32);
    vgic_destroy(&d);
    vgic_destroy(&machine_domain);
    assert_int_equal(vgic_init(&machine_domain, 988), 0);
    load(vcpu(0), 0);
    guest_write(vcpu(0), GICD_ISENABLER + 4 * 31, ~0u);
    assert_int_equal(guest_read(vcpu(0), GICD_ISENABLER + 4 * 31), 0x0fffffff);
    guest_write(vcpu(0), GICD_ISPENDR + 4 * 31, ~0u);
    assert_int_equal(guest_read(vcpu(0), GICD_ISPENDR + 4 * 31), 0x0fffffff);
    machine_stop();

    machine_start(2, 1, 4);
    d.max_vcpus = 9;
    assert_int_equal(vgic_init(&d, 32), -EINVAL);
    machine_stop();
}

/* The CPU interface is not where the guest's tree says, or a page beside it is given away too. */
static void cpu_interface_v2(void **state)
{
    machine_start(2, 1, 4);
    assert_int_equal(machine_gicv_at, 0x8040000);
    assert_int_equal(machine_gicv_frames, 1);
    assert_int_equal(machine_regions[1].start.v, SECOND_AT + 0x1000);
    assert_int_equal(machine_regions[1].bytes, 0x1000);
    /* A board that repeats pages; a guest whose tree does not, and one whose does. */
    gic.virt.size = 0x20000;
    gic.virt_offset = 0xf000;
    machine_nr_regions = 0;
    assert_int_equal(vgic_map(&machine_domain, GADDR(GICD_AT), GADDR(SECOND_AT), 0x2000), 0);
    assert_int_equal(machine_gicv_at, 0x804f000);
    assert_int_equal(machine_gicv_frames, 1);
    machine_nr_regions = 0;
    assert_int_equal(vgic_map(&machine_domain, GADDR(GICD_AT), GADDR(SECOND_AT), 0x20000), 0);
    assert_int_equal(machine_gicv_at, 0x8040000);
    assert_int_equal(machine_gicv_frames, 16);
    assert_int_equal(machine_regions[1].start.v, SECOND_AT + 0x10000);
    assert_int_equal(vgic_map(&machine_domain, GADDR(GICD_AT), GADDR(SECOND_AT), 0x1000), -EINVAL);
    machine_stop();
}

static void wild_accesses(uint32_t version, uint32_t nr_regions)
{
    static const uint64_t values[] = { 0, ~0ull, 0xa5a5a5a5a5a5a5a5, 1 };

    machine_start(version, 2, 4);
    load(vcpu(0), 0);
    load(vcpu(1), 1);
    for (uint32_t i = 40; i < 44; i++)
        vgic_tie(&machine_domain, NULL, i, i);
    for (uint32_t region = 0; region < nr_regions; region++) {
        uint64_t bytes = machine_regions[region].bytes;
        for (uint32_t size = 1; size <= 8; size *= 2)
            for (uint64_t offset = 0; offset + size <= bytes; offset += region == 0 ? 1 : size) {
                uint64_t value = values[unit_random(4)];
                struct vcpu *v = vcpu(unit_random(2));
                /* Most of it is reserved: some of that is enough. */
                if (offset % 0x10000 > 0x1100 && unit_random(64) != 0)
                    continue;
                guest_access(v, region, offset, size, true, value);
                uint64_t got = guest_access(v, region, offset, size, false, 0);
                assert_int_equal(got & ~(~0ull >> (64 - 8 * size)), 0);
            }
    }
    finish_all();
    machine_stop();
}

/* A guest's stray access stops the host, or shows it what it must not see. */
static void wild_accesses_v3(void **state)
{
    wild_accesses(3, 2);
}

static void wild_accesses_v2(void **state)
{
    wild_accesses(2, 2);
}

/* Widths that are not in the specification have no effect: a driver would find out late. */
static void other_widths(void **state)
{
    machine_start(3, 1, 4);
    load(vcpu(0), 0);
    guest_access(vcpu(0), 0, GICD_ISENABLER + 4, 2, true, 0xffff);
    guest_access(vcpu(0), 0, GICD_ISENABLER + 4, 1, true, 0xff);
    guest_access(vcpu(0), 0, GICD_ISENABLER + 4, 8, true, ~0ull);
    assert_int_equal(guest_read(vcpu(0), GICD_ISENABLER + 4), 0);
    guest_access(vcpu(0), 0, GICD_IROUTER + 8 * 40, 4, true, 0x80010203);
    assert_int_equal(guest_access(vcpu(0), 0, GICD_IROUTER + 8 * 40, 8, false, 0), 0x10203);
    guest_access(vcpu(0), 0, GICD_IROUTER + 8 * 40 + 4, 4, true, 1); /* no affinity 3 */
    assert_int_equal(guest_access(vcpu(0), 0, GICD_IROUTER + 8 * 40, 8, false, 0), 0x10203);
    machine_stop();
}

/* --- timers ---------------------------------------------------------------------------------- */

/* A timer interrupt that one guest has not finished keeps the next guest's timer from firing. */
static void timers_of_neighbours(void **state)
{
    start_two(3);
    machine_vcpus[0].timer_due = true;
    assert_true(machine_pump(NULL));
    assert_int_equal(guest_acknowledge(vcpu(0)), PPI_TIMER);
    unload(vcpu(0));
    assert_false(machine_pcpus[0].timer_active);
    unload(vcpu(1));
    load(vcpu(1), 0);
    machine_vcpus[1].timer_due = true;
    assert_true(machine_pump(NULL));
    assert_int_equal(guest_acknowledge(vcpu(1)), PPI_TIMER);
    /* The first one goes on elsewhere: its timer is still being handled there. */
    load(vcpu(0), 3);
    assert_true(machine_pcpus[3].timer_active);
    assert_false(machine_pump(NULL));
    machine_vcpus[0].timer_due = false;
    guest_end(vcpu(0));
    assert_false(machine_pcpus[3].timer_active);
    assert_int_equal(private_read(vcpu(0), vcpu(0), GICD_ISACTIVER), 0);
    machine_stop();
}

/* A guest is interrupted by a timer that it has set anew meanwhile. */
static void timer_set_anew(void **state)
{
    start_two(3);
    machine_vcpus[0].timer_due = true;
    machine_pump(NULL);
    machine_vcpus[0].timer_due = false;
    unload(vcpu(0));
    load(vcpu(0), 0);
    assert_int_equal(guest_acknowledge(vcpu(0)), GIC_SPURIOUS);
    assert_false(machine_pcpus[0].timer_active);
    /* The same while its interrupt was off. */
    private_write(vcpu(0), vcpu(0), GICD_ICENABLER, 1u << PPI_TIMER);
    machine_vcpus[0].timer_due = true;
    machine_pump(NULL);
    assert_int_equal(private_read(vcpu(0), vcpu(0), GICD_ISPENDR), 1u << PPI_TIMER);
    machine_vcpus[0].timer_due = false;
    private_write(vcpu(0), vcpu(0), GICD_ISENABLER, 1u << PPI_TIMER);
    assert_int_equal(guest_acknowledge(vcpu(0)), GIC_SPURIOUS);
    machine_vcpus[0].timer_due = true;
    assert_true(machine_pump(NULL));
    assert_int_equal(guest_acknowledge(vcpu(0)), PPI_TIMER);
    machine_stop();
}

/* What a guest wrote to ISPENDR beside a timer's line is lost when the line falls. */
static void timer_written(void **state)
{
    uint32_t bit = 1u << PPI_TIMER;

    start_two(3);
    /* While it waits in a list register. */
    machine_vcpus[0].timer_due = true;
    machine_pump(NULL);
    private_write(vcpu(0), vcpu(0), GICD_ISPENDR, bit);
    machine_vcpus[0].timer_due = false;
    assert_true(has_interrupt(vcpu(0)));
    unload(vcpu(0));
    load(vcpu(0), 2);
    assert_int_equal(private_read(vcpu(0), vcpu(0), GICD_ISPENDR), bit);
    assert_int_equal(guest_acknowledge(vcpu(0)), PPI_TIMER);
    /* While it is active. */
    assert_int_equal(private_read(vcpu(0), vcpu(0), GICD_ISPENDR), 0);
    private_write(vcpu(0), vcpu(0), GICD_ISPENDR, bit);
    guest_end(vcpu(0));
    assert_int_equal(guest_acknowledge(vcpu(0)), PPI_TIMER);
    guest_end(vcpu(0));
    assert_int_equal(guest_acknowledge(vcpu(0)), GIC_SPURIOUS);
    assert_false(machine_pcpus[2].timer_active);
    /* Then the line alone counts again, as after ICPENDR. */
    machine_vcpus[0].timer_due = true;
    machine_pump(NULL);
    private_write(vcpu(0), vcpu(0), GICD_ISPENDR, bit);
    private_write(vcpu(0), vcpu(0), GICD_ICPENDR, bit);
    machine_pump(NULL);
    machine_vcpus[0].timer_due = false;
    assert_int_equal(private_read(vcpu(0), vcpu(0), GICD_ISPENDR), 0);
    assert_int_equal(guest_acknowledge(vcpu(0)), GIC_SPURIOUS);
    assert_false(machine_pcpus[2].timer_active);
    machine_stop();
}

/* A vCPU that sleeps is woken by its timer, and finds the interrupt when it runs. */
static void timer_of_a_sleeper(void **state)
{
    start_two(3);
    unload(vcpu(0));
    machine_vcpus[0].timer_due = true;
    input(2, vcpu(0), PPI_TIMER, 4);
    assert_true(vgic_fired(vcpu(0), PPI_TIMER));
    assert_true(vgic_has_interrupt(vcpu(0)));
    load(vcpu(0), 0);
    assert_true(machine_pcpus[0].timer_active);
    assert_int_equal(guest_acknowledge(vcpu(0)), PPI_TIMER);
    machine_vcpus[0].timer_due = false;
    guest_end(vcpu(0));
    assert_false(machine_pcpus[0].timer_active);
    machine_stop();
}

/* One vCPU clears another's timer interrupt: the line on the other's pCPU has to come free. */
static void timer_cleared_from_elsewhere(void **state)
{
    start_two(3);
    private_write(vcpu(1), vcpu(1), GICD_ICENABLER, 1u << PPI_TIMER);
    machine_vcpus[1].timer_due = true;
    machine_pump(NULL);
    assert_true(machine_pcpus[1].timer_active);
    machine_vcpus[1].timer_due = false;
    private_write(vcpu(0), vcpu(1), GICD_ICPENDR, 1u << PPI_TIMER);
    assert_false(machine_pcpus[1].timer_active);
    assert_false(machine_pcpus[0].timer_active);
    machine_vcpus[1].timer_due = true;
    assert_true(machine_pump(NULL));
    machine_stop();
}

/* --- waking -------------------------------------------------------------------------------------
 */

/* A CPU waits for ever with an interrupt pending, or does not wait at all and burns time. */
static void would_it_wake(void **state)
{
    start_two(3);
    assert_false(has_interrupt(vcpu(1)));
    private_write(vcpu(1), vcpu(1), GICD_ICENABLER, 2);
    guest_sgi(vcpu(0), 1u << 24 | 2, false);
    assert_false(has_interrupt(vcpu(1)));
    private_write(vcpu(1), vcpu(1), GICD_ISENABLER, 2);
    assert_true(has_interrupt(vcpu(1)));
    machine_pcpus[1].vmcr = (uint32_t)(VMCR_ENG0 | VMCR_ENG1); /* all masked by priority */
    assert_false(has_interrupt(vcpu(1)));
    machine_pcpus[1].vmcr = (uint32_t)(VMCR_ENG0 | VMCR_PMR); /* its group is off */
    assert_false(has_interrupt(vcpu(1)));
    machine_pcpus[1].vmcr = (uint32_t)(VMCR_ENG1 | VMCR_PMR);
    assert_int_equal(guest_acknowledge(vcpu(1)), 1);
    assert_false(has_interrupt(vcpu(1)));
    guest_end(vcpu(1));
    assert_false(has_interrupt(vcpu(1)));
    /* It came again before anybody noticed that it had ended. */
    guest_sgi(vcpu(0), 1u << 24 | 2, false);
    assert_true(has_interrupt(vcpu(1)));
    machine_stop();
}

/* A timer that was set anew keeps a CPU that waits busy, or never wakes it. */
static void timer_of_one_that_waits(void **state)
{
    start_two(3);
    machine_vcpus[0].timer_due = true;
    assert_true(machine_pump(NULL));
    assert_true(has_interrupt(vcpu(0)));
    machine_vcpus[0].timer_due = false;
    assert_false(has_interrupt(vcpu(0)));
    assert_false(machine_pcpus[0].timer_active);
    machine_vcpus[0].timer_due = true;
    assert_true(machine_pump(NULL));
    assert_true(has_interrupt(vcpu(0)));
    assert_int_equal(guest_acknowledge(vcpu(0)), PPI_TIMER);
    assert_false(has_interrupt(vcpu(0)));
    guest_end(vcpu(0));
    /* Due, come to us and disabled: nothing to wake up for. */
    private_write(vcpu(0), vcpu(0), GICD_ICENABLER, 1u << PPI_TIMER);
    assert_true(machine_pump(NULL));
    assert_true(vgic_fired(vcpu(0), PPI_TIMER));
    assert_false(has_interrupt(vcpu(0)));
    machine_stop();
}

/* SGIs to CPUs that there are not, and to all: a guest's mistake, or its way to stop the others. */
static void sgi_targets(void **state)
{
    start_two(3);
    guest_sgi(vcpu(0), 1u << 24 | 0xfffc, false);
    guest_sgi(vcpu(0), 1ull << 48 | 1u << 24 | 3, false);
    guest_sgi(vcpu(0), 1ull << 32 | 1u << 24 | 3, false);
    guest_sgi(vcpu(0), 1ull << 44 | 1u << 24 | 3, false);
    guest_sgi(vcpu(0), 1u << 24 | 7u << 16 | 3, false);
    assert_int_equal(private_read(vcpu(0), vcpu(0), GICD_ISPENDR), 0);
    assert_int_equal(private_read(vcpu(0), vcpu(1), GICD_ISPENDR), 0);
    guest_sgi(vcpu(0), ICC_SGIR_IRM | 1u << 24, false);
    assert_int_equal(private_read(vcpu(0), vcpu(0), GICD_ISPENDR), 0);
    assert_int_equal(private_read(vcpu(0), vcpu(1), GICD_ISPENDR), 2);
    /* ICC_SGI0R_EL1 does not reach what is of group 1. */
    guest_sgi(vcpu(1), 1u << 24 | 1, true);
    assert_int_equal(private_read(vcpu(0), vcpu(0), GICD_ISPENDR), 0);
    machine_stop();
}

/* --- tied SPIs -----------------------------------------------------------------------------------
 */

/* dom0's device: the line is on while dom0 wants it, and free again however dom0 ends it. */
static void tied_line(void **state)
{
    start_two(3);
    vgic_tie(&machine_domain, NULL, 40, 40);
    guest_access(vcpu(0), 0, GICD_IROUTER + 8 * 40, 8, true, 1);
    guest_write(vcpu(0), GICD_ISENABLER + 4, 1 << 8);
    assert_true(machine_spis[40].enabled);
    assert_int_equal(machine_spis[40].pcpu, 1); /* where its vCPU is */
    machine_spis[40].line = true;
    machine_pump(NULL);
    assert_int_equal(guest_acknowledge(vcpu(1)), 40);
    assert_true(machine_spis[40].active);
    machine_spis[40].line = false;
    guest_write(vcpu(0), GICD_ICACTIVER + 4, 1 << 8); /* as Linux does for one that it gives up */
    assert_false(machine_spis[40].active);
    machine_spis[40].line = true;
    guest_write(vcpu(0), GICD_ICENABLER + 4, 1 << 8);
    assert_false(machine_spis[40].enabled);
    assert_false(machine_pump(NULL));
    guest_write(vcpu(0), GICD_ICFGR + 8, 2u << 16);
    assert_true(machine_spis[40].edge);
    machine_stop();
}

/* An event that comes while the handler of the last one runs is lost, and with it all that follow:
 * guests configure that interrupt as a level. */
static void event_while_active(void **state)
{
    for (uint32_t version = 2; version <= 3; version++) {
        start_two(version);
        vgic_set_pulse(vcpu(0), 31);
        private_write(vcpu(0), vcpu(0), GICD_ICFGR + 4, 0);
        assert_int_equal(private_read(vcpu(0), vcpu(0), GICD_ICFGR + 4), 0);
        private_write(vcpu(0), vcpu(0), GICD_ISENABLER, 1u << 31);
        for (uint32_t pcpu = 0; pcpu < 2; pcpu++) {
            input(pcpu, vcpu(0), 31, 2);
            assert_int_equal(guest_acknowledge(vcpu(0)), 31);
            input(pcpu, vcpu(0), 31, 2);
            assert_int_equal(guest_end(vcpu(0)), 31);
            assert_int_equal(guest_acknowledge(vcpu(0)), 31);
            assert_int_equal(guest_end(vcpu(0)), 31);
            assert_int_equal(guest_acknowledge(vcpu(0)), GIC_SPURIOUS);
        }
        private_write(vcpu(0), vcpu(0), GICD_ICFGR + 4, 2u << 30);
        assert_int_equal(private_read(vcpu(0), vcpu(0), GICD_ICFGR + 4), 2u << 30);
        machine_stop();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(identification_v3),  cmocka_unit_test(identification_v2),
        cmocka_unit_test(most_interrupts),    cmocka_unit_test(cpu_interface_v2),
        cmocka_unit_test(wild_accesses_v3),   cmocka_unit_test(wild_accesses_v2),
        cmocka_unit_test(other_widths),       cmocka_unit_test(timers_of_neighbours),
        cmocka_unit_test(timer_set_anew),     cmocka_unit_test(timer_written),
        cmocka_unit_test(timer_of_a_sleeper), cmocka_unit_test(timer_cleared_from_elsewhere),
        cmocka_unit_test(would_it_wake),      cmocka_unit_test(timer_of_one_that_waits),
        cmocka_unit_test(sgi_targets),        cmocka_unit_test(tied_line),
        cmocka_unit_test(event_while_active),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
