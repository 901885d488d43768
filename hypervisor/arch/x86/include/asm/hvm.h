/* SPDX-License-Identifier: MIT */
/*
 * What AMD and Intel virtualize in different ways, behind one table: hvm_ops is svm_ops (later
 * vmx_ops), chosen when the first CPU is looked at and constant from then on. Everything above it
 * knows no vendor.
 *
 * All but cpu_init() take a vCPU that is loaded on this pCPU, or that does not run at all.
 */
#ifndef ASM_HVM_H
#define ASM_HVM_H

#include <asm/vcpu.h>
#include <hospes/compiler.h>
#include <hospes/types.h>

struct domain;
struct vcpu;

/* Numbers as instructions have them; then the others. */
enum segment_name {
    SEG_ES,
    SEG_CS,
    SEG_SS,
    SEG_DS,
    SEG_FS,
    SEG_GS,
    SEG_LDTR,
    SEG_TR,
    SEG_GDTR,
    SEG_IDTR,
    SEGMENTS
};

/* Attributes of a segment, packed: bits 47:40 and 55:52 of its descriptor. */
#define SEG_TYPE    0x000fu
#define SEG_S       0x0010u
#define SEG_DPL     0x0060u
#define SEG_PRESENT 0x0080u
#define SEG_AVL     0x0100u
#define SEG_L       0x0200u
#define SEG_DB      0x0400u
#define SEG_G       0x0800u

struct segment {
    uint64_t base;
    uint32_t limit; /* in bytes, whatever SEG_G says */
    uint16_t selector;
    uint16_t attributes; /* SEG_* */
};

/* Registers that the processor keeps for the guest; read and written as the guest sees them. */
enum hvm_reg {
    HVM_CR0,
    HVM_CR2,
    HVM_CR3,
    HVM_CR4,
    HVM_EFER,
    HVM_DR6,
    HVM_DR7,
    HVM_PAT,
    HVM_STAR,
    HVM_LSTAR,
    HVM_CSTAR,
    HVM_SFMASK,
    HVM_KERNEL_GS_BASE,
    HVM_SYSENTER_CS,
    HVM_SYSENTER_ESP,
    HVM_SYSENTER_EIP,
    HVM_REGS
};

struct hvm_ops {
    const char *name;

    /* Switches it on for this pCPU. 0, -ENODEV (with the reason logged), -ENOMEM. */
    int (*cpu_init)(void);

    int (*vcpu_init)(struct vcpu *v); /* 0 or -ENOMEM */
    void (*vcpu_destroy)(struct vcpu *v);
    void (*vcpu_reset)(struct vcpu *v); /* to the state after INIT, AMD APM volume 2, table 14-1 */

    /* What of a vCPU stays in the hardware between exits, out and in. `more`: another one is loaded
     * at once, before anything else runs. load(): true if the guest's DR7 has any of DR0 to DR3 on.
     */
    void (*save)(struct vcpu *v, bool more);
    bool (*load)(struct vcpu *v);

    /* Enters `v` with the stack empty. */
    __noreturn void (*enter_first)(struct vcpu *v);

    uint64_t (*get_reg)(const struct vcpu *v, enum hvm_reg reg);
    void (*set_reg)(struct vcpu *v, enum hvm_reg reg, uint64_t value);
    uint64_t (*get_cr3)(const struct vcpu *v); /* the same, asked for most often */
    void (*get_segment)(const struct vcpu *v, enum segment_name name, struct segment *s);
    void (*set_segment)(struct vcpu *v, enum segment_name name, const struct segment *s);
    unsigned int (*cpl)(const struct vcpu *v);

    /* The instruction that exited was executed: rip moves on, nothing holds interrupts back. */
    void (*step_over)(struct vcpu *v, uint32_t length);
    /* Where it is, and what the processor tells of it: v->arch.code. */
    const struct hvm_code *(*locate)(struct vcpu *v);
    /* Its bytes, if the processor tells them; how many. */
    uint32_t (*told_bytes)(const struct vcpu *v, uint8_t bytes[15]);

    /* True if an external interrupt, or an NMI, could be taken at the next entry. */
    bool (*takes_interrupt)(const struct vcpu *v);
    bool (*takes_nmi)(const struct vcpu *v);
    /* Exit as soon as takes_interrupt() is true; or do not care any more. */
    void (*watch_interrupts)(struct vcpu *v, bool on);
    /* The same for the end of an NMI's handler. */
    void (*watch_iret)(struct vcpu *v, bool on);

    /* Writes of CR8 exit. */
    void (*watch_tpr)(struct vcpu *v, bool on);

    /* DR0 to DR3 are not in the hardware: their use exits; or they are. */
    void (*watch_debug)(struct vcpu *v, bool on);
    void (*set_tsc_offset)(struct vcpu *v, int64_t offset);

    /* The priority that interrupts must have, as CR8: 0..15. */
    uint8_t (*get_tpr)(const struct vcpu *v);
    void (*set_tpr)(struct vcpu *v, uint8_t cr8);

    /* The next entry begins without any of its translations. */
    void (*forget_tlb)(struct vcpu *v);

    /* Prints its own part of arch_vcpu_dump(), at most 8 lines. */
    void (*dump)(const struct vcpu *v);
};

extern const struct hvm_ops *hvm_ops;
extern const struct hvm_ops svm_ops;

/*
 * Chooses hvm_ops on the first pCPU, and switches virtualization on; each pCPU, once, before it
 * runs vCPUs. 0, or -ENODEV: this CPU cannot run guests; the reason has been logged.
 */
int hvm_cpu_init(void);

/* --- states to begin with -------------------------------------------------------------------- */

/* `v`, which does not run, begins at vector << 12 in real mode: SIPI. vlapic_ipi.c. */
void hvm_start_at(struct vcpu *v, uint8_t vector);

/*
 * `v`, which does not run, begins at `entry` in 32-bit protected mode without paging, flat
 * segments, with ebx = `start_info`: <xen/arch-x86/hvm/start_info.h>. Builders of domains.
 */
void hvm_start_pvh(struct vcpu *v, uint32_t entry, uint32_t start_info);

#endif
