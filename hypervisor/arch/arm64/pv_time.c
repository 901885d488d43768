/* SPDX-License-Identifier: MIT */
/* Stolen time for guests; <asm/pv_time.h> has the contract. Arm DEN 0057A chapters 3 and 4. */
#include <asm/psci.h>
#include <asm/pv_time.h>
#include <hospes/compiler.h>
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/frame.h>
#include <hospes/map.h>
#include <hospes/p2m.h>
#include <hospes/runstate.h>
#include <hospes/vcpu.h>

/* One vCPU's: revision and attributes are 0. */
struct stolen_time {
    uint32_t revision, attributes;
    uint64_t stolen_ns;
    uint64_t reserved[6];
};

#define PER_PAGE (FRAME_SIZE / sizeof(struct stolen_time))
_Static_assert(PER_PAGE *PV_TIME_PAGES >= DOMAIN_MAX_VCPUS, "one for each vCPU");

int64_t pv_time_features(const struct domain *d, uint32_t function)
{
    bool there = d->arch.pv_time.at.v && (function == PV_TIME_FEATURES || function == PV_TIME_ST);

    return there ? PSCI_SUCCESS : PSCI_NOT_SUPPORTED;
}

/* Nothing may stand there: a device that was passed through could, or what the guest has mapped. */
static int show_page(struct domain *d, gfn_t gfn, mfn_t m)
{
    int err = frame_get(m, d->id);
    struct p2m_batch b;
    enum p2m_type type;

    if (err)
        return err;
    p2m_batch_begin(&b, d);
    (void)p2m_batch_lookup(&b, gfn, &type);
    err = type == P2M_NONE ? p2m_batch_map(&b, gfn, m, 1, P2M_SHARED_RO) : -EEXIST;
    p2m_batch_end(&b);
    if (err)
        frame_put(m);
    return err;
}

/* Under domain->lock. */
static int make_page(struct domain *d, uint32_t i)
{
    struct pv_time *t = &d->arch.pv_time;
    uint8_t *page;
    int err = frame_alloc(d->id, 0, 0, &t->mfn[i], NULL);

    if (err)
        return err;
    page = frame_pin(t->mfn[i]);
    err = page ? show_page(d, gfn_add(gaddr_to_gfn(t->at), i), t->mfn[i]) : -ENOMEM;
    if (err) {
        if (page)
            frame_unpin(page);
        frame_free(t->mfn[i], 1);
        return err;
    }
    t->page[i] = page;
    return 0;
}

int64_t pv_time_stolen(struct vcpu *v)
{
    struct domain *d = v->domain;
    struct pv_time *t = &d->arch.pv_time;
    uint32_t i = v->id / PER_PAGE;
    uint64_t offset = v->id % PER_PAGE * sizeof(struct stolen_time);
    int err = 0;

    if (!t->at.v)
        return PSCI_NOT_SUPPORTED;
    spin_lock(&d->lock);
    if (!t->page[i])
        err = make_page(d, i);
    spin_unlock(&d->lock);
    if (err)
        return PSCI_NOT_SUPPORTED;
    runstate_show_stolen(v, &((struct stolen_time *)(void *)(t->page[i] + offset))->stolen_ns);
    return (int64_t)(t->at.v + i * FRAME_SIZE + offset);
}

void pv_time_destroy(struct domain *d)
{
    struct pv_time *t = &d->arch.pv_time;

    for (uint32_t i = 0; i < PV_TIME_PAGES; i++) {
        if (!t->page[i])
            continue;
        frame_unpin(t->page[i]);
        frame_free(t->mfn[i], 1);
        t->page[i] = NULL;
    }
}
