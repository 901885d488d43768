/* SPDX-License-Identifier: MIT */
/*
 * What is done against speculation beyond privilege: by guests into the hypervisor, and into each
 * other. doc/speculation.md has what against what; `spec-ctrl=` of the command line changes it.
 *
 * All is decided once, by the first pCPU's CPUID, and constant from then on.
 */
#ifndef ASM_SPECULATION_H
#define ASM_SPECULATION_H

#include <hospes/option.h>
#include <hospes/types.h>

struct vcpu;

enum thunk { THUNK_RETPOLINE, THUNK_LFENCE, THUNK_JMP };

/* Each as the user said: 0: nothing, SPEC_ON, SPEC_OFF. */
enum spec_choice { SPEC_DEFAULT, SPEC_ON, SPEC_OFF };

struct spec_options {
    uint8_t thunk;                          /* bti-thunk=: enum thunk + 1; 0: not said */
    uint8_t ibrs, ibpb, ssbd, psfd, reduce; /* enum spec_choice, as the others: */
    uint8_t guests, rsb, verw, ibpb_entry;  /* msr-sc, rsb, verw, ibpb-entry */
    uint8_t ignored;                        /* some of the words mean nothing here */
};

/* What is done. */
struct speculation {
    enum thunk thunk;
    bool auto_ibrs;   /* the CPU keeps guests' predictions from the hypervisor by itself */
    bool rsb_fill;    /* at exits */
    bool ibpb_exit;   /* at exits: forget indirect predictions */
    bool ibpb_switch; /* when a pCPU goes on with another vCPU */
    bool verw;        /* clear buffers at entries */
    bool reduce;      /* BP_CFG's BP_SPEC_REDUCE */
    /* Bits of SPEC_CTRL that guests may set; 0: it is not there for them. */
    uint64_t guest_spec_ctrl;
    /* The processor has one for each guest (VMCB), and adds ours. */
    bool spec_ctrl_virtual;
    bool spec_ctrl_there;
    uint64_t spec_ctrl; /* ours */
};

extern struct speculation speculation;

/* Reads `spec-ctrl=` into struct spec_options: <hospes/option.h>. speculation_option.c */
bool speculation_read_option(struct option_reader *r, void *to);

/* Decides, makes the code fit, and says what is done. The first pCPU, once memory is managed,
 * before others start. */
void speculation_init(void);

/* Sets this pCPU's registers. Each pCPU, after speculation_init(). */
void speculation_pcpu_init(void);

/* Once in a vCPU's life. */
void speculation_vcpu_init(struct vcpu *v);

/* `v` has been loaded on this pCPU: another's predictions are forgotten, its SPEC_CTRL is set. */
void speculation_vcpu_load(struct vcpu *v);

/* SPEC_CTRL, where it exits. EXIT_HANDLED's true; false: #GP. `v` is loaded. */
bool speculation_read_guest(const struct vcpu *v, uint64_t *value);
bool speculation_write_guest(struct vcpu *v, uint64_t value);

#endif
