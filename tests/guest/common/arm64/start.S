/* SPDX-License-Identifier: MIT */
/*
 * The first and the lowest instructions of every guest: Image header (Linux's booting.rst), entry of
 * the boot CPU and of further ones, exception vectors, and code run under observation (probe_run).
 */
#include "offsets.h"

    .section .head.text, "ax"
    .global _start
_start:
    b       entry
    .long   0
    .quad   0                       /* text_offset */
    .quad   __image_end - _start    /* image_size, .bss included */
    .quad   0xa                     /* little endian, 4 KiB pages, anywhere in memory */
    .quad   0, 0, 0
    .ascii  "ARM\x64"
    .long   0

entry:
    mrs     x21, cntvct_el0
    mrs     x22, cntpct_el0
    mov     x20, x0
    adrp    x19, _start
    adrp    x1, __rela_start
    add     x1, x1, :lo12:__rela_start
    adrp    x2, __rela_end
    add     x2, x2, :lo12:__rela_end
1:  cmp     x1, x2
    b.hs    2f
    ldp     x3, x4, [x1], #16       /* r_offset, r_info: all are R_AARCH64_RELATIVE */
    ldr     x5, [x1], #8
    add     x5, x5, x19
    str     x5, [x19, x3]
    b       1b
2:  adrp    x1, __bss_start
    add     x1, x1, :lo12:__bss_start
    adrp    x2, __image_end
    add     x2, x2, :lo12:__image_end
3:  str     xzr, [x1], #8
    cmp     x1, x2
    b.lo    3b
    /* What a cache may hold of the image from before is gone before the caches come on. */
    mov     x1, x19
4:  dc      civac, x1
    add     x1, x1, #16
    cmp     x1, x2
    b.lo    4b
    dsb     sy
    adrp    x0, cpus
    add     x0, x0, :lo12:cpus
    adrp    x1, stacks + STACK_BYTES
    add     x1, x1, :lo12:stacks + STACK_BYTES
    str     x1, [x0, #CPU_STACK]
    bl      cpu_setup
    mov     x0, x20
    mov     x1, x21
    mov     x2, x22
    mov     x3, x19
    adrp    x4, __image_end
    bl      guest_start
1:  wfi
    b       1b

/* Where PSCI's CPU_ON enters, x0 = context = its struct cpu, caches off. */
    .global secondary_entry
secondary_entry:
    bl      cpu_setup
    b       secondary_start         /* (struct cpu *) does not return */

/* x0: struct cpu, kept. Takes its stack, vectors, and turns on the MMU once there are tables. */
cpu_setup:
    ldr     x1, [x0, #CPU_STACK]
    mov     sp, x1
    msr     tpidr_el1, x0
    adrp    x1, vectors
    add     x1, x1, :lo12:vectors
    msr     vbar_el1, x1
    mov     x1, #3 << 20            /* FP and SIMD do not trap */
    msr     cpacr_el1, x1
    isb
    ret

/* An exception of every kind comes to exception(struct frame *, kind) and goes back by it. */
    .macro  vector kind
    .balign 128
    sub     sp, sp, #FRAME_BYTES
    stp     x0, x1, [sp]
    mov     x0, #\kind
    b       exception_entry
    .endm

    .text
    .balign 2048
    .global vectors
vectors:
    .irp    kind, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    vector  \kind
    .endr

exception_entry:
    stp     x2, x3, [sp, #16]
    stp     x4, x5, [sp, #32]
    stp     x6, x7, [sp, #48]
    stp     x8, x9, [sp, #64]
    stp     x10, x11, [sp, #80]
    stp     x12, x13, [sp, #96]
    stp     x14, x15, [sp, #112]
    stp     x16, x17, [sp, #128]
    stp     x18, x19, [sp, #144]
    stp     x20, x21, [sp, #160]
    stp     x22, x23, [sp, #176]
    stp     x24, x25, [sp, #192]
    stp     x26, x27, [sp, #208]
    stp     x28, x29, [sp, #224]
    mrs     x1, elr_el1
    stp     x30, x1, [sp, #240]
    mrs     x2, spsr_el1
    mrs     x3, esr_el1
    stp     x2, x3, [sp, #256]
    mrs     x4, far_el1
    str     x4, [sp, #272]
    mov     x1, x0
    mov     x0, sp
    bl      exception
    ldp     x30, x1, [sp, #240]
    ldr     x2, [sp, #256]
    msr     elr_el1, x1
    msr     spsr_el1, x2
    ldp     x2, x3, [sp, #16]
    ldp     x4, x5, [sp, #32]
    ldp     x6, x7, [sp, #48]
    ldp     x8, x9, [sp, #64]
    ldp     x10, x11, [sp, #80]
    ldp     x12, x13, [sp, #96]
    ldp     x14, x15, [sp, #112]
    ldp     x16, x17, [sp, #128]
    ldp     x18, x19, [sp, #144]
    ldp     x20, x21, [sp, #160]
    ldp     x22, x23, [sp, #176]
    ldp     x24, x25, [sp, #192]
    ldp     x26, x27, [sp, #208]
    ldp     x28, x29, [sp, #224]
    ldp     x0, x1, [sp], #FRAME_BYTES
    eret

/*
 * uint64_t probe_run(const void *code, uint64_t x[18], uint64_t spsr): runs code with x0..x17 from x[]
 * and puts them back there. 0, or the ESR of the exception that ended it. spsr 0: as a function that
 * returns; else by ERET with that PSTATE, and only an exception ends it.
 */
    .global probe_run
probe_run:
    stp     x29, x30, [sp, #-PROBE_BYTES]!
    stp     x19, x20, [sp, #16]
    stp     x21, x22, [sp, #32]
    stp     x23, x24, [sp, #48]
    stp     x25, x26, [sp, #64]
    stp     x27, x28, [sp, #80]
    str     x1, [sp, #96]
    mrs     x9, tpidr_el1
    mov     x10, sp
    str     x10, [x9, #CPU_PROBE]
    mov     x19, x0
    mov     x20, x2
    msr     elr_el1, x0
    msr     spsr_el1, x2
    mov     x18, x1
    ldp     x0, x1, [x18]
    ldp     x2, x3, [x18, #16]
    ldp     x4, x5, [x18, #32]
    ldp     x6, x7, [x18, #48]
    ldp     x8, x9, [x18, #64]
    ldp     x10, x11, [x18, #80]
    ldp     x12, x13, [x18, #96]
    ldp     x14, x15, [x18, #112]
    ldp     x16, x17, [x18, #128]
    cbz     x20, 1f
    eret
1:  blr     x19
    mov     x19, #0
    b       2f
    .global probe_resume
probe_resume:                       /* exception() comes here with ESR in x19 */
    mrs     x18, tpidr_el1
    ldr     x18, [x18, #CPU_PROBE]
    mov     sp, x18
2:  ldr     x18, [sp, #96]
    stp     x0, x1, [x18]
    stp     x2, x3, [x18, #16]
    stp     x4, x5, [x18, #32]
    stp     x6, x7, [x18, #48]
    stp     x8, x9, [x18, #64]
    stp     x10, x11, [x18, #80]
    stp     x12, x13, [x18, #96]
    stp     x14, x15, [x18, #112]
    stp     x16, x17, [x18, #128]
    mrs     x9, tpidr_el1
    str     xzr, [x9, #CPU_PROBE]
    mov     x0, x19
    ldp     x19, x20, [sp, #16]
    ldp     x21, x22, [sp, #32]
    ldp     x23, x24, [sp, #48]
    ldp     x25, x26, [sp, #64]
    ldp     x27, x28, [sp, #80]
    ldp     x29, x30, [sp], #PROBE_BYTES
    ret

    .section .note.GNU-stack, "", %progbits
