/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes the hypercalls: a control domain and three guests, one of them with its memory at machine
 * addresses, one with static memory, do what an input says, and make and end other domains. After
 * each few steps hypercall_invariants.c looks at all that is counted, and at the end of an input
 * every domain is taken down, and every frame and piece of heap has to be back.
 *
 * An input is a list of steps: a byte says what to do, bytes after it with what. Steps are calls
 * (hypercall_ops.c), which may be interrupted and go on after other domains' steps; guests' writes
 * to what they share with Hospes; time; deferred work; failing allocations.
 *
 * In the middle of a call, whenever it looks at its guest's memory, other vCPUs may act, as if on
 * other pCPUs: make calls, change what the guest says, take its memory or its domain away.
 */
#include "hypercall_invariants.h"
#include "hypercall_requests.h"
#include "hypercall_steps.h"
#include "hypercall_world.h"

#include <asm/host.h>
#include <hospes/domain.h>
#include <hospes/timer.h>
#include <hospes/work.h>
#include <stdlib.h>

#define STEPS 200u
#define EACH  16u /* steps between checks */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* The vCPU that is in the middle of a call while others act. */
static struct vcpu *in_the_middle;

/* One that may run; else what it was about to do is forgotten. */
static struct vcpu *some_vcpu(void)
{
    uint64_t who = take(1);
    struct domain *d = domain_get((uint16_t)(who % DOMAINS));
    uint32_t vcpu = (uint32_t)(who / DOMAINS % 4 == 0);
    struct vcpu *v = d && vcpu < d->max_vcpus ? d->vcpus[vcpu] : NULL;

    if (!v || d->state != DOMAIN_RUNNING || v->sched.pause_count) {
        vcpu_forget((uint16_t)(who % DOMAINS), vcpu);
        v = NULL;
    }
    if (d)
        domain_put(d);
    return v;
}

static void guest_step(uint32_t what)
{
    struct vcpu *v;

    /* Who makes a call is there as long as he runs; he holds no reference. */
    v = some_vcpu();
    if (v && v != in_the_middle)
        vcpu_step(v, what);
}

void host_guest_access(struct vcpu *v)
{
    struct pcpu *p = this_pcpu();
    uint32_t pending = p->pending;

    if (in_the_middle || !others_after || --others_after)
        return;
    CHECK(p->nr_locks_held == 0, "a guest's memory is looked at with a lock held");
    in_the_middle = v;
    v->sched.held = true;
    stop_soon = vcpu_steps_short = true; /* it may be up to the one in the middle to go on */
    for (uint64_t n = 1 + take(1) % 3; n; n--)
        guest_step((uint32_t)take(1));
    stop_soon = vcpu_steps_short = false;
    v->sched.held = false;
    in_the_middle = NULL;
    p->current = v;
    p->pending = pending;
}

static void step(void)
{
    uint32_t what = (uint32_t)take(1);

    if (what < 228) {
        guest_step(what);
    } else if (what < 234) {
        host_clock_advance(take(1) * 100000000);
        timer_run();
    } else if (what < 241) {
        work_run();
    } else if (what < 245) {
        stop_after = (uint32_t)take(1) % 64;
    } else if (what < 250) {
        others_after = (uint32_t)take(1) % 16;
    } else if (what < 252) {
        host_pin_fails = (uint32_t)take(1) % 4;
    } else {
        heap_fails = (uint32_t)take(1) % 8;
    }
    this_pcpu()->pending = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static bool made;

    if (!made)
        make_machine(1);
    made = true;
    tell = getenv("HYPERCALLS_TELL");
    input_begin(data, bytes);
    vcpu_forget_all();
    host_log_clear();
    add_domains(take(1));
    for (uint32_t i = 0; i < STEPS && !input_ends(); i++) {
        step();
        if (tell || i % EACH == 0)
            check_all();
    }
    check_all();
    end_all();
    return 0;
}
