/* SPDX-License-Identifier: MIT */
/* Checks of the whole machine; hypercall_invariants.h says what they are. */
#include "hypercall_invariants.h"

#include "../../hypervisor/core/evtchn_internal.h"
#include "../../hypervisor/core/gnttab_internal.h"
#include "../../hypervisor/core/p2m_internal.h"

#include <hospes/claim.h>
#include <hospes/frame.h>
#include <lib/bits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is looked at here is no reason for the fuzzer to keep an input. */
#ifdef __clang__
#pragma clang attribute push(__attribute__((no_sanitize("coverage"))), apply_to = function)
#endif

#define MOST_DOMAINS 128u
#define MOST_FRAMES  16384u

/* All domains: those in the list, and those of which only grants that others mapped are left. */
static struct known {
    struct domain *d;
    bool listed;
    uint32_t refs; /* that we know of */
} known[MOST_DOMAINS];
static uint32_t nr_known;

/* What we know of each frame. */
static struct {
    uint32_t refs;
    uint16_t owner; /* who has the owner's reference */
} frames[MOST_FRAMES];
static uint64_t first_frame, nr_frames;

void check_failed(const char *file, int line, const char *what, const char *fmt, ...)
{
    va_list args;

    fprintf(stderr, "%s:%d: %s: ", file, line, what);
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fputc('\n', stderr);
    abort();
}

/* --- domains --------------------------------------------------------------------------------- */

static struct known *know(struct domain *d)
{
    for (uint32_t i = 0; i < nr_known; i++)
        if (known[i].d == d)
            return &known[i];
    CHECK(nr_known < MOST_DOMAINS, "too many domains");
    known[nr_known] = (struct known){ .d = d };
    return &known[nr_known++];
}

static void know_listed(struct domain *d, void *unused)
{
    struct known *k = know(d);

    (void)unused;
    k->listed = true;
    k->refs++;
}

/* Each in the list has its references; those of virq handlers are not ours to see. */
static void check_domain_refs(const struct known *k)
{
    uint32_t more = k->listed && !k->d->evtchn.closing ? EVTCHN_VIRQS : 0;

    CHECK(k->d->refs >= k->refs && k->d->refs <= k->refs + more, "d%u has %u references, not %u",
          k->d->id, k->d->refs, k->refs);
}

/* --- frames ---------------------------------------------------------------------------------- */

static void count(mfn_t m, uint16_t owner)
{
    CHECK(m.v - first_frame < nr_frames, "frame %#lx is none", m.v);
    frames[m.v - first_frame].refs++;
    if (owner == OWNER_NONE)
        return;
    CHECK(frames[m.v - first_frame].owner == OWNER_NONE, "frame %#lx has owners %u and %u", m.v,
          frames[m.v - first_frame].owner, owner);
    frames[m.v - first_frame].owner = owner;
}

static void count_area(const struct guest_area *a)
{
    if (a->p)
        count(a->mfn, OWNER_NONE);
}

static void count_vcpu(const struct vcpu *v)
{
    count_area(&v->info_area);
    count_area(&v->runstate.place[0]);
    count_area(&v->runstate.place[1]);
    count_area(&v->evtchn.control);
}

static void count_shared(struct domain *d)
{
    const struct evtchn_domain *e = &d->evtchn;
    struct vcpu *v;
    uint32_t i;

    count(d->shared_info_mfn, d->id);
    domain_for_each_vcpu (d, v, i)
        count_vcpu(v);
    for (i = 0; e->pages && i < EVTCHN_PAGES; i++)
        count_area(&e->pages[i]);
    for (i = 0; i < d->gnttab.nr_frames; i++)
        count(d->gnttab.frames[i].mfn, d->id);
}

/* What the domain's tables stand for; teardown, which leaves entries behind, has passed `lowest`.
 */
static void count_mapped(struct domain *d)
{
    struct p2m *p2m = &d->p2m;
    uint64_t at = p2m->dying ? p2m->lowest << FRAME_SHIFT : 0, end = p2m->highest << FRAME_SHIFT;
    uint64_t own = 0, counted = 0, found;
    struct pgtable_leaf leaf;
    unsigned int order;

    while (at < end && pgtable_next(&p2m->pt, at, end, &found, &leaf, &order)) {
        uint64_t skip = max(found, at) - found, n = ((uint64_t)1 << order) - (skip >> FRAME_SHIFT);
        gfn_t gfn = GFN((found + skip) >> FRAME_SHIFT);
        mfn_t m = maddr_to_mfn(maddr_add(leaf.maddr, skip));

        leaf.maddr = mfn_to_maddr(m);
        if (p2m_is_own(d, &leaf)) {
            for (uint64_t i = 0; i < n; i++)
                count(mfn_add(m, i), d->id);
            own += n;
        } else if (p2m_is_counted(leaf.type)) {
            CHECK(order == 0, "d%u: gfn %#lx is a counted block", d->id, gfn.v);
            count(m, OWNER_NONE);
            counted++;
            if (p2m_has_beneath(d, gfn)) {
                count(MFN(gfn.v), d->id);
                own++;
            }
        } else {
            CHECK(leaf.type == P2M_DEVICE, "d%u: gfn %#lx is of type %u, frame %#lx not its own",
                  d->id, gfn.v, leaf.type, m.v);
        }
        at = found + (FRAME_SIZE << order);
    }
    CHECK(own == d->tot_pages, "d%u: %lu pages, %lu counted", d->id, own, d->tot_pages);
    CHECK(counted == p2m->nr_counted, "d%u: %lu counted, not %lu", d->id, counted, p2m->nr_counted);
}

static void check_frames(void)
{
    uint64_t used = 0;

    const struct frame *table = frame_of(MFN(first_frame));

    for (uint64_t i = 0; i < nr_frames; i++) {
        const struct frame *f = &table[i];

        CHECK(f->count == frames[i].refs && frame_owner(f) == frames[i].owner,
              "frame %#lx: owner %u, count %u; should be %u, %u", first_frame + i, frame_owner(f),
              f->count, frames[i].owner, frames[i].refs);
        CHECK(!f->beneath || f->count, "frame %#lx beneath nothing", first_frame + i);
        used += f->count != 0;
    }
    CHECK(frame_free_count() + used == nr_frames, "%lu free, %lu used", frame_free_count(), used);
}

/* --- grants ---------------------------------------------------------------------------------- */

static void check_mapping(struct domain *d, const struct grant_mapping *m)
{
    const struct gnttab *gt = &m->granter->gnttab;
    enum p2m_type type;
    mfn_t found = p2m_lookup(d, m->gfn, &type, NULL);

    know(m->granter)->refs++;
    if (!d->p2m.dying)
        CHECK(found.v == m->frame.v && type == (m->readonly ? P2M_GRANT_RO : P2M_GRANT),
              "d%u: grant at %#lx is not there", d->id, m->gfn.v);
    if (gt->closed)
        return;
    CHECK(m->ref / GNTTAB_ENTRIES < gt->nr_frames, "d%u maps grant %u", d->id, m->ref);
    const struct grant_use *use =
        &gt->frames[m->ref / GNTTAB_ENTRIES].uses[m->ref % GNTTAB_ENTRIES];
    CHECK(use->by == d && use->frame.v == m->frame.v, "d%u uses grant %u, not its own", d->id,
          m->ref);
}

/* Mappings and free handles make up the whole. */
static uint32_t check_mappings(struct domain *d)
{
    const struct maptrack *t = &d->gnttab.maptrack;
    uint32_t there = 0, unused = 0;

    for (uint32_t i = 0; i < t->made; i++) {
        const struct grant_mapping *m = maptrack_find(d, i);

        CHECK(m->state != MAPPING_BUSY, "d%u: handle %u is busy", d->id, i);
        if (m->state == MAPPING_THERE) {
            there++;
            check_mapping(d, m);
        }
    }
    for (uint32_t i = t->free; i < t->made; i = maptrack_find(d, i)->ref) {
        CHECK(maptrack_find(d, i)->state == MAPPING_FREE && unused < t->made,
              "d%u: handle %u in the list of free ones", d->id, i);
        unused++;
    }
    CHECK(there + unused == t->made, "d%u: %u handles, %u used, %u free", d->id, t->made, there,
          unused);
    return there;
}

static uint32_t count_uses(const struct domain *d)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < d->gnttab.nr_frames; i++)
        for (uint32_t k = 0; k < GNTTAB_ENTRIES; k++)
            n += d->gnttab.frames[i].uses[k].readers + d->gnttab.frames[i].uses[k].writers;
    return n;
}

static uint32_t count_mappings_of(const struct domain *granter)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < nr_known; i++)
        for (uint32_t h = 0; h < known[i].d->gnttab.maptrack.made; h++) {
            const struct grant_mapping *m = maptrack_find(known[i].d, h);

            n += m->state == MAPPING_THERE && m->granter == granter;
        }
    return n;
}

/* --- ports ----------------------------------------------------------------------------------- */

static void check_port(struct domain *d, const struct evtchn *chn, uint32_t port)
{
    switch (chn->state) {
    case EVTCHN_FREE:
    case EVTCHN_UNBOUND:
    case EVTCHN_RESERVED:
        break;
    case EVTCHN_INTERDOMAIN:
        CHECK(know(chn->remote_domain)->listed, "d%u: port %u to one that is gone", d->id, port);
        CHECK(evtchn_find(chn->remote_domain, chn->remote_port) == chn->remote &&
                  chn->remote->state == EVTCHN_INTERDOMAIN && chn->remote->remote == chn &&
                  chn->remote->remote_domain == d && chn->remote->remote_port == port,
              "d%u: port %u and its other end differ", d->id, port);
        break;
    case EVTCHN_VIRQ: {
        uint32_t vcpu = evtchn_virq_is_global(chn->virq) ? 0 : chn->notify;

        CHECK(d->vcpus[vcpu]->evtchn.virq_port[chn->virq] == port, "d%u: port %u of VIRQ %u", d->id,
              port, chn->virq);
        break;
    }
    case EVTCHN_IPI:
        break;
    default:
        CHECK(false, "d%u: port %u of state %u", d->id, port, chn->state);
    }
    CHECK(chn->notify < d->max_vcpus, "d%u: port %u for vCPU %u", d->id, port, chn->notify);
}

static void check_ports(struct domain *d)
{
    const struct evtchn_domain *e = &d->evtchn;
    uint32_t open = 0, in_bucket = 0, bound = 0, i;
    struct vcpu *v;

    for (uint32_t port = 0; port < e->nr_ports; port++) {
        const struct evtchn *chn = evtchn_find(d, port);

        check_port(d, chn, port);
        open += evtchn_is_open(chn);
        bound += chn->state == EVTCHN_VIRQ;
        in_bucket += chn->state != EVTCHN_FREE;
        if ((port + 1) % EVTCHN_BUCKET_PORTS)
            continue;
        CHECK(in_bucket == e->buckets[port / EVTCHN_BUCKET_PORTS].used, "d%u: bucket of port %u",
              d->id, port);
        in_bucket = 0;
    }
    CHECK(open == e->nr_open, "d%u: %u ports open, not %u", d->id, open, e->nr_open);
    domain_for_each_vcpu (d, v, i)
        for (uint32_t virq = 0; virq < EVTCHN_VIRQS; virq++)
            bound -= v->evtchn.virq_port[virq] != 0;
    CHECK(bound == 0, "d%u: VIRQs without a port", d->id);
    CHECK(bitmap_weight(e->pollers, EVTCHN_VCPUS) == e->nr_pollers, "d%u: pollers", d->id);
}

/* --- the whole ------------------------------------------------------------------------------- */

static void check_vcpus(const struct domain *d)
{
    uint32_t pauses = (d->control_pauses != 0) + (d->state == DOMAIN_STOPPED) +
                      (d->state == DOMAIN_DYING),
             i;
    const struct vcpu *v;

    domain_for_each_vcpu (d, v, i) {
        uint32_t more = d->state == DOMAIN_DYING; /* it may have been stopped before */

        CHECK(v->sched.pause_count >= pauses && v->sched.pause_count <= pauses + more,
              "d%u: vCPU %u paused %u times, not %u", d->id, i, v->sched.pause_count, pauses);
    }
}

void begin_check(void)
{
    nr_known = 0;
}

void note_reference(struct domain *d)
{
    know(d)->refs++;
}

void check_invariants(mfn_t first, uint64_t nr)
{
    uint64_t claims = 0;

    for (uint32_t i = 0; i < nr_pcpus; i++) {
        CHECK(pcpus[i]->arch.nr_mapped == 0, "something is mapped yet");
        CHECK(pcpus[i]->nr_locks_held == 0, "a lock is held");
    }
    first_frame = first.v;
    nr_frames = nr;
    CHECK(nr <= MOST_FRAMES, "too many frames");
    for (uint64_t i = 0; i < nr; i++)
        frames[i].refs = 0, frames[i].owner = OWNER_NONE;
    domain_for_all(know_listed, NULL);
    for (uint32_t i = 0; i < nr_known; i++) /* grows meanwhile */
        (void)check_mappings(known[i].d);
    for (uint32_t i = 0; i < nr_known; i++) {
        struct domain *d = known[i].d;

        count_shared(d);
        count_mapped(d);
        check_vcpus(d);
        check_ports(d);
        check_domain_refs(&known[i]);
        if (!d->gnttab.closed)
            CHECK(count_uses(d) == count_mappings_of(d), "d%u: grants in use, and mapped", d->id);
        if (known[i].listed)
            claims += d->claim;
    }
    CHECK(claims == claim_total(), "claims: %lu of %lu are of nobody", claim_total() - claims,
          claim_total());
    check_frames();
}

#ifdef __clang__
#pragma clang attribute pop
#endif
