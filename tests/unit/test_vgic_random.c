/* SPDX-License-Identifier: MIT */
// sources: arch/arm64/vgic.c arch/arm64/vgic_lr.c arch/arm64/vgic_entry.c
// sources: arch/arm64/vgic_regs.c arch/arm64/vgic_v2.c arch/arm64/vgic_v3.c core/spinlock.c
/*
 * The virtual GIC against a plain model of what the specification says of each interrupt by itself:
 * enabled, pending, active, priority, target. Guests, devices and the scheduler do things at
 * random; after each step what the CPU interface would signal, and what registers read, has to be
 * what the model says.
 */
#include "test_vgic_machine.h"

/* --- the model
 * ------------------------------------------------------------------------------------------ */

struct irq {
    bool enabled, latched, written, line, active, edge, group1, tied;
    uint8_t priority, target, sources;
};

static struct irq private[VCPUS][32], spi[SPIS];
static uint32_t ctlr;

/* What a run may do. */
static struct {
    bool tight;  /* more interrupts than list registers: no guesses at what the guest means */
    uint32_t nr; /* interrupts in use */
    uint16_t intid[NR_INTIDS];
} run;

static struct irq *irq_of(uint32_t vcpu, uint32_t intid)
{
    return intid < 32 ? &private[vcpu][intid] : &spi[intid - 32];
}

static bool is_v2_sgi(uint32_t intid)
{
    return intid < 16 && gic.driver->version == 2;
}

static bool pending(const struct irq *q, uint32_t intid)
{
    if (is_v2_sgi(intid))
        return q->sources != 0;
    return q->latched || (q->line && !q->edge && !q->tied);
}

static bool deliverable(uint32_t vcpu, uint32_t intid)
{
    const struct irq *q = irq_of(vcpu, intid);

    return pending(q, intid) && q->enabled && !q->active && (ctlr & (q->group1 ? 2 : 1)) &&
           (intid < 32 || q->target == vcpu);
}

/* The best priority that the CPU interface of `v` should signal; IDLE: none. */
static uint32_t expected(struct vcpu *v, uint32_t vmcr)
{
    uint32_t best = running_priority(v), mask = (uint32_t)field_get(VMCR_PMR, vmcr);
    bool any = false;

    if (mask < best)
        best = mask;
    for (uint32_t i = 0; i < NR_INTIDS; i++) {
        const struct irq *q = irq_of(v->id, i);
        if (!deliverable(v->id, i) || q->priority >= best ||
            !(vmcr & (q->group1 ? VMCR_ENG1 : VMCR_ENG0)))
            continue;
        best = q->priority;
        any = true;
    }
    return any ? best : IDLE;
}

/* --- after each step
 * -------------------------------------------------------------------------------------- */

static void fired(struct vcpu *v, uint32_t intid)
{
    irq_of(v != NULL ? v->id : 0, intid)->latched = true;
}

static void check_vcpu(struct machine_pcpu *p)
{
    uint32_t n = best_lr(p), want = expected(p->loaded, p->vmcr);
    uint32_t got = n < gic.nr_lrs ? (uint32_t)field_get(GIC_LR_PRIORITY, p->lr[n]) : IDLE;

    for (uint32_t i = 0; got != want && i < NR_INTIDS; i++)
        if (deliverable(p->loaded->id, i))
            trace("deliverable: %u, priority 0x%x\n", i, irq_of(p->loaded->id, i)->priority);
    if (got != want)
        fail_msg("vCPU %u: signals priority 0x%x (interrupt %u), should 0x%x", p->loaded->id, got,
                 n < gic.nr_lrs ? (uint32_t)(p->lr[n] & GIC_LR_VINTID) : 0, want);
    if (got != IDLE)
        assert_true(deliverable(p->loaded->id, (uint32_t)(p->lr[n] & GIC_LR_VINTID)));
}

static void settle(void)
{
    finish_all();
    while (machine_pump(fired))
        finish_all();
    for (uint32_t i = 0; i < PCPUS; i++) {
        struct machine_pcpu *p = &machine_pcpus[i];
        if (p->loaded != NULL)
            check_vcpu(p);
        else
            assert_false(p->timer_active); /* it would hide the next vCPU's timer */
    }
    /* A physical interrupt that is active keeps its device silent: somebody has yet to end it. */
    for (uint32_t i = 32; i < NR_INTIDS; i++)
        if (machine_spis[i].active)
            assert_true(spi[i - 32].latched || spi[i - 32].active);
}

/* --- steps
 * -------------------------------------------------------------------------------------------------
 */

static struct vcpu *any_loaded(void)
{
    uint32_t from = unit_random(PCPUS);

    for (uint32_t i = 0; i < PCPUS; i++)
        if (machine_pcpus[(from + i) % PCPUS].loaded != NULL)
            return machine_pcpus[(from + i) % PCPUS].loaded;
    return NULL;
}

static uint32_t any_intid(void)
{
    return run.intid[unit_random(run.nr)];
}

static bool on_stack(uint32_t vcpu, uint32_t intid)
{
    for (uint32_t t = 0; t < machine_nr_vcpus; t++) {
        const struct machine_vcpu *m = &machine_vcpus[t];
        if (intid < 32 && t != vcpu)
            continue;
        for (uint32_t i = 0; i < m->depth; i++)
            if ((m->stack[i] & 0xffff) == intid)
                return true;
        for (uint32_t i = 0; i < m->nr_dropped; i++)
            if (m->dropped[i] == intid)
                return true;
    }
    return false;
}

/* What ends an interrupt but the guest's own end: the physical one goes with it, as the model's
 * latch says. */
static void write_bit(uint32_t offset, struct irq *q, uint32_t intid)
{
    switch (offset) {
    case GICD_IGROUPR:
        break;
    case GICD_ISENABLER:
        q->enabled = true;
        break;
    case GICD_ICENABLER:
        q->enabled = false;
        break;
    case GICD_ISPENDR:
        if (!is_v2_sgi(intid))
            q->latched = q->written = true;
        break;
    case GICD_ICPENDR:
        if (!is_v2_sgi(intid))
            q->latched = q->written = false;
        break;
    case GICD_ISACTIVER:
        q->active = true;
        break;
    default:
        q->active = false;
        break;
    }
}

/* A word of bits: a few interrupts of one bank at once. */
static void step_write_bits(struct vcpu *v)
{
    static const uint16_t offsets[] = { GICD_ISENABLER, GICD_ISENABLER, GICD_ISENABLER,
                                        GICD_ICENABLER, GICD_ISPENDR,   GICD_ISPENDR,
                                        GICD_ICPENDR,   GICD_ISACTIVER, GICD_ICACTIVER,
                                        GICD_IGROUPR };
    uint32_t offset = offsets[unit_random(10)], first = any_intid(), n = first / 32, word = 0;
    struct vcpu *t =
        gic.driver->version == 3 ? machine_vcpu_list[unit_random(machine_nr_vcpus)] : v;

    if (run.tight && offset == GICD_ISACTIVER)
        return;
    if (offset == GICD_IGROUPR) {
        for (uint32_t i = 32 * n; i < 32 * n + 32; i++) {
            irq_of(t->id, i)->group1 = unit_random(2);
            word |= (uint32_t)irq_of(t->id, i)->group1 << (i % 32);
        }
    } else {
        for (uint32_t i = 0; i < run.nr; i++) {
            uint32_t intid = run.intid[i];
            if (intid / 32 != n || (intid != first && unit_random(4) != 0))
                continue;
            /* Nobody could say whose end the next one is. */
            if (offset == GICD_ICACTIVER && on_stack(t->id, intid))
                continue;
            word |= 1u << (intid % 32);
            write_bit(offset, irq_of(t->id, intid), intid);
        }
    }
    if (n == 0)
        guest_access(v, private_region(), private_at(t, offset), 4, true, word);
    else
        guest_write(v, offset + 4 * n, word);
}

static void step_read_bits(struct vcpu *v)
{
    uint32_t n = unit_random(NR_INTIDS / 32), kind = unit_random(5), want = 0;
    static const uint16_t offsets[] = { GICD_IGROUPR, GICD_ISENABLER, GICD_ISPENDR, GICD_ISACTIVER,
                                        GICD_ICPENDR };
    struct vcpu *t =
        gic.driver->version == 3 ? machine_vcpu_list[unit_random(machine_nr_vcpus)] : v;

    for (uint32_t i = 32 * n; i < 32 * n + 32; i++) {
        const struct irq *q = irq_of(t->id, i);
        bool set = kind == 0   ? q->group1
                   : kind == 1 ? q->enabled
                   : kind == 3 ? q->active
                               : pending(q, i) ||
                                     (i == PPI_TIMER && t == v && machine_vcpus[v->id].timer_due);
        want |= (uint32_t)set << (i % 32);
    }
    uint32_t got = n == 0 ? (uint32_t)guest_access(v, private_region(),
                                                   private_at(t, offsets[kind]), 4, false, 0)
                          : guest_read(v, offsets[kind] + 4 * n);
    if (got != want)
        fail_msg("register 0x%x of bank %u reads 0x%x, should 0x%x", offsets[kind], n, got, want);
}

/* Two vCPUs look at each other's state at the same time. */
static void step_read_crosswise(void)
{
    struct access_job job[2];
    uint32_t nr = 0;

    for (uint32_t i = 0; i < PCPUS && nr < 2; i++) {
        struct vcpu *v = machine_pcpus[i].loaded;
        if (v == NULL)
            continue;
        job[nr] = (struct access_job){ .v = v,
                                       .a = { .offset = GICD_ISACTIVER + 4 + 4 * nr, .size = 4 } };
        begin(&machine_pcpus[i], access_run, &job[nr]);
        nr++;
    }
    finish_all();
    for (uint32_t k = 0; k < nr; k++) {
        uint32_t want = 0;
        for (uint32_t i = 0; i < 32; i++)
            want |= (uint32_t)spi[32 * k + i].active << i;
        trace("v%u saw bank %u active 0x%lx, should 0x%x\n", job[k].v->id, k + 1, job[k].a.value,
              want);
        assert_int_equal(job[k].a.value, want);
    }
}

static void step_priority(struct vcpu *v)
{
    uint32_t intid = any_intid();
    struct irq *q = irq_of(v->id, intid);
    uint8_t priority = (uint8_t)unit_random(256);
    uint32_t region = intid < 32 ? private_region() : 0;
    uint64_t at = intid < 32 ? private_at(v, GICD_IPRIORITYR + intid) : GICD_IPRIORITYR + intid;

    if (!pending(q, intid) && !q->active && !on_stack(v->id, intid)) {
        guest_access(v, region, at, 1, true, priority);
        q->priority = priority & 0xf8;
    }
    assert_int_equal(guest_access(v, region, at, 1, false, 0), q->priority);
}

static void step_config(struct vcpu *v)
{
    uint32_t first = 16 * (1 + unit_random(NR_INTIDS / 16 - 1)), word = 0;
    uint64_t at = first < 32 ? private_at(v, GICD_ICFGR + first / 4) : GICD_ICFGR + first / 4;
    uint32_t region = first < 32 ? private_region() : 0;

    for (uint32_t i = 0; i < 16; i++) {
        struct irq *q = irq_of(v->id, first + i);
        if (!q->tied && unit_random(4) == 0)
            q->edge = !q->edge;
        word |= (uint32_t)q->edge << (2 * i + 1);
    }
    guest_access(v, region, at, 4, true, word);
    assert_int_equal(guest_access(v, region, at, 4, false, 0), word);
}

static void step_target(struct vcpu *v)
{
    uint32_t intid = any_intid(), target = unit_random(machine_nr_vcpus + 1);
    struct irq *q = irq_of(0, intid);

    if (intid < 32)
        return;
    q->target = target < machine_nr_vcpus ? (uint8_t)target : 0xff;
    if (gic.driver->version == 3)
        guest_access(v, 0, GICD_IROUTER + 8 * intid, 8, true,
                     target < machine_nr_vcpus ? target : 77);
    else if (machine_nr_vcpus > 1)
        guest_access(v, 0, GICD_ITARGETSR + intid, 1, true,
                     target < machine_nr_vcpus ? 1u << target : 0);
    else
        q->target = 0;
}

/* The guest's view of its own CPU interface needs no exit. */
static void step_interface(struct machine_pcpu *p)
{
    p->vmcr = (machine_eoimode ? (uint32_t)VMCR_EOIM : 0) |
              (uint32_t)field_prep(VMCR_PMR, unit_random(4) ? 0xff : unit_random(256)) |
              (unit_random(8) ? (uint32_t)VMCR_ENG0 : 0) |
              (unit_random(8) ? (uint32_t)VMCR_ENG1 : 0);
    maintain(p);
}

static void step_line(void)
{
    uint32_t intid = any_intid(), vcpu = unit_random(machine_nr_vcpus);
    struct irq *q = irq_of(vcpu, intid);

    if (intid < 16)
        return;
    if (intid == PPI_TIMER) {
        /* Set anew only by a guest that handles it: when one that waits goes is left open. What was
         * written to ISPENDR does not go. */
        struct machine_vcpu *m = &machine_vcpus[vcpu];
        if (!m->timer_due || (q->active && !q->latched) || q->written)
            m->timer_due = !m->timer_due;
        return;
    }
    if (q->tied) {
        machine_spis[intid].line = !machine_spis[intid].line;
        machine_spis[intid].pending |= machine_spis[intid].line;
        return;
    }
    q->line = !q->line;
    if (q->line && q->edge)
        q->latched = true;
    input(unit_random(PCPUS), intid < 32 ? machine_vcpu_list[vcpu] : NULL, intid, q->line);
}

static void step_edge(void)
{
    uint32_t intid = any_intid(), vcpu = unit_random(machine_nr_vcpus);
    struct irq *q = irq_of(vcpu, intid);

    if (intid < 16 || q->tied || !q->edge)
        return;
    q->latched = true;
    input(unit_random(PCPUS), intid < 32 ? machine_vcpu_list[vcpu] : NULL, intid, 2);
}

static void pend_sgi(uint32_t from, uint32_t to, uint32_t intid, bool group0)
{
    struct irq *q = irq_of(to, intid);

    if (is_v2_sgi(intid))
        q->sources |= (uint8_t)(1u << from);
    else if (!group0 || !q->group1)
        q->latched = true;
}

static void step_sgi(struct vcpu *v)
{
    uint32_t intid = unit_random(16), targets = unit_random(1u << machine_nr_vcpus);
    uint32_t how = unit_random(4);
    bool group0 = unit_random(4) == 0;

    for (uint32_t t = 0; t < machine_nr_vcpus; t++)
        if (how == 1 ? t != v->id : (targets >> t & 1) != 0)
            pend_sgi(v->id, t, intid, group0 && gic.driver->version == 3);
    if (gic.driver->version == 3)
        guest_sgi(v, how == 1 ? ICC_SGIR_IRM | intid << 24 | targets : targets | intid << 24,
                  group0);
    else
        guest_write(v, GICD_SGIR, (how == 1 ? 1u << 24 : 0) | targets << 16 | intid);
}

/* v2: who sent, read and written directly. */
static void step_sgi_sources(struct vcpu *v)
{
    uint32_t intid = unit_random(16);
    uint8_t mask = (uint8_t)unit_random(256), all = (uint8_t)((1u << machine_nr_vcpus) - 1);
    bool set = unit_random(2);
    struct irq *q = irq_of(v->id, intid);

    if (gic.driver->version != 2)
        return;
    assert_int_equal(guest_access(v, 0, GICD_SPENDSGIR + intid, 1, false, 0), q->sources);
    if (unit_random(4) != 0)
        return;
    q->sources = set ? q->sources | (mask & all) : q->sources & ~mask;
    guest_access(v, 0, (set ? GICD_SPENDSGIR : GICD_CPENDSGIR) + intid, 1, true, mask);
}

static void step_acknowledge(struct vcpu *v)
{
    const struct machine_vcpu *m = &machine_vcpus[v->id];
    struct irq *q;

    if (m->depth + m->nr_dropped >= 30)
        return;
    uint32_t intid = guest_acknowledge(v);
    if (intid == GIC_SPURIOUS)
        return;
    q = irq_of(v->id, intid);
    assert_true(deliverable(v->id, intid));
    if (is_v2_sgi(intid)) {
        assert_true(q->sources & 1u << m->source[intid]);
        q->sources &= (uint8_t)~(1u << m->source[intid]);
    }
    q->latched = q->written = false;
    q->active = true;
}

static void step_end(struct vcpu *v)
{
    struct machine_vcpu *m = &machine_vcpus[v->id];

    if (m->depth != 0 && unit_random(2)) {
        uint32_t intid = guest_end(v);
        if (!machine_eoimode)
            irq_of(v->id, intid)->active = false;
    } else if (m->nr_dropped != 0) {
        uint32_t intid = guest_deactivate(v, unit_random(m->nr_dropped));
        irq_of(v->id, intid)->active = false;
    }
}

static void step_move(void)
{
    uint32_t p = unit_random(PCPUS);
    struct vcpu *v = machine_vcpu_list[unit_random(machine_nr_vcpus)];

    if (machine_pcpus[p].loaded != NULL)
        unload(machine_pcpus[p].loaded);
    else if (where_is(v) == PCPUS)
        load(v, p);
}

static void step_ctlr(struct vcpu *v)
{
    ctlr = unit_random(8) ? 3 : unit_random(4);
    guest_write(v, GICD_CTLR, ctlr);
    assert_int_equal(guest_read(v, GICD_CTLR) & 3, ctlr);
}

static void step(void)
{
    struct vcpu *v = any_loaded();
    uint32_t what = unit_random(100);

    if (what < 6 || v == NULL)
        step_move();
    else if (what < 22)
        step_write_bits(v);
    else if (what < 28)
        step_read_bits(v);
    else if (what < 30)
        step_read_crosswise();
    else if (what < 34)
        step_priority(v);
    else if (what < 35)
        step_config(v);
    else if (what < 39)
        step_target(v);
    else if (what < 40)
        step_interface(&machine_pcpus[where_is(v)]);
    else if (what < 41)
        step_ctlr(v);
    else if (what < 50)
        step_line();
    else if (what < 54)
        step_edge();
    else if (what < 62)
        step_sgi(v);
    else if (what < 64)
        step_sgi_sources(v);
    else if (what < 83)
        step_acknowledge(v);
    else
        step_end(v);
}

/* --- runs
 * ----------------------------------------------------------------------------------------------------
 */

static void tie(uint32_t vcpu, uint32_t intid)
{
    irq_of(vcpu, intid)->tied = true;
    vgic_tie(&machine_domain, machine_vcpu_list[vcpu], intid, intid);
}

static void begin_run(uint32_t version, uint32_t nr_vcpus, uint32_t nr_lrs, bool tight)
{
    static const uint16_t few[] = { 0, 1, 15, 20, PPI_TIMER, 33, 34, 40, 41, 64, 70, 95 };

    machine_start(version, nr_vcpus, nr_lrs);
    memset(private, 0, sizeof(private));
    memset(spi, 0, sizeof(spi));
    ctlr = 0;
    run.tight = tight;
    run.nr = 0;
    for (uint32_t i = 0; i < (tight ? NR_INTIDS : array_size(few)); i++)
        if (!tight || i % 3 != 2)
            run.intid[run.nr++] = tight ? (uint16_t)i : few[i];
    for (uint32_t t = 0; t < nr_vcpus; t++) {
        for (uint32_t i = 0; i < 32; i++) {
            private[t][i].edge = i < 16;
            private[t][i].group1 = version == 3;
        }
        tie(t, PPI_TIMER);
    }
    for (uint32_t i = 32; i < NR_INTIDS; i++) {
        spi[i - 32].group1 = version == 3;
        if (i == 40 || i == 41 || i == 70 || (tight && i % 5 == 0))
            tie(0, i);
    }
}

/* Seeds for each kind of machine; VGIC_SEEDS in the environment for more than the usual few. */
static uint32_t seeds(void)
{
    return getenv("VGIC_SEEDS") != NULL ? (uint32_t)atoi(getenv("VGIC_SEEDS")) : 12;
}

static void random_run(uint32_t version, uint32_t nr_vcpus, uint32_t nr_lrs, bool tight,
                       bool eoimode, uint32_t seed)
{
    unit_random_seed(seed);
    begin_run(version, nr_vcpus, nr_lrs, tight);
    trace("seed %u\n", seed);
    machine_eoimode = eoimode;
    for (uint32_t i = 0; i < nr_vcpus && eoimode; i++)
        machine_vcpu_list[i]->arch.vgic.vmcr |= (uint32_t)VMCR_EOIM;
    for (uint32_t i = 0; i < 3000; i++) {
        step();
        settle();
    }
    machine_stop();
}

/* A guest loses an interrupt, or gets one twice or too late: its disk or timer stops, or a handler
 * runs for nothing. */
static void v3_against_model(void **state)
{
    for (uint32_t seed = 1; seed <= seeds(); seed++)
        random_run(3, 1 + seed % 4, 16, false, false, seed);
}

/* The same on machines whose guests need more list registers than there are. */
static void v3_few_list_registers(void **state)
{
    for (uint32_t seed = 1; seed <= seeds(); seed++)
        random_run(3, 1 + seed % 4, 1 + seed % 5, true, false, 1000000 + seed);
}

/* Guests that drop priority and deactivate apart (threaded handlers). */
static void v3_split_end(void **state)
{
    for (uint32_t seed = 1; seed <= seeds(); seed++) {
        random_run(3, 1 + seed % 4, 16, false, true, 2000000 + seed);
        random_run(3, 1 + seed % 4, 2 + seed % 3, true, true, 3000000 + seed);
    }
}

/* The same for GICv2, whose SGIs tell their senders. */
static void v2_against_model(void **state)
{
    for (uint32_t seed = 1; seed <= seeds(); seed++)
        random_run(2, 1 + seed % 4, 16, false, false, 4000000 + seed);
}

static void v2_few_list_registers(void **state)
{
    for (uint32_t seed = 1; seed <= seeds(); seed++) {
        random_run(2, 1 + seed % 4, 2 + seed % 3, true, false, 5000000 + seed);
        random_run(2, 1 + seed % 4, 2 + seed % 3, true, true, 6000000 + seed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(v3_against_model),      cmocka_unit_test(v3_few_list_registers),
        cmocka_unit_test(v3_split_end),          cmocka_unit_test(v2_against_model),
        cmocka_unit_test(v2_few_list_registers),
    };

    if (getenv("VGIC_FILTER"))
        cmocka_set_test_filter(getenv("VGIC_FILTER"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
