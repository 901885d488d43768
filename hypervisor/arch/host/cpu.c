/* SPDX-License-Identifier: MIT */
/*
 * The stand-in's pCPUs and time: the architecture's part of <hospes/cpu.h>, <hospes/timer.h>,
 * <hospes/pcpu.h>. A pCPU executes nothing by itself: a test says which one it is.
 */
#include <asm/host.h>
#include <hospes/cpu.h>
#include <hospes/log.h>
#include <hospes/pcpu.h>
#include <hospes/timer.h>

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

_Thread_local struct pcpu *host_this_pcpu;

static struct pcpu storage[MAX_PCPUS];
static uint64_t now;

__attribute__((weak)) struct pcpu *pcpus[MAX_PCPUS];
__attribute__((weak)) uint32_t nr_pcpus;
__attribute__((weak)) DECLARE_BITMAP(pcpus_online, MAX_PCPUS);

void host_pcpus_init(uint32_t n)
{
    assert(n > 0 && n <= MAX_PCPUS);
    memset(storage, 0, sizeof(storage));
    memset(pcpus, 0, sizeof(pcpus));
    bitmap_zero(pcpus_online, MAX_PCPUS);
    for (uint32_t i = 0; i < n; i++) {
        storage[i].id = i;
        storage[i].arch.timer_ns = TIMER_NEVER;
        pcpus[i] = &storage[i];
        bitmap_set(pcpus_online, i);
    }
    nr_pcpus = n;
    host_this_pcpu = pcpus[0];
    now = 0;
}

void host_set_pcpu(uint32_t id)
{
    assert(id < nr_pcpus);
    host_this_pcpu = pcpus[id];
}

/* --- time -------------------------------------------------------------------------------- */

uint64_t clock_ns(void)
{
    return read_once(now);
}

static void timers_fire(void)
{
    for (uint32_t i = 0; i < nr_pcpus; i++) {
        if (pcpus[i]->arch.timer_ns <= now)
            __atomic_fetch_or(&pcpus[i]->pending, PENDING_TIMER, __ATOMIC_SEQ_CST);
    }
}

void host_clock_set(uint64_t now_ns)
{
    assert(now_ns >= now);
    write_once(now, now_ns);
    timers_fire();
}

void host_clock_advance(uint64_t ns)
{
    host_clock_set(now + ns);
}

void arch_timer_program(uint64_t expires_ns)
{
    struct pcpu *p = this_pcpu();

    p->arch.timer_ns = expires_ns;
    p->arch.timer_programs++;
    if (expires_ns <= read_once(now))
        __atomic_fetch_or(&p->pending, PENDING_TIMER, __ATOMIC_SEQ_CST);
}

/* --- pCPUs ------------------------------------------------------------------------------- */

__attribute__((weak)) void arch_cpu_relax(void)
{
    /* Not by its usual name, which <hospes/sched.h> has too. */
    syscall(SYS_sched_yield);
}

void arch_cpu_idle(void)
{
    struct pcpu *p = this_pcpu();

    p->arch.idles++;
    if (p->arch.timer_ns != TIMER_NEVER && p->arch.timer_ns > now)
        host_clock_set(p->arch.timer_ns);
}

__attribute__((weak)) void arch_irq_poll(void)
{
}

__attribute__((weak)) bool arch_irq_is_pending(void)
{
    return false;
}

void arch_send_kick(uint32_t id)
{
    __atomic_fetch_add(&pcpus[id]->arch.kicks, 1, __ATOMIC_SEQ_CST);
}

__attribute__((weak)) void pcpu_kick(struct pcpu *p, uint32_t bits)
{
    __atomic_fetch_or(&p->pending, bits, __ATOMIC_SEQ_CST);
    if (p != this_pcpu())
        arch_send_kick(p->id);
}

/* Becomes each of the others in turn. */
__attribute__((weak)) void pcpu_call_others(void (*fn)(void *arg), void *arg)
{
    struct pcpu *self = this_pcpu();
    uint32_t i;

    pcpu_for_each_online (i) {
        if (pcpus[i] == self)
            continue;
        host_this_pcpu = pcpus[i];
        fn(arg);
    }
    host_this_pcpu = self;
}

/* --- the end ----------------------------------------------------------------------------- */

char host_stop_reason[512];

static _Thread_local jmp_buf *catcher;

bool host_stops(void (*fn)(void *arg), void *arg)
{
    jmp_buf here;
    bool stopped = true;

    host_stop_reason[0] = '\0';
    catcher = &here;
    if (setjmp(here) == 0) {
        fn(arg);
        stopped = false;
    }
    catcher = NULL;
    return stopped;
}

void host_stop(const char *reason)
{
    snprintf(host_stop_reason, sizeof(host_stop_reason), "%s", reason);
    if (catcher != NULL)
        longjmp(*catcher, 1);
    fprintf(stderr, "the machine stopped: %s\n", reason);
    abort();
}

void arch_cpu_halt(void)
{
    host_stop("halt");
}

void arch_machine_reset(void)
{
    host_stop("reset");
}

void arch_machine_off(void)
{
    host_stop("off");
}
