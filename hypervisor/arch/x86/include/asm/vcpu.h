/* SPDX-License-Identifier: MIT */
/*
 * An x86 vCPU's state. `struct cpu_regs` is what the entry code saves at each exit; what the
 * processor keeps of a guest elsewhere is behind <asm/hvm.h>; the rest stays in the hardware until
 * another vCPU is loaded (context.c).
 */
#ifndef ASM_VCPU_H
#define ASM_VCPU_H

#include <asm/mtrr.h>
#include <asm/svm.h>
#include <asm/vlapic.h>
#include <hospes/guest_area.h>
#include <hospes/types.h>
#include <stdbool.h>
#include <stdint.h>

/* Numbers of general registers, as instructions have them. */
enum gpr { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15 };

struct cpu_regs {
    union {
        uint64_t gpr[16]; /* by enum gpr */
        struct {
            uint64_t rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi;
            uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
        };
    };
    uint64_t rip;
    uint64_t rflags;
};

/* How the guest's present control registers translate addresses. */
enum paging { PAGING_NONE, PAGING_32, PAGING_PAE, PAGING_64 };

/* The code that runs. */
struct hvm_code {
    uint64_t address; /* linear, of the instruction at rip */
    uint64_t cr3;
    uint8_t bits;   /* 16, 32 or 64 */
    uint8_t length; /* of the instruction; 0: the processor does not tell */
    uint8_t level;  /* of privilege, 0 the kernel's */
};

/*
 * Lengths of instructions that exited, where the processor does not tell: what was fetched once is
 * not fetched again. An entry holds for one address under one CR3, one width of code and one kind
 * of instruction, so that only a program that changes its own code under its feet is told wrong, to
 * its own harm.
 */
#define KNOWN_LENGTHS 16u

struct known_length {
    uint64_t address; /* linear */
    uint64_t cr3;
    uint16_t what; /* KNOWN_WHAT() of enum exit_instruction and the width; 0: unused */
    uint8_t length;
};

#define KNOWN_WHAT(kind, bits) ((uint16_t)((kind) << 8 | (bits)))

struct arch_vcpu {
    struct svm_vcpu svm;

    /*
     * What is put into the guest at the next entry, as EVENTINJ of SVM and the entry's interruption
     * information of VMX have it; 0: nothing. inject.c.
     */
    uint64_t event;
    uint64_t held;    /* an interrupt that an exception took the place of */
    bool nmi_pending; /* set by anyone, at once */
    bool nmi_masked;  /* it has taken one, and not come back yet */
    /* What hvm_ops watches for now. Changed by inject.c, and by exits that the processor forgets it
     * at. */
    bool watches_interrupts, watches_tpr;

    /* As the guest wrote them; of CR0, bits TS and MP may be old. Changed by control.c only. */
    uint64_t cr0, cr4, efer;
    enum paging paging;

    uint64_t xcr0;
    void *xstate;   /* XSAVE area, standard format, of fpu_state_bytes() */
    uint64_t dr[4]; /* DR0 to DR3, unless they are in the hardware: */
    bool dr_live;
    uint64_t tsc_aux;
    uint64_t spec_ctrl; /* SPEC_CTRL, where the processor has none for each guest */
    uint64_t spec_id;   /* no other vCPU's, ever: speculation.c */
    struct mtrr_state mtrr;
    struct hvm_code code; /* as hvm_ops->locate() found it last */
    uint64_t next_rip;    /* behind the instruction that exited, for EXIT_STEP */
    struct known_length lengths[KNOWN_LENGTHS];

    struct vlapic vlapic;
    struct guest_area time_copy; /* vtime_place(); under domain->lock */
    uint8_t upcall_vector;       /* HVMOP_set_evtchn_upcall_vector; 0: none */
};

/* Where it is remembered how long an instruction at this address is, and whether it is there. */
static inline struct known_length *known_length_at(struct arch_vcpu *a, uint64_t address)
{
    return &a->lengths[(address ^ address >> 4) % KNOWN_LENGTHS];
}

static inline bool is_known_length(const struct known_length *k, uint64_t address, uint64_t cr3,
                                   uint16_t what)
{
    return k->address == address && k->cr3 == cr3 && k->what == what;
}

#endif
