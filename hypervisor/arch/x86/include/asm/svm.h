/* SPDX-License-Identifier: MIT */
/*
 * AMD's virtualization (SVM): what it adds to a vCPU, and what svm*.c share. AMD APM volume 2,
 * chapter 15.
 */
#ifndef ASM_SVM_H
#define ASM_SVM_H

#include <stdbool.h>
#include <stdint.h>

struct pcpu;
struct vcpu;
struct vmcb;

struct svm_vcpu {
    struct vmcb *vmcb;   /* a page */
    uint64_t vmcb_maddr; /* its machine address */
    uint64_t asid_round; /* of the pCPU that gave the ASID in the VMCB, when it did; 0: none */
    uint32_t tlb_seen;   /* d->arch.tlb_generation when it did */
};

/* What a pCPU needs for itself. */
struct svm_pcpu {
    const struct vcpu *loaded; /* whose registers are in the hardware, or NULL */
    uint64_t own_maddr;        /* page in which VMSAVE keeps the hypervisor's, */
    bool has_own;              /* unless they are in the hardware */
    /* ASIDs: svm_asid.c */
    uint64_t asid_round; /* the pCPU's number, MAX_PCPUS times how many there were, and 1 */
    uint32_t next_asid, last_asid;
    bool flush_by_asid;
};

/* --- svm_vmcb.c ------------------------------------------------------------------------------ */

int svm_vcpu_init(struct vcpu *v);
void svm_vcpu_destroy(struct vcpu *v);
void svm_vcpu_reset(struct vcpu *v);

/* Tables that all vCPUs share: which MSRs a guest has for itself. First pCPU. 0 or -ENOMEM. */
int svm_init_permissions(void);

/* --- svm_asid.c ------------------------------------------------------------------------------ */

/* This pCPU has ASIDs 1 to `last`. */
void svm_asid_init(struct pcpu *p, uint32_t last, bool flush_by_asid);

/* Just before VMRUN: translations under the vCPU's ASID, if it has one, are old, or another
 * pCPU's. What it has from now on are of that generation of the domain's. */
void svm_asid_renew(struct svm_pcpu *p, struct svm_vcpu *s, uint32_t generation);

/* The next entry of `v` begins without any translation. */
static inline void svm_asid_drop(struct svm_vcpu *s)
{
    s->asid_round = 0;
}

/* --- svm.c ----------------------------------------------------------------------------------- */

/* The machine is QEMU's emulation, which delivers an interrupt that EVENTINJ injects a second time
 * if its thread is woken for nothing before the next exit. Constant after the first pCPU's start.
 */
extern bool svm_is_qemu;

/* --- svm_exit.c, svm_entry.S ----------------------------------------------------------------- */

/* Whom to enter, as the calling convention returns it: in rax, as VMRUN takes it, and rdx. */
struct svm_next {
    uint64_t vmcb_maddr;
    struct vcpu *v;
};

/* After #VMEXIT, with the registers in v->regs but for those of the VMCB. */
struct svm_next svm_exit(struct vcpu *v);

/* Enters the vCPU that svm_exit(), or svm_prepare(), told, with the stack empty at `stack_top`. */
struct svm_next svm_prepare(struct pcpu *p, struct vcpu *v);
__attribute__((noreturn)) void svm_enter_first(struct vcpu *v, uint64_t vmcb_maddr,
                                               uint64_t stack_top);

#endif
