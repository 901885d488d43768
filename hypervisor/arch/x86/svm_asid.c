/* SPDX-License-Identifier: MIT */
/*
 * Address space identifiers: which translations in a pCPU's TLB are whose. AMD APM volume 2, 15.16.
 *
 * Each vCPU has an ASID of its own on the pCPU that runs it. A pCPU gives them out in rounds: when
 * the last one is used, all translations are flushed and a new round begins, in which nobody has
 * one yet. A vCPU that comes from another pCPU, or whose domain's memory has changed, gets a new
 * one. Numbers of rounds are of one pCPU only, so that one comparison tells all.
 */
#include <asm/svm.h>
#include <asm/vmcb.h>
#include <hospes/pcpu.h>

void svm_asid_init(struct pcpu *p, uint32_t last, bool flush_by_asid)
{
    struct svm_pcpu *s = &p->arch.svm;

    s->asid_round = p->id + 1u;
    s->next_asid = 1;
    s->last_asid = last;
    s->flush_by_asid = flush_by_asid;
}

void svm_asid_renew(struct svm_pcpu *p, struct svm_vcpu *s, uint32_t generation)
{
    struct vmcb *c = s->vmcb;

    s->tlb_seen = generation;
    if (p->flush_by_asid && s->asid_round == p->asid_round) {
        c->tlb_control = TLB_FLUSH_ASID;
        return;
    }
    c->tlb_control = TLB_KEEP;
    if (p->next_asid > p->last_asid) {
        p->asid_round += MAX_PCPUS;
        p->next_asid = 1;
        c->tlb_control = TLB_FLUSH_ALL;
    }
    s->asid_round = p->asid_round;
    c->asid = p->next_asid++;
    c->clean &= ~CLEAN_ASID;
}
