/* SPDX-License-Identifier: MIT */
/*
 * What is measured, to the instruction. The emulator counts one tick of the counter for each instruction that any CPU
 * executes, so the difference of two readings of CNTVCT_EL0 is the number of instructions between them.
 *
 * GICv3 registers by encoding: older assemblers do not know their names.
 */
#define ICC_SGI1R S3_0_C12_C11_5
#define ICC_IAR1  S3_0_C12_C12_0
#define ICC_EOIR1 S3_0_C12_C12_1

/*
 * uint64_t time_NAME(uint64_t value, uint64_t rounds, uint64_t addr): instructions of so many rounds of one instruction
 * with `value` in x0 and x16 and `addr` in x2. Those of time_nothing() are the loop's own.
 */
    .macro rounds name, insn:vararg
    .text
    .balign 64
    .global time_\name
time_\name:
    stp x19, x20, [sp, #-32]!
    stp x21, x22, [sp, #16]
    mov x19, x0
    mov x20, x1
    mov x21, x2
    isb
    mrs x22, cntvct_el0
1:  mov x0, x19
    mov x2, x21
    mov x16, x19
    \insn
    sub x20, x20, #1
    cbnz x20, 1b
    isb
    mrs x0, cntvct_el0
    sub x0, x0, x22
    ldp x21, x22, [sp, #16]
    ldp x19, x20, [sp], #32
    ret
    .endm

    .macro set_and_clear              /* GICD_ISENABLERn, then GICD_ICENABLERn */
    str w0, [x2]
    str w0, [x2, #0x80]
    .endm

    rounds nothing, nop
    rounds hvc, hvc #0
    rounds hypercall, hvc #0xea1
    rounds load, ldr w0, [x2]
    rounds store, str w0, [x2]
    rounds two_stores, set_and_clear
    rounds sgi1r, msr ICC_SGI1R, x0
    rounds cntp_ctl, mrs x0, cntp_ctl_el0

/*
 * uint64_t time_calls(const uint64_t call[6], uint64_t rounds): Xen's hypercall of number call[0] with arguments
 * call[1..5]. time_no_calls(): the same without.
 */
    .macro calls name, insn:vararg
    .balign 64
    .global \name
\name:
    stp x19, x20, [sp, #-32]!
    str x22, [sp, #16]
    mov x19, x0
    mov x20, x1
    isb
    mrs x22, cntvct_el0
1:  ldp x16, x0, [x19]
    ldp x1, x2, [x19, #16]
    ldp x3, x4, [x19, #32]
    \insn
    sub x20, x20, #1
    cbnz x20, 1b
    isb
    mrs x0, cntvct_el0
    sub x0, x0, x22
    ldr x22, [sp, #16]
    ldp x19, x20, [sp], #32
    ret
    .endm

    calls time_calls, hvc #0xea1
    calls time_no_calls, nop

/*
 * Vectors for what follows. They use x9 to x12, which the code that is interrupted leaves to them: x9 = time of the
 * handler's first instruction. A timer's interrupt turns the timer off. A synchronous exception goes on behind the
 * instruction that caused it.
 */
    .macro unexpected
    .balign 128
1:  wfi
    b 1b
    .endm

    .balign 2048
    .global bench_vectors
bench_vectors:
    .rept 4
    unexpected
    .endr
    .balign 128
    mrs x9, cntvct_el0
    mrs x10, elr_el1
    add x10, x10, #4
    msr elr_el1, x10
    eret
    .balign 128
    mrs x9, cntvct_el0
    mrs x10, ICC_IAR1
    msr cntv_ctl_el0, xzr
    msr ICC_EOIR1, x10
    eret
    .rept 10
    unexpected
    .endr
    .balign 128

/* void time_sgi_self(uint64_t sgi1r, uint64_t t[2]): sent to handler; sent to back behind the handler. */
    .text
    .balign 64
    .global time_sgi_self
time_sgi_self:
    mov x9, #0
    msr daifclr, #2
    isb
    mrs x11, cntvct_el0
    msr ICC_SGI1R, x0
    isb
1:  cbz x9, 1b
    mrs x12, cntvct_el0
    msr daifset, #2
    b store_times

/* void time_event(uint64_t send, uint64_t t[2]): the same of an event: __HYPERVISOR_event_channel_op, EVTCHNOP_send. */
    .balign 64
    .global time_event
time_event:
    stp x1, x30, [sp, #-16]!
    mov x9, #0
    mov x1, x0
    mov x0, #4
    mov x16, #32
    msr daifclr, #2
    isb
    mrs x11, cntvct_el0
    hvc #0xea1
    isb
1:  cbz x9, 1b
    mrs x12, cntvct_el0
    msr daifset, #2
    ldp x1, x30, [sp], #16
    b store_times

/* void time_timer(uint64_t delay, uint64_t t[2]): expired to handler; expired to back behind the handler. */
    .balign 64
    .global time_timer
time_timer:
    mov x9, #0
    mrs x11, cntvct_el0
    add x11, x11, x0
    msr cntv_cval_el0, x11
    mov x10, #1
    msr cntv_ctl_el0, x10
    msr daifclr, #2
    isb
1:  cbz x9, 1b
    mrs x12, cntvct_el0
    msr daifset, #2
store_times:
    sub x9, x9, x11
    sub x12, x12, x11
    stp x9, x12, [x1]
    ret

/* Sleeps, interrupts masked, until one is pending. x9 = time when it woke; it is acknowledged and ended. */
    .macro sleep
1:  dsb sy
    wfi
    mrs x9, cntvct_el0
    mrs x10, isr_el1
    tbz x10, #7, 1b
    mrs x10, ICC_IAR1
    msr cntv_ctl_el0, xzr
    msr ICC_EOIR1, x10
    isb
    .endm

/* void time_wfi(uint64_t delay, uint64_t t[2]): expired to the instruction behind WFI; the latter to after the end. */
    .balign 64
    .global time_wfi
time_wfi:
    mrs x11, cntvct_el0
    add x11, x11, x0
    msr cntv_cval_el0, x11
    mov x10, #1
    msr cntv_ctl_el0, x10
    isb
    sleep
    mrs x12, cntvct_el0
    b store_times

/* uint64_t time_abort(uint64_t addr): a load to the handler of the exception that it causes. */
    .balign 64
    .global time_abort
time_abort:
    mov x9, #0
    isb
    mrs x11, cntvct_el0
    ldr w10, [x0]
    sub x0, x9, x11
    ret

/* uint64_t time_touch(uint64_t addr): one load. */
    .balign 64
    .global time_touch
time_touch:
    isb
    mrs x11, cntvct_el0
    ldr w10, [x0]
    isb
    mrs x0, cntvct_el0
    sub x0, x0, x11
    ret

/*
 * The other vCPU. void answer_asleep(uint64_t sgi1r, uint64_t *stamp, uint64_t times): sleeps till it is interrupted,
 * notes when it woke, interrupts the first vCPU if told how.
 */
    .balign 64
    .global answer_asleep
answer_asleep:
    sleep
    str x9, [x1]
    cbz x0, 2f
    dsb sy
    msr ICC_SGI1R, x0
    isb
2:  sub x2, x2, #1
    cbnz x2, answer_asleep
    ret

/* void answer_awake(uint64_t *stamp, uint64_t times): the same, but it spins, and its handler notes the time. */
    .balign 64
    .global answer_awake
answer_awake:
    msr daifclr, #2
1:  mov x9, #0
    isb
2:  yield
    cbz x9, 2b
    str x9, [x0]
    sub x1, x1, #1
    cbnz x1, 1b
    msr daifset, #2
    ret

/* uint64_t time_hop(uint64_t sgi1r, volatile uint64_t *stamp): sent to received, while the sender sleeps for the answer. */
    .balign 64
    .global time_hop
time_hop:
    isb
    mrs x11, cntvct_el0
    msr ICC_SGI1R, x0
    isb
    sleep
    ldr x9, [x1]
    sub x0, x9, x11
    ret

/* The same, while the sender waits for the stamp. YIELD: the emulator runs its CPUs in turn, now the other. */
    .balign 64
    .global time_send
time_send:
    str xzr, [x1]
    dsb sy
    isb
    mrs x11, cntvct_el0
    msr ICC_SGI1R, x0
    isb
1:  yield
    ldr x9, [x1]
    cbz x9, 1b
    sub x0, x9, x11
    ret

    .section .note.GNU-stack, "", %progbits
