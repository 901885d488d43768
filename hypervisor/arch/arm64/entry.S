/* SPDX-License-Identifier: MIT */
/*
 * Exceptions to EL2, and back. Saves the guest's registers into its struct vcpu (struct cpu_regs is at its start; offsets
 * are checked in exit.c), calls one C function, and enters the vCPU which that returns. doc/exits.md has the whole way.
 */
#define REGS_PC     248
#define REGS_PSTATE 256

/* From a guest: TPIDR_EL2 -> struct pcpu, whose first field is the current vCPU. 24 of a vector's 32 instructions. */
    .macro save_guest
    stp x0, x1, [sp, #-16]!
    mrs x0, tpidr_el2
    ldr x0, [x0]
    stp x2, x3, [x0, #16]
    stp x4, x5, [x0, #32]
    stp x6, x7, [x0, #48]
    stp x8, x9, [x0, #64]
    stp x10, x11, [x0, #80]
    stp x12, x13, [x0, #96]
    stp x14, x15, [x0, #112]
    stp x16, x17, [x0, #128]
    stp x18, x19, [x0, #144]
    stp x20, x21, [x0, #160]
    stp x22, x23, [x0, #176]
    stp x24, x25, [x0, #192]
    stp x26, x27, [x0, #208]
    stp x28, x29, [x0, #224]
    ldp x2, x3, [sp], #16
    mrs x1, elr_el2
    stp x2, x3, [x0]
    mrs x2, spsr_el2
    stp x30, x1, [x0, #240]
    str x2, [x0, #REGS_PSTATE]
    .endm

    .macro from_guest handler
    .balign 128
    save_guest
    bl \handler
    b guest_enter
    .endm

/* From the hypervisor itself, which takes no interrupts: always a bug. Its registers go onto the stack of last resort. */
    .macro from_hypervisor kind
    .balign 128
    hypervisor_bug \kind
    .endm

    .macro hypervisor_bug kind
    msr tpidr_el1, x0                 /* the guest's is lost: the machine goes down */
    mov x0, sp
    msr sp_el0, x0
    adrp x0, panic_stack_end
    mov sp, x0
    mov x0, #\kind
    b save_hypervisor
    .endm

    .section .text.vectors, "ax"
    .balign 2048
    .global vectors
vectors:
    from_hypervisor 0
    from_hypervisor 1
    from_hypervisor 2
    from_hypervisor 3
    .balign 128                       /* synchronous: an AT; a wild access, a stack that overflowed */
    msr tpidr_el1, x0                 /* translate_*() has kept both */
    msr sp_el0, x1
    mrs x0, elr_el2
    adr x1, translate_window
    sub x0, x0, x1
    cmp x0, #(translate_window_end - translate_window)
    b.lo translate_aborted
    mrs x1, sp_el0
    mrs x0, tpidr_el1
    hypervisor_bug 4
    from_hypervisor 5
    from_hypervisor 6
    .balign 128                       /* SError: masked, but in serror_take() */
    stp x0, x1, [sp, #-16]!
    mrs x0, elr_el2
    adr x1, serror_window
    sub x0, x0, x1
    cmp x0, #(serror_window_end - serror_window)
    ldp x0, x1, [sp], #16
    b.ls serror_taken
    hypervisor_bug 7
    from_guest exit_sync
    from_guest exit_irq
    from_guest exit_irq
    from_guest exit_serror
    from_guest exit_sync              /* AArch32 at EL0 */
    from_guest exit_irq
    from_guest exit_irq
    from_guest exit_serror

    .text

/*
 * uint64_t translate_OPERATION(uint64_t va): AT, and what PAR_EL1 says then. A walk that meets an external abort, because
 * the guest's tables are where no memory is, is an exception here: the result is then 1, PAR_EL1.F alone.
 */
    .macro translate operation
    .global translate_\operation
translate_\operation:
    mrs x2, tpidr_el1
    mrs x3, sp_el0
    at \operation, x0
    isb
    mrs x0, par_el1
    ret
    .endm

translate_window:
    translate s12e1r
    translate s12e1w
    translate s1e1r
    translate s1e1w
translate_window_end:

translate_aborted:
    adr x0, translate_failed
    msr elr_el2, x0
    eret
translate_failed:
    msr tpidr_el1, x2
    msr sp_el0, x3
    mov x0, #1
    ret

/* x0 = struct vcpu */
    .balign 64
    .global guest_enter
guest_enter:
    ldp x30, x1, [x0, #240]
    ldr x2, [x0, #REGS_PSTATE]
    msr elr_el2, x1
    msr spsr_el2, x2
    ldp x2, x3, [x0, #16]
    ldp x4, x5, [x0, #32]
    ldp x6, x7, [x0, #48]
    ldp x8, x9, [x0, #64]
    ldp x10, x11, [x0, #80]
    ldp x12, x13, [x0, #96]
    ldp x14, x15, [x0, #112]
    ldp x16, x17, [x0, #128]
    ldp x18, x19, [x0, #144]
    ldp x20, x21, [x0, #160]
    ldp x22, x23, [x0, #176]
    ldp x24, x25, [x0, #192]
    ldp x26, x27, [x0, #208]
    ldp x28, x29, [x0, #224]
    ldp x0, x1, [x0]
    eret
    dsb nsh                           /* no speculation past the return */
    isb

/* The first entry of a pCPU into a guest: forgets the stack below. x0 = struct vcpu, x1 = top of the stack. */
    .global guest_enter_first
guest_enter_first:
    mov sp, x1
    b guest_enter

/* bool serror_take(void): lets an SError that pends be taken, which ends its pending. */
    .global serror_take
serror_take:
    mov x0, #0
    msr daifclr, #4
serror_window:
    isb
    nop
serror_window_end:
    msr daifset, #4
    ret
serror_taken:
    adr x0, serror_window_end
    msr elr_el2, x0
    mov x0, #1
    eret

/* x0 = vector's number, tpidr_el1 = x0 before, sp_el0 = sp before */
save_hypervisor:
    sub sp, sp, #272
    stp x2, x3, [sp, #16]
    stp x4, x5, [sp, #32]
    stp x6, x7, [sp, #48]
    stp x8, x9, [sp, #64]
    stp x10, x11, [sp, #80]
    stp x12, x13, [sp, #96]
    stp x14, x15, [sp, #112]
    stp x16, x17, [sp, #128]
    stp x18, x19, [sp, #144]
    stp x20, x21, [sp, #160]
    stp x22, x23, [sp, #176]
    stp x24, x25, [sp, #192]
    stp x26, x27, [sp, #208]
    stp x28, x29, [sp, #224]
    mrs x2, tpidr_el1
    stp x2, x1, [sp]
    mrs x2, elr_el2
    mrs x3, spsr_el2
    stp x30, x2, [sp, #240]
    str x3, [sp, #REGS_PSTATE]
    mov x1, sp
    mrs x2, sp_el0
    bl exit_hypervisor
1:  wfi
    b 1b

    .section .bss.page_aligned, "aw", %nobits
    .balign 16
    .space 4096
panic_stack_end:
