/* SPDX-License-Identifier: MIT */
/*
 * vCPUs: creation, blocking, and what a pCPU does between two entries into a guest.
 *
 * Waiting without losing a wake-up: the vCPU first says that it is blocked, then looks for
 * interrupts once more; who pends one first makes it visible, then looks whether the vCPU is
 * blocked. A full barrier stands between on both sides, so at least one of them sees the other.
 * Whoever takes `blocked` back, and nobody else, wakes it: so it cannot run, let alone sleep again
 * or go off, before that one has come so far.
 */
#include <hospes/cpu.h>
#include <hospes/domain.h>
#include <hospes/heap.h>
#include <hospes/log.h>
#include <hospes/pcpu.h>
#include <hospes/runstate.h>
#include <hospes/vcpu.h>
#include <hospes/vcpu_info.h>
#include <hospes/vcpu_timer.h>
#include <hospes/work.h>

struct vcpu *vcpu_create(struct domain *d, uint32_t id)
{
    struct vcpu *v = heap_alloc(sizeof(*v));

    if (!v)
        return NULL;
    v->domain = d;
    v->id = id;
    evtchn_vcpu_init(v);
    if (sched_unit_init(&v->sched, true))
        goto no_unit;
    runstate_vcpu_init(v);
    if (vcpu_info_vcpu_init(v))
        goto no_info;
    if (arch_vcpu_init(v))
        goto no_arch;
    arch_vcpu_reset(v);
    return v;

no_arch:
    vcpu_info_vcpu_destroy(v);
no_info:
    sched_unit_destroy(&v->sched);
no_unit:
    heap_free(v);
    return NULL;
}

void vcpu_destroy(struct vcpu *v)
{
    arch_vcpu_destroy(v);
    if (v->poll_timer)
        timer_destroy(v->poll_timer);
    heap_free(v->poll_timer);
    vcpu_timer_destroy(v);
    runstate_vcpu_destroy(v);
    vcpu_info_vcpu_destroy(v);
    sched_unit_destroy(&v->sched);
    heap_free(v);
}

static void unblock(struct vcpu *v)
{
    if (__atomic_exchange_n(&v->blocked, false, __ATOMIC_SEQ_CST))
        sched_wake(&v->sched);
}

void vcpu_block(struct vcpu *v)
{
    sched_block(&v->sched);
    store_release(v->blocked, true);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (arch_vcpu_has_interrupt(v))
        unblock(v);
}

void vcpu_kick(struct vcpu *v)
{
    struct pcpu *p;

    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (read_once(v->blocked)) {
        unblock(v);
        return;
    }
    /* If it is not loaded there, it will look when it is; a pCPU that has just changed gets a kick
     * too many. */
    p = read_once(v->sched.pcpu);
    if (read_once(p->current) == v)
        pcpu_kick(p, PENDING_DELIVER);
}

void vcpu_up(struct vcpu *v)
{
    write_once(v->initialised, true);
    write_once(v->online, true);
    write_once(v->sched.off, false);
    sched_wake(&v->sched);
}

void vcpu_down(struct vcpu *v)
{
    write_once(v->online, false);
    write_once(v->sched.off, true);
    sched_block(&v->sched);
}

/*
 * Makes what the scheduler chose what this pCPU runs. A vCPU stays loaded, `current`, while the
 * pCPU only idles: it may be the next to run here, and then nothing has to be switched.
 */
static void switch_unit(struct pcpu *p)
{
    struct sched_unit *unit = sched_pick(p, clock_ns());
    struct vcpu *next = unit && unit->is_vcpu ? container_of(unit, struct vcpu, sched) : NULL;

    if (p->current && p->current != next) {
        if (!unit && !sched_must_save(p) && read_once(p->current->online))
            return;
        arch_vcpu_save(p->current, next);
        write_once(p->current, NULL);
    }
    if (!p->current)
        sched_switch_done(p);
    if (next && !p->current) {
        write_once(p->current, next);
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        arch_vcpu_load(next);
    }
    if (!next)
        return;
    if (unlikely(runstate_is_shown(&next->runstate)))
        runstate_show(next);
    arch_vcpu_deliver(next);
}

/* Nothing to enter: deferred work, scrubbing, sleep. Then looks what came. */
static void run_without_guest(struct pcpu *p)
{
    if (p->sched.running)
        work_run();
    else if (!work_run_idle())
        arch_cpu_idle();
    arch_irq_poll();
    __atomic_fetch_or(&p->pending, PENDING_SCHED, __ATOMIC_RELAXED);
}

struct vcpu *vcpu_next(struct pcpu *p)
{
    for (;;) {
        uint32_t pending = __atomic_exchange_n(&p->pending, 0, __ATOMIC_SEQ_CST);
        const struct sched_unit *unit;

        if (unlikely(pending & PENDING_STOP))
            arch_cpu_halt();
        if (pending & PENDING_CALL)
            pcpu_serve_call();
        if (pending & PENDING_TIMER)
            timer_run();
        if (pending & PENDING_SCHED)
            switch_unit(p);
        unit = p->sched.running;
        if (unit && unit->is_vcpu) {
            if (pending & PENDING_DELIVER)
                arch_vcpu_deliver(p->current);
            if (likely(!read_once(p->pending)))
                return p->current;
        } else if (!read_once(p->pending)) {
            run_without_guest(p);
        }
    }
}

void vcpu_run_loop(void)
{
    __atomic_fetch_or(&this_pcpu()->pending, PENDING_SCHED, __ATOMIC_RELAXED);
    arch_vcpu_enter_first(vcpu_next(this_pcpu()));
}
