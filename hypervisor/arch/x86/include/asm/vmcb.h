/* SPDX-License-Identifier: MIT */
/*
 * The virtual machine control block: what the processor reads at VMRUN and writes at #VMEXIT. AMD
 * APM volume 2, appendix B. svm*.c only.
 */
#ifndef ASM_VMCB_H
#define ASM_VMCB_H

#include <stddef.h>
#include <stdint.h>

/* A bit each, of `intercept_*`. */
#define INTERCEPT_CR_WRITE(n) (1u << (16 + (n)))
#define INTERCEPT_CR_READ(n)  (1u << (n))
#define INTERCEPT_DR_ALL      0xffffffffu

#define INTERCEPT1_INTR     (1u << 0)
#define INTERCEPT1_NMI      (1u << 1)
#define INTERCEPT1_SMI      (1u << 2)
#define INTERCEPT1_INIT     (1u << 3)
#define INTERCEPT1_VINTR    (1u << 4)
#define INTERCEPT1_CR0_SEL  (1u << 5) /* writes of CR0 that change more than TS and MP */
#define INTERCEPT1_RDPMC    (1u << 15)
#define INTERCEPT1_CPUID    (1u << 18)
#define INTERCEPT1_IRET     (1u << 20)
#define INTERCEPT1_INVD     (1u << 22)
#define INTERCEPT1_PAUSE    (1u << 23)
#define INTERCEPT1_HLT      (1u << 24)
#define INTERCEPT1_INVLPGA  (1u << 26)
#define INTERCEPT1_IOIO     (1u << 27)
#define INTERCEPT1_MSR      (1u << 28)
#define INTERCEPT1_FERR     (1u << 30)
#define INTERCEPT1_SHUTDOWN (1u << 31)

#define INTERCEPT2_VMRUN   (1u << 0)
#define INTERCEPT2_VMMCALL (1u << 1)
#define INTERCEPT2_VMLOAD  (1u << 2)
#define INTERCEPT2_VMSAVE  (1u << 3)
#define INTERCEPT2_STGI    (1u << 4)
#define INTERCEPT2_CLGI    (1u << 5)
#define INTERCEPT2_SKINIT  (1u << 6)
#define INTERCEPT2_RDTSCP  (1u << 7)
#define INTERCEPT2_WBINVD  (1u << 9)
#define INTERCEPT2_MONITOR (1u << 10)
#define INTERCEPT2_MWAIT   (1u << 11)
#define INTERCEPT2_XSETBV  (1u << 13)
#define INTERCEPT2_RDPRU   (1u << 14)

#define INTERCEPT3_INVLPGB_ALL (1u << 0)
#define INTERCEPT3_INVLPGB     (1u << 1)
#define INTERCEPT3_MCOMMIT     (1u << 3)
#define INTERCEPT3_TLBSYNC     (1u << 4)

/* tlb_control */
#define TLB_KEEP       0u
#define TLB_FLUSH_ALL  1u
#define TLB_FLUSH_ASID 3u /* of this guest; where CPUID says FlushByAsid */

/* v_intr */
#define V_TPR          0xffu
#define V_IRQ          (1u << 8)
#define V_INTR_PRIO    0x000f0000u
#define V_IGN_TPR      (1u << 20)
#define V_INTR_MASKING (1u << 24)
#define V_PENDS        (V_IRQ | V_IGN_TPR | V_INTR_PRIO) /* whatever the priority of what runs */

#define INTERRUPT_SHADOW (1ull << 0)

#define NP_ENABLE (1ull << 0)

/* clean: parts that have not changed since this pCPU last read them */
#define CLEAN_INTERCEPTS (1u << 0) /* and the TSC offset */
#define CLEAN_ASID       (1u << 2)
#define CLEAN_TPR        (1u << 3) /* v_intr */
#define CLEAN_NESTED     (1u << 4) /* CR3 of nested paging, PAT */
#define CLEAN_CR         (1u << 5) /* CR0, CR3, CR4, EFER */
#define CLEAN_DR         (1u << 6)
#define CLEAN_TABLES     (1u << 7) /* GDT and IDT */
#define CLEAN_SEGMENTS   (1u << 8) /* CS, DS, SS, ES, CPL */
#define CLEAN_CR2        (1u << 9)
#define CLEAN_ALL        0xfffu

struct vmcb_segment {
    uint16_t selector;
    uint16_t attributes;
    uint32_t limit;
    uint64_t base;
};

struct vmcb {
    uint32_t intercept_cr;
    uint32_t intercept_dr;
    uint32_t intercept_exceptions; /* a bit a vector */
    uint32_t intercept1, intercept2, intercept3;
    uint8_t reserved_018[0x3c - 0x18];
    uint16_t pause_threshold, pause_count;
    uint64_t iopm, msrpm; /* machine addresses */
    uint64_t tsc_offset;
    uint32_t asid;
    uint32_t tlb_control;
    uint32_t v_intr;
    uint32_t v_vector; /* of the virtual interrupt that V_IRQ says pends */
    uint64_t interrupt_shadow;
    uint64_t exit_code, exit_info1, exit_info2, exit_int_info;
    uint64_t nested;
    uint8_t reserved_098[0xa8 - 0x98];
    uint64_t event_inj;
    uint64_t nested_cr3;
    uint64_t virt_ext;
    uint32_t clean, reserved_0c4;
    uint64_t next_rip;
    uint8_t fetched; /* bytes */
    uint8_t instruction[15];
    uint8_t reserved_0e0[0x400 - 0xe0];

    struct vmcb_segment es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr;
    uint8_t reserved_4a0[0x4cb - 0x4a0];
    uint8_t cpl;
    uint32_t reserved_4cc;
    uint64_t efer;
    uint8_t reserved_4d8[0x548 - 0x4d8];
    uint64_t cr4, cr3, cr0, dr7, dr6, rflags, rip;
    uint8_t reserved_580[0x5d8 - 0x580];
    uint64_t rsp, s_cet, ssp, isst_addr, rax;
    uint64_t star, lstar, cstar, sfmask, kernel_gs_base;
    uint64_t sysenter_cs, sysenter_esp, sysenter_eip, cr2;
    uint8_t reserved_648[0x668 - 0x648];
    uint64_t pat, dbgctl, br_from, br_to, exception_from, exception_to;
    uint8_t reserved_698[0x1000 - 0x698];
};

_Static_assert(offsetof(struct vmcb, iopm) == 0x40, "appendix B");
_Static_assert(offsetof(struct vmcb, asid) == 0x58, "appendix B");
_Static_assert(offsetof(struct vmcb, exit_code) == 0x70, "appendix B");
_Static_assert(offsetof(struct vmcb, event_inj) == 0xa8, "appendix B");
_Static_assert(offsetof(struct vmcb, clean) == 0xc0, "appendix B");
_Static_assert(offsetof(struct vmcb, instruction) == 0xd1, "appendix B");
_Static_assert(offsetof(struct vmcb, es) == 0x400, "appendix B");
_Static_assert(offsetof(struct vmcb, tr) == 0x490, "appendix B");
_Static_assert(offsetof(struct vmcb, efer) == 0x4d0, "appendix B");
_Static_assert(offsetof(struct vmcb, rip) == 0x578, "appendix B");
_Static_assert(offsetof(struct vmcb, rax) == 0x5f8, "appendix B");
_Static_assert(offsetof(struct vmcb, cr2) == 0x640, "appendix B");
_Static_assert(offsetof(struct vmcb, exception_to) == 0x690, "appendix B");
_Static_assert(sizeof(struct vmcb) == 0x1000, "a page");

/* exit_code: AMD APM volume 2, appendix C */
enum vmexit {
    VMEXIT_CR0_READ = 0x000,
    VMEXIT_CR_WRITE = 0x010, /* + number */
    VMEXIT_DR_READ = 0x020,  /* + number */
    VMEXIT_DR_WRITE = 0x030,
    VMEXIT_EXCEPTION = 0x040, /* + vector */
    VMEXIT_INTR = 0x060,
    VMEXIT_NMI = 0x061,
    VMEXIT_SMI = 0x062,
    VMEXIT_INIT = 0x063,
    VMEXIT_VINTR = 0x064,
    VMEXIT_CR0_SEL_WRITE = 0x065,
    VMEXIT_RDTSC = 0x06e,
    VMEXIT_RDPMC = 0x06f,
    VMEXIT_CPUID = 0x072,
    VMEXIT_IRET = 0x074,
    VMEXIT_INVD = 0x076,
    VMEXIT_PAUSE = 0x077,
    VMEXIT_HLT = 0x078,
    VMEXIT_INVLPGA = 0x07a,
    VMEXIT_IOIO = 0x07b,
    VMEXIT_MSR = 0x07c,
    VMEXIT_FERR_FREEZE = 0x07e,
    VMEXIT_SHUTDOWN = 0x07f,
    VMEXIT_VMRUN = 0x080,
    VMEXIT_VMMCALL = 0x081,
    VMEXIT_VMLOAD = 0x082,
    VMEXIT_VMSAVE = 0x083,
    VMEXIT_STGI = 0x084,
    VMEXIT_CLGI = 0x085,
    VMEXIT_SKINIT = 0x086,
    VMEXIT_RDTSCP = 0x087,
    VMEXIT_WBINVD = 0x089,
    VMEXIT_MONITOR = 0x08a,
    VMEXIT_MWAIT = 0x08b,
    VMEXIT_MWAIT_ARMED = 0x08c,
    VMEXIT_XSETBV = 0x08d,
    VMEXIT_RDPRU = 0x08e,
    VMEXIT_INVLPGB = 0x0a0,
    VMEXIT_INVLPGB_ILLEGAL = 0x0a1,
    VMEXIT_INVPCID = 0x0a2,
    VMEXIT_MCOMMIT = 0x0a3,
    VMEXIT_TLBSYNC = 0x0a4,
    VMEXIT_TABLE = 0x0a5, /* so many have an entry */
    VMEXIT_NPF = 0x400,
};

/* exit_info1 of VMEXIT_NPF, beside a page fault's bits: where in the walk */
#define NPF_FINAL (1ull << 32) /* of the access itself */
#define NPF_TABLE (1ull << 33) /* of one of the guest's page tables */

/* exit_info1 of VMEXIT_IOIO */
#define IOIO_IN      (1ull << 0)
#define IOIO_STRING  (1ull << 2)
#define IOIO_REP     (1ull << 3)
#define IOIO_SIZE    0x00000070ull /* one bit of three: 1, 2, 4 bytes */
#define IOIO_ADDRESS 0x00000380ull /* one bit of three: 16, 32, 64 bits */
#define IOIO_SEGMENT 0x00001c00ull
#define IOIO_PORT    0xffff0000ull

#endif
