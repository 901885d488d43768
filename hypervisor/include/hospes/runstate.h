/* SPDX-License-Identifier: MIT */
/*
 * What a vCPU did with its time, as its guest sees it: the scheduler counts (sched_times()), a
 * guest finds the counts in memory that it named. They are brought up to date whenever the vCPU
 * begins to run.
 */
#ifndef HOSPES_RUNSTATE_H
#define HOSPES_RUNSTATE_H

#include <hospes/guest_area.h>
#include <hospes/spinlock.h>
#include <hospes/types.h>

struct vcpu;

struct runstate {
    struct spinlock lock;       /* LOCK_RUNSTATE: the places */
    struct guest_area place[2]; /* one, or two where it lies across the end of a page */
    uint32_t first_bytes;       /* of it in place[0] */
    bool by_address;            /* named by guest physical address */
    uint64_t *stolen;           /* Arm DEN 0057: where stolen time is told, or NULL */
    uint64_t shown_ns;          /* since when it runs, as last shown; UINT64_MAX: not yet */
};

void runstate_vcpu_init(struct vcpu *v);
void runstate_vcpu_destroy(struct vcpu *v);

/*
 * From now on it is shown at virtual address `va` of the calling vCPU `caller`, which is loaded; or
 * at guest physical address `at`. 0 (UINT64_MAX): nowhere. 0, or as guest_area_map() has it;
 * -EINVAL where `va` is nothing.
 */
int runstate_place_virtual(struct vcpu *v, struct vcpu *caller, uint64_t va);
int runstate_place_physical(struct vcpu *v, gaddr_t at);

/* From now on stolen time of `v`, which is loaded here, is shown there too. */
void runstate_show_stolen(struct vcpu *v, uint64_t *stolen);

/* `v` begins to run here: shows what changed. */
void runstate_show(struct vcpu *v);

/* True if somebody looks. */
static inline bool runstate_is_shown(const struct runstate *r)
{
    return r->place[0].p || r->stolen;
}

#endif
