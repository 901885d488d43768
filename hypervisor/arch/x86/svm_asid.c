/* SPDX-License-Identifier: MIT */
/*
 * Address space identifiers: which translations in a pCPU's TLB are whose. AMD APM volume 2, 15.16.
 *
 * Each vCPU has an ASID of its own on the pCPU that runs it. A pCPU gives them out in rounds: when
 * the last one is used, all translations are flushed and a new round begins, in which nobody has
 * one yet. A vCPU that comes from another pCPU, or whose domain's memory has changed, gets a new
 * one. Numbers of rounds are of one pCPU only, so that one comparison tells all.
 */
#include <asm/guest_tlb.h>
#include <asm/svm.h>
#include <asm/vmcb.h>
#include <hospes/domain.h>
#include <hospes/pcpu.h>
#include <hospes/vcpu.h>

struct asids {
    uint64_t round; /* the pCPU's number, MAX_PCPUS times how many there were, and 1 */
    uint32_t next, last;
    bool flush_by_asid;
} __aligned(64);

static struct asids asids[MAX_PCPUS];

void svm_asid_init(struct pcpu *p, uint32_t last, bool flush_by_asid)
{
    asids[p->id] = (struct asids){
        .round = p->id + 1u, .next = 1, .last = last, .flush_by_asid = flush_by_asid
    };
}

/* Translations under the vCPU's ASID, if it has one, are old. */
static void __noinline renew(struct asids *a, struct svm_vcpu *s)
{
    struct vmcb *c = s->vmcb;

    if (a->flush_by_asid && s->asid_round == a->round) {
        c->tlb_control = TLB_FLUSH_ASID;
        return;
    }
    c->tlb_control = TLB_KEEP;
    if (a->next > a->last) {
        a->round += MAX_PCPUS;
        a->next = 1;
        c->tlb_control = TLB_FLUSH_ALL;
    }
    s->asid_round = a->round;
    c->asid = a->next++;
    c->clean &= ~CLEAN_ASID;
}

void svm_asid_enter(struct pcpu *p, struct vcpu *v)
{
    struct svm_vcpu *s = &v->arch.svm;
    struct asids *a = &asids[p->id];
    uint32_t generation = guest_tlb_enter(p, v->domain);

    if (likely(s->asid_round == a->round && s->tlb_seen == generation)) {
        s->vmcb->tlb_control = TLB_KEEP;
        return;
    }
    renew(a, s);
    s->tlb_seen = generation;
}
