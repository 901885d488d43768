/* SPDX-License-Identifier: MIT */
/* What AMD's virtualization (SVM) adds to a vCPU; svm*.c only. AMD APM volume 2, chapter 15. */
#ifndef ASM_SVM_H
#define ASM_SVM_H

#include <stdint.h>

struct vmcb;

struct svm_vcpu {
    struct vmcb *vmcb;   /* a page */
    uint64_t vmcb_maddr; /* its machine address */
    uint64_t asid_round; /* of the pCPU, when it gave the ASID that is in the VMCB; 0: none */
    uint32_t asid_pcpu;  /* which */
    uint32_t tlb_seen;   /* d->arch.tlb_generation when it did */
};

#endif
