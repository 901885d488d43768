/* SPDX-License-Identifier: MIT */
// sources: arch/arm64/vgic.c arch/arm64/vgic_lr.c arch/arm64/vgic_entry.c
// sources: arch/arm64/vgic_regs.c arch/arm64/vgic_v2.c arch/arm64/vgic_v3.c core/spinlock.c
/*
 * The virtual GIC with pCPUs that really run at the same time: each serves its vCPU, which sends
 * SGIs, takes and ends interrupts, and looks at and changes the state of others.
 */
#include "test_vgic_machine.h"

#include <stdatomic.h>

#define STEPS 4000

/* An SGI is on its way to the vCPU; cleared when it is acknowledged. */
static atomic_bool on_its_way[VCPUS][16];
static atomic_uint running, acknowledged;
static pthread_barrier_t barrier;

struct worker {
    pthread_t thread;
    uint32_t id;
    uint64_t random;
};

static uint32_t draw(struct worker *w, uint32_t n)
{
    w->random = w->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((w->random >> 33) * n >> 31);
}

static void serve(struct machine_pcpu *p)
{
    bool pending = false;

    for (uint32_t i = 0; i < gic.nr_lrs; i++)
        pending |= (p->lr[i] & (GIC_LR_PENDING | GIC_LR_ACTIVE)) == GIC_LR_PENDING;
    if (p->eoi_seen != 0 || ((p->maintenance & GIC_MAINT_NONE_PENDING) && !pending) ||
        ((p->maintenance & GIC_MAINT_EOI_COUNT) && p->eoi_count != 0))
        vgic_maintenance(p->loaded);
    if (__atomic_exchange_n(&p->kicked, false, __ATOMIC_ACQUIRE))
        vgic_deliver(p->loaded);
}

static void access_direct(struct vcpu *v, uint32_t region, uint64_t offset, bool write,
                          uint32_t value)
{
    struct mmio_access a = { .offset = offset, .size = 4, .write = write, .value = value };

    check(machine_regions[region].handler(v, &a, machine_regions[region].device) == EXIT_HANDLED);
}

/* What is signalled is taken and ended, by the interface itself. */
static bool take_one(struct machine_pcpu *p)
{
    uint32_t n = best_lr(p);

    if (n == gic.nr_lrs)
        return false;
    uint64_t lr = p->lr[n];
    uint32_t intid = (uint32_t)(lr & GIC_LR_VINTID);
    if (intid < 16)
        atomic_store(&on_its_way[p->loaded->id][intid], false);
    atomic_fetch_add(&acknowledged, 1);
    p->lr[n] = (lr & ~GIC_LR_PENDING) | GIC_LR_ACTIVE;
    serve(p);
    for (n = 0; n < gic.nr_lrs; n++) {
        if (!(p->lr[n] & GIC_LR_ACTIVE) || (p->lr[n] & GIC_LR_VINTID) != intid)
            continue;
        p->lr[n] &= ~GIC_LR_ACTIVE;
        if ((p->lr[n] & GIC_LR_EOI) && !(p->lr[n] & GIC_LR_PENDING))
            p->eoi_seen |= 1u << n;
        return true;
    }
    p->eoi_count++;
    return true;
}

static void send_sgi(struct worker *w, struct vcpu *v)
{
    uint32_t intid = draw(w, 16), targets = draw(w, 1u << VCPUS);

    for (uint32_t t = 0; t < VCPUS; t++)
        if (targets >> t & 1)
            atomic_store(&on_its_way[t][intid], true);
    if (gic.driver->version == 3)
        vgic_write_sgi1r(v, targets | intid << 24);
    else
        access_direct(v, 0, GICD_SGIR, true, targets << 16 | intid);
}

static void look_at_others(struct worker *w, struct vcpu *v)
{
    static const uint16_t offsets[] = { GICD_ISACTIVER, GICD_ISPENDR, GICD_ICPENDR };
    uint32_t offset = offsets[draw(w, 3)];

    if (draw(w, 2) != 0 || gic.driver->version == 2)
        access_direct(v, 0, offset + 4, false, 0);
    else
        access_direct(v, 1, private_at(machine_vcpu_list[draw(w, VCPUS)], offset), false, 0);
}

static void change_spis(struct worker *w, struct vcpu *v)
{
    static const uint16_t offsets[] = { GICD_ISPENDR, GICD_ISPENDR, GICD_ICPENDR, GICD_ICENABLER,
                                        GICD_ISENABLER };
    uint32_t intid = 32 + draw(w, 32);

    access_direct(v, 0, offsets[draw(w, 5)] + 4, true, 1u << (intid % 32));
    if (gic.driver->version == 3 && draw(w, 4) == 0)
        access_direct(v, 0, GICD_IROUTER + 8 * intid, true, draw(w, VCPUS));
    if (draw(w, 4) == 0)
        vgic_set_line(&machine_domain, NULL, intid, draw(w, 2) != 0);
}

static void *work(void *arg)
{
    struct worker *w = arg;
    struct machine_pcpu *p = &machine_pcpus[w->id];

    machine_here = w->id;
    host_set_pcpu(w->id);
    pthread_barrier_wait(&barrier);
    for (uint32_t i = 0; i < STEPS; i++) {
        serve(p);
        take_one(p);
        switch (draw(w, 8)) {
        case 0:
        case 1:
            send_sgi(w, p->loaded);
            break;
        case 2:
            look_at_others(w, p->loaded);
            break;
        case 3:
            change_spis(w, p->loaded);
            break;
        default:
            break;
        }
    }
    /* A line that stays high interrupts for ever. */
    for (uint32_t i = 32; i < 64; i++)
        vgic_set_line(&machine_domain, NULL, i, false);
    atomic_fetch_sub(&running, 1);
    /* The others may wait for this one yet. */
    while (atomic_load(&running) != 0 || load_acquire(p->kicked) || take_one(p))
        serve(p);
    pthread_barrier_wait(&barrier);
    for (uint32_t i = 0; i < 64; i++) {
        serve(p);
        take_one(p);
    }
    return NULL;
}

static void run_parallel(uint32_t version)
{
    struct worker workers[VCPUS];

    machine_start(version, VCPUS, 4);
    for (uint32_t i = 0; i < VCPUS; i++)
        load(machine_vcpu_list[i], i);
    guest_write(machine_vcpu_list[0], GICD_CTLR, 3);
    for (uint32_t i = 0; i < VCPUS; i++)
        guest_access(machine_vcpu_list[i], private_region(),
                     private_at(machine_vcpu_list[i], GICD_ISENABLER), 4, true, 0xffff);
    guest_write(machine_vcpu_list[0], GICD_ISENABLER + 4, ~0u);
    memset(on_its_way, 0, sizeof(on_its_way));
    atomic_store(&acknowledged, 0);
    atomic_store(&running, VCPUS);
    pthread_barrier_init(&barrier, NULL, VCPUS);
    machine_parallel = true;
    for (uint32_t i = 0; i < VCPUS; i++) {
        workers[i] = (struct worker){ .id = i, .random = 77 + i };
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (uint32_t i = 0; i < VCPUS; i++)
        pthread_join(workers[i].thread, NULL);
    machine_parallel = false;
    pthread_barrier_destroy(&barrier);
    assert_true(atomic_load(&acknowledged) > STEPS / 4);
    for (uint32_t t = 0; t < VCPUS; t++)
        for (uint32_t i = 0; i < 16; i++)
            assert_false(atomic_load(&on_its_way[t][i]));
    machine_stop();
}

/* CPUs of a guest wait for one another for ever, or one never hears of the other's SGI. */
static void v3_in_parallel(void **state)
{
    run_parallel(3);
}

static void v2_in_parallel(void **state)
{
    run_parallel(2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(v3_in_parallel),
        cmocka_unit_test(v2_in_parallel),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
