/* SPDX-License-Identifier: MIT */
/* pCPUs: what each has to do, and calls from one to the others; <hospes/pcpu.h> has the contract.
 */
#include <hospes/cpu.h>
#include <hospes/heap.h>
#include <hospes/log.h>
#include <hospes/pcpu.h>
#include <hospes/spinlock.h>

/* The one that boots exists before there is a heap: TPIDR_EL2 points to it from the first
 * instruction in C. */
struct pcpu boot_pcpu;

struct pcpu *pcpus[MAX_PCPUS] = { &boot_pcpu };
uint32_t nr_pcpus = 1;
DECLARE_BITMAP(pcpus_online, MAX_PCPUS);

/* The call being served: one at a time. */
static struct {
    uint32_t busy;      /* somebody's call is under way */
    uint32_t remaining; /* pCPUs that have not run it yet */
    void (*fn)(void *arg);
    void *arg;
} call;

struct pcpu *pcpu_create(uint32_t id)
{
    struct pcpu *p = pcpus[id];

    if (!p)
        p = heap_alloc(sizeof(*p));
    if (!p)
        return NULL;
    p->id = id;
    if (timer_queue_init(p) || sched_pcpu_init(p)) {
        if (id)
            heap_free(p);
        return NULL;
    }
    pcpus[id] = p;
    return p;
}

void pcpu_kick(struct pcpu *p, uint32_t bits)
{
    uint32_t old = __atomic_fetch_or(&p->pending, bits, __ATOMIC_SEQ_CST);

    if (p != this_pcpu() && (old & bits) != bits)
        arch_send_kick(p->id);
}

void pcpu_serve_call(void)
{
    call.fn(call.arg);
    __atomic_fetch_sub(&call.remaining, 1, __ATOMIC_SEQ_CST);
}

void pcpu_wait_round(void)
{
    struct pcpu *p = this_pcpu();

    if (__atomic_fetch_and(&p->pending, ~(uint32_t)PENDING_CALL, __ATOMIC_SEQ_CST) & PENDING_CALL)
        pcpu_serve_call();
    arch_cpu_relax();
}

void pcpu_call_others(void (*fn)(void *arg), void *arg)
{
    DECLARE_BITMAP(others, MAX_PCPUS);
    uint32_t i;

    while (__atomic_exchange_n(&call.busy, 1, __ATOMIC_ACQUIRE))
        pcpu_wait_round();
    /* Looked at once: one that comes online meanwhile would be asked, but not waited for. */
    bitmap_copy(others, pcpus_online, MAX_PCPUS);
    bitmap_clear(others, this_pcpu()->id);
    call.fn = fn;
    call.arg = arg;
    store_release(call.remaining, bitmap_weight(others, MAX_PCPUS));
    bitmap_for_each_set (i, others, MAX_PCPUS)
        pcpu_kick(pcpus[i], PENDING_CALL);
    while (load_acquire(call.remaining))
        pcpu_wait_round();
    store_release(call.busy, 0);
}

void pcpu_stop_others(void)
{
    uint32_t me = this_pcpu()->id, i;

    pcpu_for_each_online (i)
        if (i != me)
            pcpu_kick(pcpus[i], PENDING_STOP);
}
