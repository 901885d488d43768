/* SPDX-License-Identifier: MIT */
/*
 * A machine for the virtual GIC's tests: pCPUs with list registers and a virtual CPU interface that
 * behaves as the GIC's specification says, a distributor for physical interrupts, and guests that
 * acknowledge and end.
 *
 * Each pCPU is a thread, but one runs at a time: control is handed over only where the code under
 * test waits for another pCPU. So runs repeat exactly, and a wait that nobody ends is found out.
 *
 * Included by one test program each: it defines what vgic*.c call.
 */
#ifndef TEST_VGIC_MACHINE_H
#define TEST_VGIC_MACHINE_H

#include "unit.h"

#include <asm/gic.h>
#include <asm/gic_regs.h>
#include <asm/host.h>
#include <asm/vgic.h>
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/irq.h>
#include <pthread.h>
#include <semaphore.h>
#include <unistd.h>

#define PCPUS     4
#define VCPUS     4
#define SPIS      64
#define NR_INTIDS (32 + SPIS)
#define IDLE      0xff /* running priority of a CPU interface with nothing active */
#define GICD_AT   0x3001000
#define SECOND_AT 0x3020000
#define PPI_TIMER 27

struct gic_info gic;

/* In place of cmocka's in what runs on the threads of pCPUs: these cannot jump out of a test. */
#define check(cond)                                                              \
    do {                                                                         \
        if (!(cond)) {                                                           \
            fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #cond); \
            abort();                                                             \
        }                                                                        \
    } while (0)

/* What happens, on stderr, when VGIC_TRACE is set in the environment. */
#define trace(...)                        \
    do {                                  \
        if (machine_trace)                \
            fprintf(stderr, __VA_ARGS__); \
    } while (0)
static bool machine_trace;

/* --- state
 * ------------------------------------------------------------------------------------------ */

struct machine_pcpu {
    struct pcpu pcpu;
    uint64_t lr[VGIC_MAX_LRS];
    uint32_t maintenance, eoi_count, vmcr;
    uint32_t eoi_seen; /* list registers that ended with GIC_LR_EOI */
    bool on;           /* the virtual CPU interface */
    struct vcpu *loaded;
    bool kicked;       /* the vCPU on it has to come to vgic_deliver() */
    bool timer_active; /* its timer's PPI */
    /* As a thread */
    pthread_t thread;
    sem_t go;
    void (*job)(void *arg);
    void *arg;
    bool busy;
};

/* What the guest's CPU interface has acknowledged, the newest last. */
struct machine_vcpu {
    uint32_t stack[32], depth;        /* not dropped yet */
    uint32_t dropped[32], nr_dropped; /* EOImode = 1: dropped and not deactivated */
    uint32_t source[16];              /* v2: of the SGI being handled */
    bool timer_due;
};

static struct machine_pcpu machine_pcpus[PCPUS];
static struct machine_vcpu machine_vcpus[VCPUS];
static struct domain machine_domain;
static struct vcpu *machine_vcpu_list[VCPUS];
static struct mmio_region machine_regions[4];
static uint32_t machine_nr_regions, machine_nr_vcpus;
static _Thread_local uint32_t machine_here; /* number of the pCPU that this thread is */
static bool machine_eoimode;

/* Physical SPIs: line, enabled, active. */
static struct {
    bool line, edge, pending, enabled, active;
    uint32_t pcpu;
} machine_spis[NR_INTIDS];

/* --- handing over
 * ----------------------------------------------------------------------------------- */

static sem_t machine_controller;
static uint32_t machine_waits;

static void *machine_thread(void *arg)
{
    struct machine_pcpu *p = arg;

    machine_here = (uint32_t)(p - machine_pcpus);
    host_set_pcpu(machine_here);
    for (;;) {
        sem_wait(&p->go);
        if (p->job == NULL)
            return NULL;
        p->job(p->arg);
        p->busy = false;
        sem_post(&machine_controller);
    }
}

static void resume(struct machine_pcpu *p)
{
    sem_post(&p->go);
    sem_wait(&machine_controller);
}

static void begin(struct machine_pcpu *p, void (*job)(void *), void *arg)
{
    assert_false(p->busy);
    p->job = job;
    p->arg = arg;
    p->busy = true;
    resume(p);
}

static void deliver_job(void *arg)
{
    struct machine_pcpu *p = arg;

    p->kicked = false;
    if (p->loaded != NULL)
        vgic_deliver(p->loaded);
}

/* Lets all that have begun come to their end; a pCPU that was kicked leaves its guest. */
static void finish_all(void)
{
    for (uint32_t round = 0; round < 10000; round++) {
        bool any = false;
        for (uint32_t i = 0; i < PCPUS; i++) {
            struct machine_pcpu *p = &machine_pcpus[i];
            if (p->busy)
                resume(p);
            else if (p->kicked)
                begin(p, deliver_job, p);
            else
                continue;
            any = true;
        }
        if (!any)
            return;
    }
    fail_msg("pCPUs wait for each other for ever");
}

/* The pCPUs run at the same time, and each serves its own kicks: nothing of the above. */
static bool machine_parallel;

void pcpu_wait_round(void)
{
    if (machine_parallel) {
        usleep(0);
        return;
    }
    machine_waits++;
    sem_post(&machine_controller);
    sem_wait(&machine_pcpus[machine_here].go);
}

/* --- what the code under test calls
 * ------------------------------------------------------------------- */

static uint32_t where_is(const struct vcpu *v)
{
    for (uint32_t i = 0; i < PCPUS; i++)
        if (machine_pcpus[i].loaded == v)
            return i;
    return PCPUS;
}

void vcpu_kick(struct vcpu *v)
{
    uint32_t at = where_is(v);

    if (at < PCPUS)
        store_release(machine_pcpus[at].kicked, true);
}

bool vtimer_pending(struct vcpu *v, uint32_t ppi)
{
    return ppi == PPI_TIMER && machine_vcpus[v->id].timer_due;
}

void irq_guest_enable(uint32_t irq, uint32_t pcpu)
{
    machine_spis[irq].enabled = true;
    machine_spis[irq].pcpu = pcpu;
}

void irq_guest_disable(uint32_t irq)
{
    machine_spis[irq].enabled = false;
}

void irq_guest_trigger(uint32_t irq, enum irq_trigger trigger)
{
    machine_spis[irq].edge = trigger == IRQ_EDGE;
}

int mmio_add(struct domain *d, gaddr_t start, uint64_t bytes, mmio_handler_fn *handler,
             void *device)
{
    machine_regions[machine_nr_regions++] = (struct mmio_region){
        .start = start, .bytes = bytes, .handler = handler, .device = device
    };
    return 0;
}

static uint64_t machine_gicv_at, machine_gicv_frames;

int p2m_map(struct domain *d, gfn_t gfn, mfn_t mfn, uint64_t frames, enum p2m_type type)
{
    assert_int_equal(type, P2M_DEVICE);
    assert_int_equal(gfn.v, SECOND_AT >> 12);
    machine_gicv_at = mfn.v << 12;
    machine_gicv_frames = frames;
    return 0;
}

/* --- the driver: list registers of the pCPU that asks
 * ---------------------------------------------------- */

static struct machine_pcpu *here(void)
{
    return &machine_pcpus[machine_here];
}

static void fake_set_active(uint32_t intid, bool active)
{
    if (intid >= 32)
        machine_spis[intid].active = active;
    else
        here()->timer_active = active;
}

static uint64_t fake_read_lr(uint32_t n)
{
    check(n < gic.nr_lrs && here()->loaded != NULL);
    return here()->lr[n];
}

/* Two list registers with one interrupt, and HW together with EOI or pending and active, are
 * forbidden. */
static void fake_write_lr(uint32_t n, uint64_t lr)
{
    check(n < gic.nr_lrs && here()->loaded != NULL);
    trace("  p%u LR%u 0x%lx\n", machine_here, n, lr);
    here()->lr[n] = lr;
    here()->eoi_seen &= ~(1u << n);
    if (!(lr & (GIC_LR_PENDING | GIC_LR_ACTIVE)))
        return;
    if (lr & GIC_LR_HW) {
        check((~lr & (GIC_LR_PENDING | GIC_LR_ACTIVE)) != 0);
        check(field_get(GIC_LR_PINTID, lr) == (lr & GIC_LR_VINTID));
    }
    for (uint32_t i = 0; i < gic.nr_lrs; i++)
        if (i != n && (here()->lr[i] & (GIC_LR_PENDING | GIC_LR_ACTIVE)))
            check((here()->lr[i] & GIC_LR_VINTID) != (lr & GIC_LR_VINTID));
}

static uint32_t fake_empty_lrs(void)
{
    uint32_t empty = 0;

    for (uint32_t i = 0; i < gic.nr_lrs; i++)
        if (!(here()->lr[i] & (GIC_LR_PENDING | GIC_LR_ACTIVE)))
            empty |= 1u << i;
    return empty;
}

static void fake_vcpu_save(struct vcpu *v)
{
    v->arch.vgic.vmcr = here()->vmcr;
    here()->on = false;
    here()->maintenance = 0;
    for (uint32_t i = 0; i < gic.nr_lrs; i++)
        check(!(here()->lr[i] & (GIC_LR_PENDING | GIC_LR_ACTIVE)));
}

static void fake_vcpu_load(struct vcpu *v)
{
    here()->vmcr = v->arch.vgic.vmcr;
    here()->on = true;
    here()->maintenance = 0;
    here()->eoi_count = 0;
}

static uint32_t fake_read_vmcr(void)
{
    return here()->vmcr;
}

static void fake_set_maintenance(uint32_t bits)
{
    here()->maintenance = bits;
}

static uint32_t fake_take_eoi_count(void)
{
    uint32_t count = here()->eoi_count;

    here()->eoi_count = 0;
    return count;
}

static struct gic_driver machine_driver = {
    .name = "fake",
    .set_active = fake_set_active,
    .read_lr = fake_read_lr,
    .write_lr = fake_write_lr,
    .empty_lrs = fake_empty_lrs,
    .vcpu_save = fake_vcpu_save,
    .vcpu_load = fake_vcpu_load,
    .read_vmcr = fake_read_vmcr,
    .set_maintenance = fake_set_maintenance,
    .take_eoi_count = fake_take_eoi_count,
};

/* --- jobs
 * --------------------------------------------------------------------------------------------- */

struct access_job {
    struct vcpu *v;
    struct mmio_access a;
    uint32_t region;
};

static void access_run(void *arg)
{
    struct access_job *j = arg;
    const struct mmio_region *r = &machine_regions[j->region];

    check(r->handler(j->v, &j->a, r->device) == EXIT_HANDLED);
}

/* vCPU `v`, which is loaded, reads or writes; region 0 is the distributor, 1 redistributors. */
static uint64_t guest_access(struct vcpu *v, uint32_t region, uint64_t offset, uint32_t size,
                             bool write, uint64_t value)
{
    struct access_job j = { .v = v,
                            .a = { .addr = { machine_regions[region].start.v + offset },
                                   .offset = offset,
                                   .value = value,
                                   .size = (uint8_t)size,
                                   .write = write },
                            .region = region };

    begin(&machine_pcpus[where_is(v)], access_run, &j);
    trace("v%u %s %u:0x%lx/%u 0x%lx\n", v->id, write ? "writes" : "reads", region, offset, size,
          j.a.value);
    finish_all();
    return j.a.value;
}

static inline uint32_t guest_read(struct vcpu *v, uint64_t offset)
{
    return (uint32_t)guest_access(v, 0, offset, 4, false, 0);
}

static void guest_write(struct vcpu *v, uint64_t offset, uint32_t value)
{
    guest_access(v, 0, offset, 4, true, value);
}

/* Registers of private interrupts: v3 in the redistributor of `t`. */
static uint64_t private_at(struct vcpu *t, uint64_t offset)
{
    return gic.driver->version == 3 ? ((uint64_t)t->id << 17) + GICR_FRAME + offset : offset;
}

static uint32_t private_region(void)
{
    return gic.driver->version == 3 ? 1 : 0;
}

static void load_job(void *arg)
{
    struct machine_pcpu *p = here();

    p->loaded = arg;
    vgic_load(p->loaded);
    vgic_deliver(p->loaded);
}

static void load(struct vcpu *v, uint32_t pcpu)
{
    trace("v%u to p%u\n", v->id, pcpu);
    assert_null(machine_pcpus[pcpu].loaded);
    v->sched.pcpu = &machine_pcpus[pcpu].pcpu;
    begin(&machine_pcpus[pcpu], load_job, v);
    finish_all();
}

static void save_job(void *arg)
{
    vgic_save(arg);
    here()->loaded = NULL;
    here()->kicked = false;
}

static inline void unload(struct vcpu *v)
{
    trace("v%u saved\n", v->id);
    begin(&machine_pcpus[where_is(v)], save_job, v);
    finish_all();
}

struct sgi_job {
    struct vcpu *v;
    uint64_t value;
    bool group0;
};

static void sgi_run(void *arg)
{
    const struct sgi_job *j = arg;

    if (j->group0)
        vgic_write_sgi0r(j->v, j->value);
    else
        vgic_write_sgi1r(j->v, j->value);
}

static inline void guest_sgi(struct vcpu *v, uint64_t value, bool group0)
{
    struct sgi_job j = { v, value, group0 };

    trace("v%u sgi 0x%lx %d\n", v->id, value, group0);
    begin(&machine_pcpus[where_is(v)], sgi_run, &j);
    finish_all();
}

/* --- devices: run on pCPU 0
 * ---------------------------------------------------------------------------- */

struct input_job {
    struct vcpu *v;
    uint32_t intid;
    int what; /* 0, 1: line; 2: edge; 3: physical interrupt; 4: for a vCPU not loaded */
};

static void input_run(void *arg)
{
    const struct input_job *j = arg;

    if (j->what < 2)
        vgic_set_line(&machine_domain, j->v, j->intid, j->what != 0);
    else if (j->what == 2)
        vgic_pend(&machine_domain, j->v, j->intid, here()->loaded);
    else if (j->what == 3)
        vgic_inject(&machine_domain, j->v, j->intid, here()->loaded);
    else
        vgic_inject_saved(j->v, j->intid);
}

static void input(uint32_t pcpu, struct vcpu *v, uint32_t intid, int what)
{
    struct input_job j = { v, intid, what };

    trace("input %d to %u of v%d\n", what, intid, v != NULL ? (int)v->id : -1);
    begin(&machine_pcpus[pcpu], input_run, &j);
    finish_all();
}

/* Physical interrupts that can be taken are taken, and told to `fired`. True if there was any. */
static inline bool machine_pump(void (*fired)(struct vcpu *v, uint32_t intid))
{
    bool any = false;

    for (uint32_t i = 32; i < NR_INTIDS; i++) {
        bool pending = machine_spis[i].edge ? machine_spis[i].pending : machine_spis[i].line;
        if (!pending || !machine_spis[i].enabled || machine_spis[i].active)
            continue;
        machine_spis[i].pending = false;
        machine_spis[i].active = true;
        if (fired != NULL)
            fired(NULL, i);
        input(machine_spis[i].pcpu, NULL, i, 3);
        any = true;
    }
    for (uint32_t i = 0; i < PCPUS; i++) {
        struct machine_pcpu *p = &machine_pcpus[i];
        if (p->loaded == NULL || p->timer_active || !machine_vcpus[p->loaded->id].timer_due ||
            !(p->loaded->arch.vgic.priv.tied & 1u << PPI_TIMER))
            continue;
        p->timer_active = true;
        if (fired != NULL)
            fired(p->loaded, PPI_TIMER);
        input(i, p->loaded, PPI_TIMER, 3);
        any = true;
    }
    return any;
}

/* --- the guest's CPU interface
 * --------------------------------------------------------------------------- */

static uint32_t running_priority(struct vcpu *v)
{
    const struct machine_vcpu *m = &machine_vcpus[v->id];

    return m->depth != 0 ? m->stack[m->depth - 1] >> 16 : IDLE;
}

/* Number of the list register that would be signalled; gic.nr_lrs: none. */
static uint32_t best_lr(const struct machine_pcpu *p)
{
    uint32_t best = gic.nr_lrs, priority = running_priority(p->loaded);

    if (priority > field_get(VMCR_PMR, p->vmcr))
        priority = (uint32_t)field_get(VMCR_PMR, p->vmcr);
    for (uint32_t i = 0; i < gic.nr_lrs; i++) {
        uint64_t lr = p->lr[i];
        if ((lr & (GIC_LR_PENDING | GIC_LR_ACTIVE)) != GIC_LR_PENDING ||
            !(p->vmcr & ((lr & GIC_LR_GROUP1) ? VMCR_ENG1 : VMCR_ENG0)) ||
            field_get(GIC_LR_PRIORITY, lr) >= priority)
            continue;
        best = i;
        priority = (uint32_t)field_get(GIC_LR_PRIORITY, lr);
    }
    return best;
}

static void maintain_job(void *arg)
{
    vgic_maintenance(arg);
}

static bool wants_maintenance(const struct machine_pcpu *p)
{
    bool pending = false, group0 = (p->vmcr & VMCR_ENG0) != 0, group1 = (p->vmcr & VMCR_ENG1) != 0;

    for (uint32_t i = 0; i < gic.nr_lrs; i++)
        pending |= (p->lr[i] & (GIC_LR_PENDING | GIC_LR_ACTIVE)) == GIC_LR_PENDING;
    return p->eoi_seen != 0 || ((p->maintenance & GIC_MAINT_NONE_PENDING) && !pending) ||
           ((p->maintenance & GIC_MAINT_EOI_COUNT) && p->eoi_count != 0) ||
           (p->maintenance & (group0 ? GIC_MAINT_GROUP0_ON : GIC_MAINT_GROUP0_OFF)) ||
           (p->maintenance & (group1 ? GIC_MAINT_GROUP1_ON : GIC_MAINT_GROUP1_OFF));
}

/* The maintenance interrupt comes if the interface asks for it. */
static void maintain(struct machine_pcpu *p)
{
    for (uint32_t round = 0; round < 4; round++) {
        if (!wants_maintenance(p))
            return;
        begin(p, maintain_job, p->loaded);
        finish_all();
    }
    fail_msg("maintenance interrupts without end");
}

/* IAR: what is acknowledged, or VGIC's 1023. */
static inline uint32_t guest_acknowledge(struct vcpu *v)
{
    struct machine_pcpu *p = &machine_pcpus[where_is(v)];
    struct machine_vcpu *m = &machine_vcpus[v->id];
    uint32_t n = best_lr(p);

    if (n == gic.nr_lrs)
        return GIC_SPURIOUS;
    uint64_t lr = p->lr[n];
    uint32_t intid = (uint32_t)(lr & GIC_LR_VINTID);
    trace("v%u acknowledges %u from LR%u 0x%lx\n", v->id, intid, n, lr);
    p->lr[n] = (lr & ~GIC_LR_PENDING) | GIC_LR_ACTIVE;
    m->stack[m->depth++] = intid | (uint32_t)field_get(GIC_LR_PRIORITY, lr) << 16;
    if (intid < 16)
        m->source[intid] = (uint32_t)field_get(GIC_LR_PINTID & ~GIC_LR_EOI, lr) & 7;
    maintain(p);
    return intid;
}

struct dir_job {
    struct vcpu *v;
    uint32_t intid;
};

static void dir_run(void *arg)
{
    const struct dir_job *j = arg;

    vgic_write_dir(j->v, j->intid);
}

static void deactivate(struct vcpu *v, uint32_t intid)
{
    struct machine_pcpu *p = &machine_pcpus[where_is(v)];

    trace("v%u ends %u\n", v->id, intid);
    if (machine_eoimode) {
        struct dir_job j = { v, intid };
        begin(p, dir_run, &j);
        finish_all();
        return;
    }
    for (uint32_t i = 0; i < gic.nr_lrs; i++) {
        uint64_t lr = p->lr[i];
        if (!(lr & GIC_LR_ACTIVE) || (lr & GIC_LR_VINTID) != intid)
            continue;
        p->lr[i] = lr & ~GIC_LR_ACTIVE;
        if (lr & GIC_LR_HW)
            if (intid >= 32)
                machine_spis[intid].active = false;
            else
                p->timer_active = false;
        else if ((lr & GIC_LR_EOI) && !(lr & GIC_LR_PENDING))
            p->eoi_seen |= 1u << i;
        maintain(p);
        return;
    }
    p->eoi_count++;
    maintain(p);
}

/* EOIR for what was acknowledged last, and with EOImode = 0 its deactivation. Returns its number.
 */
static inline uint32_t guest_end(struct vcpu *v)
{
    struct machine_vcpu *m = &machine_vcpus[v->id];
    uint32_t intid = m->stack[--m->depth] & 0xffff;

    if (machine_eoimode) {
        m->dropped[m->nr_dropped++] = intid;
        /* QEMU counts these too, which is not in the specification. */
        bool held = false;
        for (uint32_t i = 0; i < gic.nr_lrs; i++)
            held |= (machine_pcpus[where_is(v)].lr[i] & GIC_LR_ACTIVE) &&
                    (machine_pcpus[where_is(v)].lr[i] & GIC_LR_VINTID) == intid;
        machine_pcpus[where_is(v)].eoi_count += !held;
        maintain(&machine_pcpus[where_is(v)]);
    } else
        deactivate(v, intid);
    return intid;
}

/* EOImode = 1: DIR for one that was dropped. Returns its number. */
static inline uint32_t guest_deactivate(struct vcpu *v, uint32_t which)
{
    struct machine_vcpu *m = &machine_vcpus[v->id];
    uint32_t intid = m->dropped[which];

    m->dropped[which] = m->dropped[--m->nr_dropped];
    deactivate(v, intid);
    return intid;
}

/* --- beginning and end
 * ------------------------------------------------------------------------------------- */

static void machine_start(uint32_t version, uint32_t nr_vcpus, uint32_t nr_lrs)
{
    host_pcpus_init(PCPUS);
    memset(machine_pcpus, 0, sizeof(machine_pcpus));
    memset(machine_vcpus, 0, sizeof(machine_vcpus));
    memset(machine_spis, 0, sizeof(machine_spis));
    memset(&machine_domain, 0, sizeof(machine_domain));
    machine_driver.version = version;
    gic = (struct gic_info){ .driver = &machine_driver, .nr_irqs = NR_INTIDS, .nr_lrs = nr_lrs };
    gic.traps_dir = true;
    gic.virt = (struct gic_region){ .base = 0x8040000, .size = 0x2000 };
    machine_nr_regions = 0;
    machine_nr_vcpus = nr_vcpus;
    machine_eoimode = false;
    machine_trace = getenv("VGIC_TRACE") != NULL;
    trace("--- GICv%u, %u vCPUs, %u list registers\n", version, nr_vcpus, nr_lrs);
    machine_domain.max_vcpus = nr_vcpus;
    machine_domain.vcpus = machine_vcpu_list;
    assert_int_equal(vgic_init(&machine_domain, SPIS), 0);
    for (uint32_t i = 0; i < nr_vcpus; i++) {
        struct vcpu *v = calloc(1, sizeof(*v));
        v->id = i;
        v->domain = &machine_domain;
        v->arch.vtimer.ppi_virt = PPI_TIMER;
        v->arch.vtimer.ppi_phys = 30;
        assert_int_equal(vgic_vcpu_init(v), 0);
        v->arch.vgic.vmcr = (uint32_t)(VMCR_ENG0 | VMCR_ENG1 | VMCR_PMR);
        machine_vcpu_list[i] = v;
    }
    assert_int_equal(vgic_map(&machine_domain, GADDR(GICD_AT), GADDR(SECOND_AT), 0x1000000), 0);
    sem_init(&machine_controller, 0, 0);
    for (uint32_t i = 0; i < PCPUS; i++) {
        struct machine_pcpu *p = &machine_pcpus[i];
        p->pcpu.id = i;
        sem_init(&p->go, 0, 0);
        assert_int_equal(pthread_create(&p->thread, NULL, machine_thread, p), 0);
    }
}

static void machine_stop(void)
{
    for (uint32_t i = 0; i < PCPUS; i++) {
        machine_pcpus[i].job = NULL;
        sem_post(&machine_pcpus[i].go);
        pthread_join(machine_pcpus[i].thread, NULL);
        sem_destroy(&machine_pcpus[i].go);
    }
    sem_destroy(&machine_controller);
    for (uint32_t i = 0; i < machine_nr_vcpus; i++)
        free(machine_vcpu_list[i]);
    vgic_destroy(&machine_domain);
}

#endif
