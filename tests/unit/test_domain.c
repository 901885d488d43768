/* SPDX-License-Identifier: MIT */
// sources: core/domain.c core/domain_end.c core/vcpu.c core/pcpu.c core/work.c core/timer.c
// sources: core/iomem.c core/boot.c
// sources: core/spinlock.c core/sched.c core/sched_unit.c core/sched_cap.c core/sched_fair.c core/sched_null.c core/irq.c core/mmio.c
// sources: core/gnttab.c core/gnttab_use.c core/gnttab_maptrack.c core/vcpu_info.c core/guest_area.c
// sources: core/claim.c
// sources: core/p2m.c core/p2m_batch.c core/pgtable.c core/map.c core/frame.c core/frame_free.c
/*
 * A domain's life, from nothing to nothing, with the real scheduler, deferred work, frames and
 * tables. The builder is the test's own; the heap counts what is taken, and runs out when told.
 */
#include "machine.h"

#include <hospes/cmdline.h>
#include <hospes/cpu.h>
#include <hospes/domain.h>
#include <hospes/domain_build.h>
#include <hospes/errno.h>
#include <hospes/frame.h>
#include <hospes/heap.h>
#include <hospes/irq.h>
#include <lib/bits.h>

#define PCPUS     3
#define RAM       GIB(1)
#define RAM_BYTES GIB(1)
#define META      GIB(16)
#define FRAMES    3000u        /* of each domain's memory */
#define OWNED     (FRAMES + 1) /* and its page of shared_info */
#define FIRST_GFN 0x40000u

/* --- the heap ------------------------------------------------------------------------------------
 */

#ifdef REAL_HEAP
#define heap_left host_heap_chunks_left

static int64_t used_now(void)
{
    uint64_t taken, used;

    heap_usage(&taken, &used);
    return (int64_t)used;
}

/* What the heap keeps for later is as good as free. */
static uint64_t frames_now(void)
{
    uint64_t taken, used;

    heap_usage(&taken, &used);
    return frame_free_count() + (taken >> FRAME_SHIFT);
}
#else
#include "counting_heap.h"

static int64_t used_now(void)
{
    return heap_used;
}

static uint64_t frames_now(void)
{
    return frame_free_count();
}
#endif

/* --- the console and the builder -----------------------------------------------------------------
 */

static uint32_t removed;

void console_domain_remove(struct console_domain *c)
{
    removed++;
}

void console_flush(void)
{
}

static struct domain_config config = { .id = 7, .node = "/chosen/domU1" };
static uint32_t builds, build_steps_left;
static int build_rc;

static int give_memory(struct domain *d)
{
    mfn_t m;
    int rc = frame_alloc_range(d->id, FRAMES, FRAME_DIRTY_OK, &m);

    if (rc)
        return rc;
    rc = p2m_map(d, GFN(FIRST_GFN), m, FRAMES, P2M_RESERVED);
    if (rc)
        frame_free(m, FRAMES);
    else
        d->tot_pages += FRAMES;
    return rc;
}

static int nothing_there(struct vcpu *v, struct mmio_access *a, void *device)
{
    return EXIT_FAULT;
}

/* All that a builder does that has to be undone. */
static int build(uint16_t id, uint32_t vcpus, struct domain **out)
{
    int rc = domain_create(id, vcpus, out);

    if (rc)
        return rc;
    (*out)->config = &config;
    strcpy((*out)->name, "guest");
    rc = give_memory(*out);
    if (!rc)
        rc = mmio_add(*out, GADDR(0x1000), 0x1000, (mmio_handler_fn *)nothing_there, NULL);
    if (!rc)
        rc = irq_give(40, IRQ_LEVEL, *out, 40);
    if (!rc)
        rc = domain_create_vcpus(*out);
    if (!rc)
        return 0;
    while (p2m_teardown_step(*out))
        ;
    domain_destroy(*out);
    return rc;
}

void domain_build_begin(struct domain_builder *b, const struct domain_config *c)
{
    *b = (struct domain_builder){ .config = c };
    build_steps_left = 3;
}

bool domain_build_step(struct domain_builder *b)
{
    assert_null(this_pcpu()->current);
    if (build_steps_left-- > 0)
        return true;
    builds++;
    b->rc = build_rc ? build_rc : build(b->config->id, 2, &b->domain);
    return false;
}

/* --- set-up --------------------------------------------------------------------------------------
 */

static uint64_t all_free;
static int64_t all_used;

static bool idle(void)
{
    host_stop("idle");
}

static uint32_t polls; /* in one run() */

/* A pCPU that does not come to an end by itself waits for another. */
void arch_irq_poll(void)
{
    if (polls++ == 20)
        host_stop("waits");
}

/* Who waits for another pCPU waits for it to serve a call: it does, on its way. */
void arch_cpu_relax(void)
{
    uint32_t self = this_pcpu()->id;

    for (uint32_t i = 0; i < PCPUS; i++) {
        if (!(pcpus[i]->pending & PENDING_CALL))
            continue;
        pcpus[i]->pending &= ~(uint32_t)PENDING_CALL;
        host_set_pcpu(i);
        pcpu_serve_call();
    }
    host_set_pcpu(self);
}

static int machine(void **state)
{
    machine_make(PCPUS, RAM, RAM_BYTES, META);
    heap_init();
    sched_init();
    for (uint32_t i = 0; i < PCPUS; i++)
        assert_non_null(pcpu_create(i));
    assert_int_equal(irq_init(), 0);
    work_init();
    work_set_idle(idle);
    return 0;
}

static struct vcpu *entered[PCPUS]; /* what each pCPU runs in its guest */

static void go(void *arg)
{
    struct pcpu *p = arg;

    entered[p->id] = NULL;
    entered[p->id] = vcpu_next(p);
}

/* The pCPU serves what is to be done, and enters a guest or sleeps. */
static void run(uint32_t id)
{
    host_set_pcpu(id);
    __atomic_fetch_or(&pcpus[id]->pending, PENDING_SCHED, __ATOMIC_SEQ_CST);
    polls = 0;
    if (host_stops(go, pcpus[id]) && strcmp(host_stop_reason, "waits"))
        assert_string_equal(host_stop_reason, "idle");
}

/* A few milliseconds on all pCPUs. */
static void settle(void)
{
    for (uint32_t i = 0; i < 30; i++) {
        host_clock_advance(1000000);
        for (uint32_t n = 0; n < PCPUS; n++)
            run(n);
    }
    host_set_pcpu(0);
}

static int start(void **state)
{
    heap_left = UINT32_MAX;
    builds = 0;
    build_rc = 0;
    options.noreboot = false;
    host_log_clear();
    all_free = frames_now();
    all_used = used_now();
    return 0;
}

static void check_nothing_left(uint16_t id)
{
    assert_null(domain_get(id));
    assert_int_equal(frames_now(), all_free);
    assert_int_equal(frame_owned_count(id), 0);
    assert_int_equal(used_now(), all_used);
    assert_int_equal(irq_desc(40)->owner, IRQ_UNUSED);
    assert_false(host_irqs[40].enabled);
    for (uint32_t i = 0; i < PCPUS; i++)
        assert_null(pcpus[i]->current);
}

static struct domain *running(void)
{
    struct domain *d;

    assert_int_equal(build(7, 2, &d), 0);
    domain_start(d);
    assert_int_equal(d->state, DOMAIN_RUNNING);
    settle();
    assert_true(entered[d->vcpus[0]->sched.pcpu->id] == d->vcpus[0]);
    return d;
}

/* The exit of a guest, on the pCPU where it runs. */
static struct vcpu *exit_of(struct vcpu *v)
{
    host_set_pcpu(v->sched.pcpu->id);
    assert_ptr_equal(this_pcpu()->current, v);
    return v;
}

static uint32_t count_text(const char *part)
{
    uint32_t n = 0;

    for (const char *at = host_log; (at = strstr(at, part)); at++)
        n++;
    return n;
}

/* --- coming into being ---------------------------------------------------------------------------
 */

#ifndef REAL_HEAP
/* A domain for which there is no memory leaves nothing behind, wherever it ran out. */
static void fails_anywhere(void **state)
{
    struct domain *d;
    uint64_t n = 0;
    int rc;

    for (;; n++) {
        heap_left = n;
        rc = build(7, 4, &d);
        heap_left = UINT32_MAX;
        if (rc == 0)
            break;
        assert_int_equal(rc, -ENOMEM);
        check_nothing_left(7);
    }
    assert_true(n >= 10);
    domain_start(d);
    domain_stop(d, DOMAIN_POWEROFF);
    settle();
    check_nothing_left(7);
}

#endif

/* Numbers are unique, and those of a domain that went are free again. */
static void numbers(void **state)
{
    struct domain *d, *other, *found;

    assert_int_equal(domain_create(7, 0, &d), -EINVAL);
    assert_int_equal(domain_create(7, DOMAIN_MAX_VCPUS + 1, &d), -EINVAL);
    assert_int_equal(domain_create(7, DOMAIN_MAX_VCPUS, &d), 0);
    assert_int_equal(domain_create(7, 1, &other), -EEXIST);
    assert_int_equal(domain_create(3, 1, &other), 0);
    assert_null(domain_get(5));
    found = domain_get(7);
    assert_ptr_equal(found, d);
    domain_destroy(d);
    assert_null(domain_get(7));
    assert_int_equal(found->id, 7); /* there until the last has let go */
    domain_put(found);
    assert_int_equal(domain_create(7, 1, &d), 0);
    domain_destroy(d);
    domain_destroy(other);
    check_nothing_left(7);
}

static void note(struct domain *d, void *arg)
{
    uint32_t *seen = arg;

    *seen = *seen * 10 + d->id;
}

/* They are listed by number, however they came. */
static void in_order(void **state)
{
    static const uint16_t ids[] = { 5, 2, 9, 1, 7 };
    struct domain *d[5];
    uint32_t seen = 0;

    for (uint32_t i = 0; i < 5; i++)
        assert_int_equal(domain_create(ids[i], 1, &d[i]), 0);
    domain_for_all(note, &seen);
    assert_int_equal(seen, 12579);
    for (uint32_t i = 0; i < 5; i++)
        domain_destroy(d[i]);
    check_nothing_left(7);
}

/* Some at a time, from a number on, but not those that are being built. */
static void some_at_a_time(void **state)
{
    struct domain *d[5], *got[5];

    for (uint16_t i = 0; i < 5; i++) {
        assert_int_equal(domain_create((uint16_t)(i + 1), 1, &d[i]), 0);
        if (i != 2)
            d[i]->state = DOMAIN_RUNNING;
    }
    assert_int_equal(domain_get_some(0, got, 0), 0);
    assert_int_equal(domain_get_some(2, got, 2), 2);
    assert_ptr_equal(got[0], d[1]);
    assert_ptr_equal(got[1], d[3]);
    domain_destroy(d[1]); /* held, in no list */
    domain_put(got[0]);
    domain_put(got[1]);
    assert_int_equal(domain_get_some(0, got, 5), 3);
    assert_ptr_equal(got[0], d[0]);
    assert_ptr_equal(got[2], d[4]);
    for (uint32_t i = 0; i < 3; i++)
        domain_put(got[i]);
    assert_int_equal(domain_get_some(6, got, 5), 0);
    got[0] = domain_get_from(3);
    assert_ptr_equal(got[0], d[3]);
    domain_put(got[0]);
    assert_null(domain_get_from(6));
    for (uint32_t i = 0; i < 5; i++)
        if (i != 1)
            domain_destroy(d[i]);
    check_nothing_left(7);
}

/* --- going ---------------------------------------------------------------------------------------
 */

/*
 * Domains of which a hostile neighbour still has grants mapped keep others from being made: by the
 * few VMIDs that there are, or by tables that nobody walks any more.
 */
static void kept_by_others(void **state)
{
    static struct domain *kept[300];
    uint64_t root;

    for (uint32_t i = 0; i < 300; i++) {
        assert_int_equal(build(7, 1, &kept[i]), 0);
        root = (uint64_t)1 << arch_p2m_format.top_order;
        assert_in_range(kept[i]->p2m.nr_tables, root + 2, root + 100);
        domain_hold(kept[i]);
        while (domain_release_step(kept[i]))
            ;
        domain_destroy(kept[i]);
        assert_int_equal(kept[i]->p2m.nr_tables, root);
    }
    for (uint32_t i = 0; i < 300; i++)
        domain_put(kept[i]);
    check_nothing_left(7);
}

/* Off: its memory is back, its line too, and the log says what happened. */
static void switches_off(void **state)
{
    struct domain *d = running();

    irq_guest_enable(40, 0);
    assert_true(host_irqs[40].enabled);
    domain_stop(exit_of(d->vcpus[0])->domain, DOMAIN_POWEROFF);
    settle();
    check_nothing_left(7);
    assert_contains(host_log, "domain 7 (guest) switched itself off");
    assert_int_equal(builds, 0);
}

/* Only a domain that runs can stop, and once: later reasons do not change the first. */
static void stops_once(void **state)
{
    struct domain *d;

    assert_int_equal(build(7, 2, &d), 0);
    domain_stop(d, DOMAIN_POWEROFF);
    assert_int_equal(d->state, DOMAIN_CREATED);
    domain_crash(d->vcpus[0], "nothing");
    settle();
    assert_int_equal(d->state, DOMAIN_CREATED);
    assert_string_equal(host_log, "");
    domain_start(d);
    domain_stop(d, DOMAIN_POWEROFF);
    assert_int_equal(d->state, DOMAIN_STOPPED);
    domain_stop(d, DOMAIN_REBOOT);
    domain_crash(d->vcpus[0], "too late");
    assert_int_equal(d->stop_reason, DOMAIN_POWEROFF);
    settle();
    check_nothing_left(7);
    assert_int_equal(builds, 0);
    assert_null(strstr(host_log, "too late"));
}

/* While a vCPU may still be in its guest, nothing of its memory goes to others. */
static void waits_for_vcpus(void **state)
{
    struct domain *d = running();
    struct vcpu *v = d->vcpus[0];
    uint32_t here = v->sched.pcpu->id, there = (here + 1) % PCPUS;

    host_set_pcpu(there);
    domain_stop(d, DOMAIN_POWEROFF);
    assert_true(pcpus[here]->pending != 0 && pcpus[here]->arch.kicks > 0);
    for (uint32_t i = 0; i < 50; i++) {
        host_clock_advance(1000000);
        for (uint32_t n = 0; n < PCPUS; n++)
            if (n != here)
                run(n);
    }
    assert_false(domain_is_quiet(d));
    assert_int_equal(frame_owned_count(7), OWNED);
    assert_int_equal(d->state, DOMAIN_STOPPED);
    assert_ptr_equal(d->vcpus[0], v);
    settle();
    check_nothing_left(7);
}

/* vCPUs in any state when it ends: running, asleep and loaded, asleep and saved, off, waiting for a
 * pCPU. */
static void any_state(void **state)
{
    for (uint32_t round = 0; round < 1000; round++) {
        struct domain *d;
        uint32_t nr = 1 + unit_random(5);

        assert_int_equal(build(7, nr, &d), 0);
        domain_start(d);
        for (uint32_t i = 1; i < nr; i++)
            if (unit_random(3))
                vcpu_up(d->vcpus[i]);
        for (uint32_t i = 0; i < 8; i++) {
            uint32_t n = unit_random(PCPUS);

            host_clock_advance(unit_random(5000000));
            run(n);
            if (entered[n] && unit_random(2)) {
                entered[n]->arch.has_interrupt = unit_random(4) == 0;
                vcpu_block(entered[n]);
            } else if (entered[n] && unit_random(4) == 0) {
                vcpu_down(entered[n]);
            } else {
                vcpu_kick(d->vcpus[unit_random(nr)]);
            }
            if (unit_random(3) == 0)
                (void)p2m_handle_fault(d, GFN(FIRST_GFN + unit_random(FRAMES)));
        }
        host_set_pcpu(unit_random(PCPUS));
        if (unit_random(2))
            domain_stop(d, DOMAIN_POWEROFF);
        else
            domain_crash(d->vcpus[unit_random(nr)], "round %u", round);
        settle();
        check_nothing_left(7);
        host_log_clear();
    }
}

/* A crash is told once, although the guest's other CPUs run into the same a moment later. */
static void crashes_once(void **state)
{
    struct domain *d = running();

    vcpu_up(d->vcpus[1]);
    settle();
    d->vcpus[0]->regs.pc = 0x1234;
    host_set_pcpu(d->vcpus[0]->sched.pcpu->id);
    domain_crash(d->vcpus[0], "bad %s", "luck");
    host_set_pcpu(d->vcpus[1]->sched.pcpu->id);
    domain_crash(d->vcpus[1], "bad %s", "luck");
    settle();
    check_nothing_left(7);
    assert_int_equal(count_text("bad luck"), 1);
    assert_contains(host_log, "pc 0x1234");
    assert_int_equal(count_text("vCPU 1 pc"), 0);
    assert_contains(host_log, "domain 7 (guest) crashed");
}

/* Reset: it starts again from its modules, as often as it wants. */
static void starts_again(void **state)
{
    (void)running();

    for (uint32_t i = 1; i <= 5; i++) {
        struct domain *d = domain_get(7);

        assert_non_null(d);
        domain_put(d);
        domain_stop(exit_of(d->vcpus[0])->domain, DOMAIN_REBOOT);
        settle();
        assert_int_equal(builds, i);
        assert_int_equal(frames_now(), all_free - OWNED);
    }
    struct domain *d = domain_get(7);
    assert_int_equal(d->state, DOMAIN_RUNNING);
    assert_ptr_equal(entered[d->vcpus[0]->sched.pcpu->id], d->vcpus[0]);
    domain_put(d);
    domain_stop(d, DOMAIN_POWEROFF);
    settle();
    check_nothing_left(7);
}

#ifndef REAL_HEAP
/* When it cannot start again the user is told, and the rest goes on. */
static void cannot_start_again(void **state)
{
    struct domain *d = running();

    build_rc = -ENOSPC;
    domain_stop(exit_of(d->vcpus[0])->domain, DOMAIN_REBOOT);
    settle();
    check_nothing_left(7);
    assert_contains(host_log, "/chosen/domU1: could not be started again");

    build_rc = 0;
    d = running();
    domain_stop(exit_of(d->vcpus[0])->domain, DOMAIN_REBOOT);
    heap_left = 0;
    settle();
    heap_left = UINT32_MAX;
    check_nothing_left(7);
    assert_contains(host_log, "/chosen/domU1: no memory to start it again");
}

#endif

static void work(void *arg)
{
    work_run();
}

static void hardware_ends(enum domain_stop reason, bool noreboot, const char *how)
{
    struct domain *d = running();

    d->hardware = true;
    options.noreboot = noreboot;
    domain_stop(exit_of(d->vcpus[0])->domain, reason);
    run(d->vcpus[0]->sched.pcpu->id);
    host_set_pcpu(0);
    assert_true(host_stops(work, NULL));
    assert_string_equal(host_stop_reason, how);
    /* The others were told to stop for good. Here the machine goes on: forget it. */
    for (uint32_t n = 0; n < PCPUS; n++)
        __atomic_fetch_and(&pcpus[n]->pending, ~(uint32_t)PENDING_STOP, __ATOMIC_SEQ_CST);
    d->hardware = false;
    d->stop_reason = DOMAIN_POWEROFF;
    host_set_pcpu(0);
    work_queue(&d->work);
    settle();
    check_nothing_left(7);
}

/* The hardware domain's off and reset are the machine's, `noreboot` or not: else `poweroff` in dom0
 * leaves it running. A crash resets too, unless the user wants to read. */
static void hardware(void **state)
{
    hardware_ends(DOMAIN_POWEROFF, false, "off");
    hardware_ends(DOMAIN_REBOOT, false, "reset");
    hardware_ends(DOMAIN_CRASH, false, "reset");
    hardware_ends(DOMAIN_CRASH, true, "halt");
    hardware_ends(DOMAIN_POWEROFF, true, "off");
    hardware_ends(DOMAIN_REBOOT, true, "reset");
}

#ifndef REAL_HEAP
static void look_around(void)
{
    if (this_pcpu()->nr_locks_held == 0)
        domain_dump_all();
}

/* Somebody types `q` while a domain goes: he sees it whole, or not at all. */
static void listed_while_it_goes(void **state)
{
    struct domain *d = running();

    heap_freed = look_around;
    domain_stop(exit_of(d->vcpus[0])->domain, DOMAIN_REBOOT);
    settle();
    d = domain_get(7);
    domain_put(d);
    domain_dump_all();
    assert_contains(host_log, "domain 7 (guest): running, 12000 KiB of memory");
    domain_stop(d, DOMAIN_POWEROFF);
    settle();
    heap_freed = NULL;
    check_nothing_left(7);
}

#endif

#define TEST(fn) cmocka_unit_test_setup(fn, start)

int main(void)
{
    static const struct CMUnitTest tests[] = {
#ifndef REAL_HEAP
        TEST(fails_anywhere),  TEST(cannot_start_again), TEST(listed_while_it_goes),
#endif
        TEST(numbers),         TEST(in_order),           TEST(some_at_a_time),
        TEST(kept_by_others),  TEST(switches_off),       TEST(stops_once),
        TEST(waits_for_vcpus), TEST(any_state),          TEST(crashes_once),
        TEST(starts_again),    TEST(hardware),
    };

    return cmocka_run_group_tests(tests, machine, NULL);
}
