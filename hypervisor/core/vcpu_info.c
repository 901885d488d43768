/* SPDX-License-Identifier: MIT */
/* What a domain and Hospes share for good; <hospes/vcpu_info.h> has the contract. */
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/frame.h>
#include <hospes/guest_atomic.h>
#include <hospes/heap.h>
#include <hospes/map.h>
#include <hospes/vcpu.h>
#include <hospes/vcpu_info.h>
#include <lib/bits.h>
#include <xen/xen.h>

_Static_assert(sizeof(struct shared_info) <= FRAME_SIZE, "a page of its own");

int vcpu_info_domain_init(struct domain *d)
{
    int err = frame_alloc(d->id, 0, FRAME_LASTING, &d->shared_info_mfn, NULL);

    if (err)
        return err;
    d->shared_info = frame_pin(d->shared_info_mfn);
    if (!d->shared_info) {
        frame_free(d->shared_info_mfn, 1);
        return -ENOMEM;
    }
    return 0;
}

void vcpu_info_domain_destroy(struct domain *d)
{
    frame_unpin(d->shared_info);
    d->shared_info = NULL;
    frame_free(d->shared_info_mfn, 1);
}

int vcpu_info_vcpu_init(struct vcpu *v)
{
    if (v->id < XEN_LEGACY_MAX_VCPUS) {
        v->info = &v->domain->shared_info->vcpu_info[v->id];
        return 0;
    }
    v->info = v->unseen_info = heap_alloc(sizeof(*v->info));
    return v->info ? 0 : -ENOMEM;
}

void vcpu_info_vcpu_destroy(struct vcpu *v)
{
    guest_area_unmap(&v->info_area);
    heap_free(v->unseen_info);
    v->info = v->unseen_info = NULL;
}

/* In the new place everything may be pending: the guest looks. */
static void mark_all_pending(struct vcpu *v)
{
    struct vcpu_info *info = v->info;
    uint8_t old;

    __atomic_store_n(&info->evtchn_pending_sel, ~(xen_ulong_t)0, __ATOMIC_SEQ_CST);
    if (!guest_or_u8(&info->evtchn_upcall_pending, 1, &old) || !old)
        arch_evtchn_upcall(v);
}

int vcpu_info_register(struct vcpu *v, gaddr_t at)
{
    struct domain *d = v->domain;
    struct guest_area area;
    int err;

    if (load_acquire(v->info_area.p))
        return -EBUSY;
    err = guest_area_map(d, at, sizeof(*v->info), &area);
    if (err)
        return err;
    spin_lock(&d->lock);
    if (v->info_area.p) {
        err = -EBUSY;
    } else {
        struct vcpu_info *to = area.p;

        *to = *v->info;
        to->evtchn_upcall_pending = 0; /* an upcall that was not taken is made again */
        v->info_area = area;
        store_release(v->info, to);
    }
    spin_unlock(&d->lock);
    if (err)
        guest_area_unmap(&area);
    else
        mark_all_pending(v);
    return err;
}
