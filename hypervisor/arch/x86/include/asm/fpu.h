/* SPDX-License-Identifier: MIT */
/*
 * The x87, SSE, AVX ... registers of vCPUs: switched with the vCPU, whole; the hypervisor uses
 * none. AMD APM volume 2, 11.5.
 */
#ifndef ASM_FPU_H
#define ASM_FPU_H

#include <hospes/types.h>

struct vcpu;

/* What XSAVE can save: bits of XCR0. */
#define XCR0_X87    (1ull << 0)
#define XCR0_SSE    (1ull << 1)
#define XCR0_AVX    (1ull << 2)
#define XCR0_AVX512 (7ull << 5)
#define XCR0_PKRU   (1ull << 9)

/* Lets this pCPU use XSAVE. Each, once; the first one finds out what there is. */
void fpu_cpu_init(void);

/* What guests may have in XCR0, and the size of the area that takes all of it. */
uint64_t fpu_features(void);
uint32_t fpu_state_bytes(void);

/* Size of an area for these features, standard format. */
uint32_t fpu_area_bytes(uint64_t xcr0);

int fpu_vcpu_init(struct vcpu *v); /* 0 or -ENOMEM */
void fpu_vcpu_destroy(struct vcpu *v);
void fpu_vcpu_reset(struct vcpu *v);
void fpu_save(struct vcpu *v);
void fpu_load(struct vcpu *v);

/* True if a guest may have this in XCR0, of `features`. */
bool fpu_is_xcr0(uint64_t value, uint64_t features);

#endif
