/* SPDX-License-Identifier: MIT */
/* What the console's debug keys show of the scheduler. */
#include <hospes/domain.h>
#include <hospes/log.h>
#include <hospes/pcpu.h>
#include <hospes/sched.h>
#include <hospes/timer.h>
#include <hospes/vcpu.h>

#define DUMP_MAX 16 /* units shown for each pCPU */

struct dump_unit {
    bool is_vcpu;
    uint16_t domid;
    uint32_t vcpu;
    uint32_t weight;
    int64_t ahead_ns; /* of the queue's least virtual time */
    uint64_t runtime_ns;
};

static struct dump_unit dump_unit(struct sched_unit *u, const struct sched_pcpu *s)
{
    struct dump_unit d = {
        .is_vcpu = u->is_vcpu,
        .weight = u->weight,
        .ahead_ns = (int64_t)(u->vtime - s->min_vtime),
        .runtime_ns = u->runtime_ns,
    };

    if (u->is_vcpu) {
        const struct vcpu *v = container_of(u, struct vcpu, sched);

        d.domid = v->domain->id;
        d.vcpu = v->id;
    }
    return d;
}

static void dump_line(const char *what, const struct dump_unit *d)
{
    if (d->is_vcpu)
        log_info("  %s d%uv%u: weight %u, %lld us ahead, ran %llu ms", what, d->domid, d->vcpu,
                 d->weight, (long long)(d->ahead_ns / 1000),
                 (unsigned long long)(d->runtime_ns / 1000000));
    else
        log_info("  %s worker: weight %u, %lld us ahead, ran %llu ms", what, d->weight,
                 (long long)(d->ahead_ns / 1000), (unsigned long long)(d->runtime_ns / 1000000));
}

/* Writes nothing while it holds the lock: a UART is slow. */
static void dump_pcpu(struct pcpu *p)
{
    struct sched_pcpu *s = &p->sched;
    struct dump_unit units[DUMP_MAX + 1];
    uint32_t n = 0, nr_queued;
    bool running;
    uint64_t idle_ns;

    spin_lock(&s->lock);
    running = s->running != NULL;
    nr_queued = s->nr_queued;
    idle_ns = s->idle_ns + (running ? 0 : clock_ns() - s->idle_since_ns);
    if (running)
        units[n++] = dump_unit(s->running, s);
    for (struct tree_node *t = tree_first(&s->queue); t != NULL && n <= DUMP_MAX; t = tree_next(t))
        units[n++] = dump_unit(tree_entry(t, struct sched_unit, node), s);
    spin_unlock(&s->lock);

    log_info("CPU%u: %s, %u waiting, idle for %llu ms in all", p->id, running ? "busy" : "idle",
             nr_queued, (unsigned long long)(idle_ns / 1000000));
    for (uint32_t i = 0; i < n; i++)
        dump_line(i == 0 && running ? "runs " : "waits", &units[i]);
    if (nr_queued + running > n)
        log_info("  and %u more", nr_queued + running - n);
}

void sched_dump(void)
{
    uint32_t i;

    pcpu_for_each_online (i)
        dump_pcpu(pcpus[i]);
}
