/* SPDX-License-Identifier: MIT */
/* What a guest sees of its vCPUs' time; <hospes/runstate.h> has the contract. */
#include <hospes/compiler.h>
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/frame.h>
#include <hospes/guest_access.h>
#include <hospes/map.h>
#include <hospes/runstate.h>
#include <hospes/sched.h>
#include <hospes/vcpu.h>
#include <lib/bits.h>
#include <string.h>
#include <xen/vcpu.h>
#include <xen/xen.h>

_Static_assert(SCHED_TIME_RUNNING == RUNSTATE_running && SCHED_TIME_QUEUED == RUNSTATE_runnable &&
                   SCHED_TIME_BLOCKED == RUNSTATE_blocked && SCHED_TIME_OFF == RUNSTATE_offline,
               "the scheduler's counts are the guest's");

#define INFO_BYTES ((uint32_t)sizeof(struct vcpu_runstate_info))

void runstate_vcpu_init(struct vcpu *v)
{
    v->runstate = (struct runstate){ .lock = SPINLOCK_INIT(LOCK_RUNSTATE), .shown_ns = UINT64_MAX };
}

void runstate_vcpu_destroy(struct vcpu *v)
{
    guest_area_unmap(&v->runstate.place[0]);
    guest_area_unmap(&v->runstate.place[1]);
}

/* --- showing --------------------------------------------------------------------------------- */

static void put(const struct runstate *r, uint32_t offset, const void *from, uint32_t bytes)
{
    const uint8_t *in = from;

    if (likely(offset + bytes <= r->first_bytes)) {
        memcpy((uint8_t *)r->place[0].p + offset, in, bytes);
    } else {
        for (uint32_t i = 0; i < bytes; i++) {
            uint32_t at = offset + i;
            bool first = at < r->first_bytes;
            uint8_t *to = r->place[!first].p;

            to[first ? at : at - r->first_bytes] = in[i];
        }
    }
}

/* A reader on another vCPU sees by XEN_RUNSTATE_UPDATE that it looks too early, if it asked so. */
static void put_info(const struct runstate *r, const struct vcpu_runstate_info *info, bool flagged)
{
    const uint32_t entry_at = offsetof(struct vcpu_runstate_info, state_entry_time);
    uint64_t entry = info->state_entry_time | XEN_RUNSTATE_UPDATE;

    if (flagged) {
        put(r, entry_at, &entry, sizeof(entry));
        __atomic_thread_fence(__ATOMIC_RELEASE);
    }
    put(r, 0, &info->state, sizeof(info->state));
    put(r, offsetof(struct vcpu_runstate_info, time), info->time, sizeof(info->time));
    __atomic_thread_fence(__ATOMIC_RELEASE);
    put(r, entry_at, &info->state_entry_time, sizeof(entry));
}

static void show(struct vcpu *v)
{
    struct runstate *r = &v->runstate;
    uint32_t assist = read_once(v->domain->vm_assist);
    struct vcpu_runstate_info info = { .state = 0 };
    struct sched_times t;

    sched_times(&v->sched, &t);
    r->shown_ns = t.since_ns;
    info.state = (int)t.now;
    info.state_entry_time = t.since_ns;
    memcpy(info.time, t.ns, sizeof(info.time));
    if (r->place[0].p)
        put_info(r, &info, r->by_address || assist & BIT(VMASST_TYPE_runstate_update_flag));
    if (r->stolen)
        write_once(*r->stolen, t.ns[SCHED_TIME_QUEUED] + t.ns[SCHED_TIME_OFF]);
}

void runstate_show(struct vcpu *v)
{
    struct runstate *r = &v->runstate;

    if (v->sched.since_ns == r->shown_ns)
        return;
    spin_lock(&r->lock);
    show(v);
    spin_unlock(&r->lock);
}

void runstate_show_stolen(struct vcpu *v, uint64_t *stolen)
{
    struct runstate *r = &v->runstate;

    spin_lock(&r->lock);
    r->stolen = stolen;
    show(v);
    spin_unlock(&r->lock);
}

/* --- places ---------------------------------------------------------------------------------- */

static void place(struct vcpu *v, struct guest_area *places, uint32_t first_bytes, bool by_address)
{
    struct runstate *r = &v->runstate;
    struct guest_area old[2];

    spin_lock(&r->lock);
    memcpy(old, r->place, sizeof(old));
    memcpy(r->place, places, sizeof(old));
    r->first_bytes = first_bytes;
    r->by_address = by_address;
    if (places[0].p)
        show(v);
    spin_unlock(&r->lock);
    guest_area_unmap(&old[0]);
    guest_area_unmap(&old[1]);
}

int runstate_place_virtual(struct vcpu *v, struct vcpu *caller, uint64_t va)
{
    struct guest_area places[2] = { { NULL, MFN_NONE }, { NULL, MFN_NONE } };
    uint32_t first_bytes = min(INFO_BYTES, (uint32_t)(FRAME_SIZE - (va & FRAME_MASK)));
    int err = 0;

    if (va)
        err = guest_area_map_virtual(caller, va, &places[0]);
    if (!err && va && first_bytes < INFO_BYTES)
        err = guest_area_map_virtual(caller, va + first_bytes, &places[1]);
    if (err) {
        guest_area_unmap(&places[0]);
        return err;
    }
    place(v, places, first_bytes, false);
    return 0;
}

int runstate_place_physical(struct vcpu *v, gaddr_t at)
{
    struct guest_area places[2] = { { NULL, MFN_NONE }, { NULL, MFN_NONE } };
    int err = at.v == UINT64_MAX ? 0 : guest_area_map(v->domain, at, INFO_BYTES, &places[0]);

    if (!err)
        place(v, places, INFO_BYTES, true);
    return err;
}
