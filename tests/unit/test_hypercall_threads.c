/* SPDX-License-Identifier: MIT */
/*
 * Hypercalls on several pCPUs: vCPUs of several domains make whatever calls chance says, and
 * domains are made and destroyed meanwhile. At every pause all that is counted has to agree
 * (tests/fuzz/hypercall_invariants.h), and in the end everything to be free again.
 *
 * Each pCPU is a thread. One runs at a time, and chance says before which lock, and at which look
 * at a guest's memory, another goes on: so it always is the same run, however busy the machine.
 * With -DFREE_RUNNING they really run at the same time. (The thread sanitizer may watch that; it
 * reports words that are written under a lock and read without by read_once(), and guests' memory.)
 */
// sources: core/vnuma.c
// sources: core/claim.c core/console_io.c core/domain.c core/domain_end.c core/domctl.c
// sources: core/boot.c core/domctl_create.c core/domctl_device.c core/domctl_domain.c core/iomem.c
// sources: core/domctl_memory.c core/domctl_sched.c
// sources: core/domctl_vcpu.c core/evtchn.c core/evtchn_2l.c core/evtchn_close.c
// sources: core/evtchn_dump.c core/evtchn_fifo.c core/evtchn_op.c core/evtchn_poll.c
// sources: core/evtchn_virq.c core/frame.c core/frame_free.c core/gnttab.c core/gnttab_cache.c
// sources: core/gnttab_copy.c core/gnttab_map.c core/gnttab_maptrack.c core/gnttab_op.c
// sources: core/gnttab_table.c core/gnttab_use.c core/guest_access.c core/guest_area.c
// sources: core/hvm_op.c core/hypercall.c core/irq.c core/map.c core/memory_op.c core/mmio.c
// sources: core/multicall.c core/p2m.c core/p2m_batch.c core/p2m_clean.c core/pcpu.c
// sources: core/pgtable.c core/physmap.c core/platform_op.c core/reservation.c core/resource.c
// sources: core/runstate.c core/sched.c core/sched_cap.c core/sched_fair.c core/sched_null.c
// sources: core/sched_op.c core/sched_unit.c core/sysctl.c core/sysctl_console.c
// sources: core/sysctl_machine.c core/sysctl_sched.c core/timer.c core/vcpu.c core/vcpu_info.c
// sources: core/vcpu_op.c core/vcpu_timer.c core/vm_assist.c core/wallclock.c core/watchdog.c
// sources: core/xen_version.c
// helpers: fuzz/hypercall_invariants.c fuzz/hypercall_ops.c fuzz/hypercall_requests.c
// helpers: fuzz/hypercall_steps.c fuzz/hypercall_world.c
#include "unit.h"

#include "../fuzz/hypercall_requests.h"
#include "../fuzz/hypercall_steps.h"
#include "../fuzz/hypercall_world.h"

#include <asm/host.h>
#include <hospes/cpu.h>
#include <hospes/domain.h>
#include <hospes/log.h>
#include <hospes/pcpu.h>
#include <hospes/sched.h>
#include <hospes/timer.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>

#define THREADS 4u
#ifndef ROUNDS
#define ROUNDS 30u /* from nothing to nothing */
#endif
#define PHASES 12u /* of a round, with a check after each */
#define STEPS  60u /* of a thread's, in a phase */
#define BYTES  2000u

struct worker {
    pthread_t thread;
    uint32_t id;
    uint64_t random;
    uint8_t input[BYTES];
    sem_t turn;
    bool done; /* with the phase */
};

static struct worker workers[THREADS];
static sem_t pause_begins;
static uint32_t nr_running, nr_steps;
static bool over;

static uint32_t draw(uint64_t *random, uint32_t n)
{
    *random = *random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((*random >> 33) * n >> 31);
}

/* --- whose turn it is ------------------------------------------------------------------------ */

#ifdef FREE_RUNNING
static void next_turn(void)
{
    sched_yield();
}
#else
static uint64_t turns;
static _Thread_local bool in_phase;

/* Another pCPU goes on, and some time later this one. */
static void next_turn(void)
{
    uint32_t self = this_pcpu()->id, next = draw(&turns, THREADS);

    while (in_phase && workers[next].done)
        next = (next + 1) % THREADS;
    if (!in_phase || next == self)
        return;
    sem_post(&workers[next].turn);
    sem_wait(&workers[self].turn);
}
#endif

static void perhaps_next_turn(void)
{
    static _Thread_local uint64_t random;

    if (draw(&random, 8) == 0)
        next_turn();
}

void arch_cpu_relax(void)
{
    next_turn();
}

void host_guest_access(struct vcpu *v)
{
    perhaps_next_turn();
}

/* The real checks of the order of locks, and before each lock a chance for the others. */
void check_acquire(const struct spinlock *l);
void check_acquire_as(const struct spinlock *l, enum lock_rank rank);
#define lock_debug_acquire    check_acquire
#define lock_debug_acquire_as check_acquire_as
#include "../../hypervisor/core/spinlock.c"
#undef lock_debug_acquire
#undef lock_debug_acquire_as

void lock_debug_acquire(const struct spinlock *l)
{
    perhaps_next_turn();
    check_acquire(l);
}

void lock_debug_acquire_as(const struct spinlock *l, enum lock_rank rank)
{
    perhaps_next_turn();
    check_acquire_as(l, rank);
}

/* --- what they do ---------------------------------------------------------------------------- */

/* Many threads write it. */
void log_limited(enum log_level level, const char *fmt, ...)
{
}

void log_guest(uint16_t domid, enum log_level level, const char *fmt, ...)
{
}

/* What the scheduler does when it chooses the vCPU. */
static bool begin_to_run(struct vcpu *v)
{
    struct pcpu *p = read_once(v->sched.pcpu);
    bool can;

    spin_lock(&p->sched.lock);
    can = load_acquire(v->sched.pcpu) == p && !v->sched.pause_count && !read_once(v->sched.held) &&
          read_once(v->domain->state) == DOMAIN_RUNNING;
    if (can)
        store_release(v->sched.held, true);
    spin_unlock(&p->sched.lock);
    return can;
}

/* One of the vCPUs that are this thread's to run. */
static void run_one(struct worker *w)
{
    uint32_t slot = draw(&w->random, DOMAINS * VCPUS / THREADS) * THREADS + w->id,
             vcpu = slot % VCPUS;
    uint16_t id = (uint16_t)(slot / VCPUS);
    struct domain *d = domain_get(id);
    struct vcpu *v = d && vcpu < d->max_vcpus ? load_acquire(d->vcpus[vcpu]) : NULL;

    if (v && begin_to_run(v)) {
        domain_put(d); /* who runs is there: nobody takes his domain down */
        vcpu_step(v, (uint32_t)take(1));
        __atomic_fetch_add(&nr_steps, 1, __ATOMIC_RELAXED);
        store_release(v->sched.held, false);
        return;
    }
    vcpu_forget(id, vcpu);
    if (d)
        domain_put(d);
}

static void phase(struct worker *w)
{
    for (uint32_t i = 0; i < BYTES; i++)
        w->input[i] = (uint8_t)draw(&w->random, 256);
    input_begin(w->input, BYTES);
    for (uint32_t i = 0; i < STEPS && !input_ends(); i++) {
        uint32_t what = draw(&w->random, 64);

        if (what == 0)
            (void)work_step();
        else if (what == 1)
            stop_after = draw(&w->random, 40);
        else if (what == 2)
            heap_fails = draw(&w->random, 40);
        else
            run_one(w);
    }
    heap_fails = stop_after = 0;
}

/* The last one wakes who looks. */
static void end_phase(struct worker *w)
{
    w->done = true;
#ifndef FREE_RUNNING
    in_phase = false;
#endif
    if (__atomic_sub_fetch(&nr_running, 1, __ATOMIC_ACQ_REL) == 0) {
        sem_post(&pause_begins);
        return;
    }
#ifndef FREE_RUNNING
    for (uint32_t i = 0; i < THREADS; i++) {
        if (!workers[i].done) {
            sem_post(&workers[i].turn);
            break;
        }
    }
#endif
}

static void *work(void *arg)
{
    struct worker *w = arg;

    host_set_pcpu(w->id);
    for (;;) {
        sem_wait(&w->turn);
        if (over)
            return NULL;
#ifndef FREE_RUNNING
        in_phase = true;
#endif
        phase(w);
        end_phase(w);
    }
}

static void run_phase(void)
{
    nr_running = THREADS;
    for (uint32_t i = 0; i < THREADS; i++)
        workers[i].done = false;
#ifdef FREE_RUNNING
    for (uint32_t i = 0; i < THREADS; i++)
        sem_post(&workers[i].turn);
#else
    sem_post(&workers[0].turn);
#endif
    sem_wait(&pause_begins);
}

static void begin(void)
{
    make_machine(THREADS);
    sem_init(&pause_begins, 0, 0);
    for (uint32_t i = 0; i < THREADS; i++) {
        workers[i].id = i;
        sem_init(&workers[i].turn, 0, 0);
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
}

static void end(void)
{
    over = true;
    for (uint32_t i = 0; i < THREADS; i++)
        sem_post(&workers[i].turn);
    for (uint32_t i = 0; i < THREADS; i++)
        pthread_join(workers[i].thread, NULL);
}

/* Those that have shut themselves down, or were paused, go on. */
static void wake_all(void)
{
    host_clock_advance(300000000);
    timer_run();
    work_run();
    for (uint16_t id = 0; id < DOMAINS; id++) {
        struct domain *d = domain_get(id);

        if (!d)
            continue;
        (void)domain_resume(d);
        spin_lock(&d->lock);
        if (d->control_pauses && d->vcpus[0]) {
            d->control_pauses = 0;
            domain_unpause(d);
        }
        spin_unlock(&d->lock);
        domain_put(d);
    }
}

static void one_round(uint32_t number)
{
    add_domains(number * 2u & 0xfe); /* no hardware domain: its end is the machine's */
    vcpu_forget_all();
    for (uint32_t i = 0; i < THREADS; i++)
        workers[i].random = (uint64_t)(number * 16 + i) << 32;
    for (uint32_t i = 0; i < PHASES; i++) {
        run_phase();
        check_all();
        wake_all();
    }
    end_all();
}

/* Two domains that act at the same time get what neither has, or keep others' memory for good. */
static void at_the_same_time(void **state)
{
    tell = getenv("HYPERCALLS_TELL");
    begin();
    for (uint32_t i = 0; i < ROUNDS; i++)
        one_round(i);
    end();
    assert_true(nr_steps > ROUNDS * PHASES * STEPS);
}

int main(void)
{
    static const struct CMUnitTest tests[] = { cmocka_unit_test(at_the_same_time) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
