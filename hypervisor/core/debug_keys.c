/* SPDX-License-Identifier: MIT */
/* The hypervisor's keys at the console: what a developer asks of a running machine. */
#include <hospes/console.h>
#include <hospes/cpu.h>
#include <hospes/domain.h>
#include <hospes/evtchn.h>
#include <hospes/frame.h>
#include <hospes/heap.h>
#include <hospes/log.h>
#include <hospes/pcpu.h>
#include <hospes/sched.h>

/* What this pCPU runs. One at a time, so that the lines of two do not mix. */
static void dump_pcpu(void *unused)
{
    static bool busy;
    struct pcpu *p = this_pcpu();
    struct vcpu *v = p->current;
    const struct sched_unit *running = p->sched.running;

    (void)unused;
    while (__atomic_exchange_n(&busy, true, __ATOMIC_ACQUIRE))
        arch_cpu_relax();
    if (v) {
        /* One that went to sleep here stays loaded while there is nothing else to run. */
        log_err("CPU %u: %s d%uv%u, pending %x", p->id,
                running == &v->sched ? "runs"
                : running            ? "works, has loaded"
                                     : "idle, has loaded",
                v->domain->id, v->id, read_once(p->pending));
        arch_vcpu_dump(v);
    } else if (running) {
        log_err("CPU %u: works, pending %x", p->id, read_once(p->pending));
    } else {
        log_err("CPU %u: idle, pending %x", p->id, read_once(p->pending));
    }
    store_release(busy, false);
}

static void dump_pcpus(void)
{
    dump_pcpu(NULL);
    pcpu_call_others(dump_pcpu, NULL);
}

static void dump_memory(void)
{
    uint64_t taken, used;

    frame_dump();
    heap_usage(&taken, &used);
    log_err("heap: %llu KiB of %llu KiB used", (unsigned long long)used >> 10,
            (unsigned long long)taken >> 10);
}

static void dump_all(void)
{
    dump_pcpus();
    domain_dump_all();
    sched_dump();
    dump_memory();
}

static void reset(void)
{
    console_line("Resetting the machine");
    console_flush();
    arch_machine_reset();
    console_line("It cannot be reset");
}

void debug_keys_init(void)
{
    console_key('d', "CPUs: what each runs, with registers", dump_pcpus);
    console_key('q', "domains and their vCPUs", domain_dump_all);
    console_key('e', "event channels", evtchn_dump_all);
    console_key('r', "run queues of the scheduler", sched_dump);
    console_key('g', "memory", dump_memory);
    console_key('m', "memory", dump_memory);
    console_key('*', "all of the above", dump_all);
    console_key('R', "resets the machine", reset);
}
