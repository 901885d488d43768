/* SPDX-License-Identifier: MIT */
/*
 * Exits: who handles which exception class, and what handlers do to a guest. doc/exits.md.
 *
 * A handler gets the vCPU, which is loaded, and ESR_EL2; it decodes, calls whoever does the work,
 * and returns what its caller (exit.c) acts on. Handlers of traps step over the instruction
 * themselves (exit_skip()).
 */
#ifndef ASM_EXIT_H
#define ASM_EXIT_H

#include <asm/sysreg.h>
#include <hospes/compiler.h>
#include <hospes/exit.h>
#include <hospes/types.h>
#include <hospes/vcpu.h>

/*
 * Steps over the trapped instruction, whose length ESR_EL2 tells: it was executed, so a guest that
 * single-steps (Arm ARM D2.12) is told before the next one. For handlers of traps, not of HVC.
 */
static inline void exit_skip(struct vcpu *v, uint64_t esr)
{
    uint64_t pc = v->regs.pc, pstate = v->regs.pstate;

    v->regs.pc = pc + 2 + 2 * field_get(ESR_IL, esr);
    v->regs.pstate = pstate & ~PSTATE_SS;
}

/* entry.S: enters `v` with the stack empty at `stack_top`. */
__noreturn void guest_enter_first(struct vcpu *v, uint64_t stack_top);

/* abort.c */
enum exit_action abort_data(struct vcpu *v, uint64_t esr);
enum exit_action abort_instruction(struct vcpu *v, uint64_t esr);

/* sysreg.c */
enum exit_action sysreg_trap(struct vcpu *v, uint64_t esr);

/* set_way.c: cache maintenance by set and way, and SCTLR_EL1 written after it. The vCPU is loaded.
 */
enum exit_action set_way_trap(struct vcpu *v);
enum exit_action set_way_sctlr(struct vcpu *v, uint64_t value);

/* psci.c: HVC #0 and SMC #0 by SMC Calling Convention (Arm DEN 0028E) and PSCI (DEN 0022D) */
enum exit_action smccc_call(struct vcpu *v);

/*
 * inject.c: makes the guest take an exception to its EL1; the vCPU is loaded. `far` is the virtual
 * address at fault; whether it was a write is taken from the syndrome of the exit.
 */
void inject_undefined(struct vcpu *v);
void inject_abort(struct vcpu *v, uint64_t far, bool instruction, uint32_t fault_status);
void inject_serror(struct vcpu *v);

/*
 * Waits for what was written on this CPU. True if an SError came of it, or of anything else: it is
 * taken then. serror_settle(): and given to the vCPU, which is loaded; the next must not get it.
 */
bool serror_came(void);
bool serror_settle(struct vcpu *v);

/* entry.S: takes an SError that is pending here, in place of a guest. */
bool serror_take(void);

#endif
