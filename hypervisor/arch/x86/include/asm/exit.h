/* SPDX-License-Identifier: MIT */
/*
 * Exits: what handlers are given, and what they do to a guest. doc/exits.md.
 *
 * A handler gets the vCPU, which is loaded; registers are in v->regs, all of them. It decodes,
 * calls whoever does the work, and returns what its caller (exit.c) acts on: EXIT_FAULT is #GP(0),
 * EXIT_UNDEF is #UD. EXIT_STEP is what those of instructions return whose length was found before:
 * v->arch.next_rip is where the guest goes on. Others step over them by exit_skip().
 */
#ifndef ASM_EXIT_H
#define ASM_EXIT_H

#include <hospes/compiler.h>
#include <hospes/exit.h>
#include <hospes/types.h>
#include <hospes/vcpu.h>

/* Exceptions' vectors: AMD APM volume 2, table 8-1. */
enum exception {
    EXC_DE = 0,
    EXC_DB = 1,
    EXC_NMI = 2,
    EXC_BP = 3,
    EXC_OF = 4,
    EXC_BR = 5,
    EXC_UD = 6,
    EXC_NM = 7,
    EXC_DF = 8,
    EXC_TS = 10,
    EXC_NP = 11,
    EXC_SS = 12,
    EXC_GP = 13,
    EXC_PF = 14,
    EXC_MF = 16,
    EXC_AC = 17,
    EXC_MC = 18,
    EXC_XM = 19,
    EXC_CP = 21,
};

/* What is put into a guest: v->arch.event, and what SVM and VMX tell of one. */
#define EVENT_VECTOR    0x00000000000000ffull
#define EVENT_TYPE      0x0000000000000700ull
#define EVENT_HAS_ERROR (1ull << 11)
#define EVENT_VALID     (1ull << 31)
#define EVENT_ERROR     0xffffffff00000000ull

enum event_type { EVENT_INTERRUPT = 0, EVENT_NMI = 2, EVENT_EXCEPTION = 3 };

/* Error code of a page fault. */
#define PF_PRESENT 0x01u
#define PF_WRITE   0x02u
#define PF_USER    0x04u
#define PF_FETCH   0x10u

/* --- exit.c ---------------------------------------------------------------------------------- */

/* Does what a handler returned, where that is more than EXIT_HANDLED. */
void exit_act(struct vcpu *v, enum exit_action action, uint64_t code);

/* Steps over the instruction that exited, of `length` bytes: a guest that single-steps is told. */
void exit_skip(struct vcpu *v, uint32_t length);
/* Tells it, for who has stepped over one by himself. */
void exit_single_step(struct vcpu *v);

/* Width of the code that runs: 16, 32 or 64 bits. */
unsigned int exit_code_bits(struct vcpu *v);

/*
 * Length of the instruction at rip, where hvm_ops->locate() says, one that exited because it is of
 * this kind. 0: the guest is to try again, since it is not there any more, or has got an exception.
 * exit_length.c
 */
enum exit_instruction {
    INSTRUCTION_CPUID = 1,
    INSTRUCTION_RDMSR,
    INSTRUCTION_WRMSR,
    INSTRUCTION_HLT,
    INSTRUCTION_PAUSE,
    INSTRUCTION_HYPERCALL,
    INSTRUCTION_XSETBV,
    INSTRUCTION_INVD,
    INSTRUCTION_WBINVD,
    INSTRUCTIONS
};
uint32_t exit_length_learn(struct vcpu *v, enum exit_instruction kind); /* takes its bytes */

static inline uint32_t exit_length(struct vcpu *v, enum exit_instruction kind,
                                   const struct hvm_code *code)
{
    const struct known_length *k = known_length_at(&v->arch, code->address);

    if (code->length)
        return code->length;
    if (likely(is_known_length(k, code->address, code->cr3, KNOWN_WHAT(kind, code->bits))))
        return k->length;
    return exit_length_learn(v, kind);
}

/* Which segment's memory the instruction at rip reads by RSI: DS unless a prefix says otherwise. */
uint8_t exit_segment(struct vcpu *v);

/* How many of these bytes are prefixes. */
uint32_t exit_prefixes(const uint8_t *bytes, uint32_t nr, unsigned int code_bits);

/* --- guest_access.c -------------------------------------------------------------------------- */

/*
 * Reads the instruction at cs:rip, where *code says: up to 15 bytes, fewer where the next page
 * cannot be read. The number of bytes.
 */
uint32_t guest_fetch(struct vcpu *v, uint8_t bytes[15], const struct hvm_code *code);

/* --- inject.c: put into the guest at the next entry --------------------------------------------
 */

/*
 * An exception of the guest's instruction, or of the delivery of what the last exit interrupted:
 * two of them make #DF, three a shutdown (domain_stop()). AMD APM volume 2, 8.2.9.
 */
void inject_exception(struct vcpu *v, enum exception vector);
void inject_error(struct vcpu *v, enum exception vector, uint32_t error);
void inject_page_fault(struct vcpu *v, uint64_t address, uint32_t error);

/*
 * What waits for the guest goes in, as far as it can be taken: an NMI, the vector by which it is
 * told of events, its local APIC's. If something remains, the guest exits as soon as it can take
 * it.
 */
void inject_pending(struct vcpu *v);

/* Makes what the processor knows of the guest's priority (CR8) and its local APIC's register agree;
 * around whatever reads or writes that. */
void inject_agree_on_priority(struct vcpu *v);

/* A vCPU's processor came to a shutdown: a triple fault. Stops the domain, as a machine resets. */
void inject_shutdown(struct vcpu *v);

/* --- by subject --------------------------------------------------------------------------------
 */

enum exit_action exit_cpuid(struct vcpu *v); /* cpuid.c */
/* By code of this level of privilege, 0 the kernel's. */
enum exit_action exit_msr(struct vcpu *v, unsigned int level, bool write);       /* msr.c */
enum exit_action exit_hypercall(struct vcpu *v, unsigned int level, bool is_64); /* hypercall.c */
enum exit_action exit_xsetbv(struct vcpu *v);                                    /* fpu.c */
enum exit_action exit_hlt(struct vcpu *v);   /* exit.c; has been stepped over */
enum exit_action exit_pause(struct vcpu *v); /* exit.c */
/* mov to and from CR0, CR4; LMSW, CLTS: control.c */
enum exit_action exit_control(struct vcpu *v);
/*
 * The tables of nested paging have nothing at `address`, or not for this use: PF_PRESENT, PF_WRITE,
 * PF_FETCH. `access`: it is the access itself, and not one to the guest's page tables.
 * nested_fault.c
 */
enum exit_action exit_nested_fault(struct vcpu *v, gaddr_t address, uint32_t how, bool access);

/* context.c: DR0 to DR3 are the guest's from now on, until another vCPU is loaded. */
void debug_registers_load(struct vcpu *v);

/* msr.c: a register that exits, by its number. EXIT_HANDLED, or EXIT_FAULT. */
enum exit_action msr_read(struct vcpu *v, uint32_t msr, uint64_t *value);
enum exit_action msr_write(struct vcpu *v, uint32_t msr, uint64_t value);

/* One access to ports, as the processor describes it. */
struct exit_pio {
    uint16_t port;
    uint8_t size; /* bytes: 1, 2, 4 */
    bool write, string, rep;
    uint8_t address_bits; /* strings: 16, 32, 64; 0: not known, as the code's */
    uint8_t segment;      /* strings out: enum segment_name; SEGMENTS: not told */
    uint8_t length;       /* of the instruction; 0: not known */
};
/* port.c */
enum exit_action exit_port(struct vcpu *v, const struct exit_pio *x);

#endif
