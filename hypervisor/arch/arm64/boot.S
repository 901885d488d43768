/* SPDX-License-Identifier: MIT */
/*
 * From a boot loader's jump, and from secondary CPUs' first instruction, to C.
 *
 * The image begins with the header of an arm64 Linux Image (Documentation/arch/arm64/booting.rst), which is also
 * the head of a PE/COFF file (Microsoft PE format, UEFI 2.10 section 2.1.1) whose entry is in efi.S. doc/boot-arm64.md
 * tells the way from here in prose.
 */
#include <asm/layout.h>
#include <asm/sysreg.h>

#define SCTLR_BOOT (0x30c50830 | 1 << 0 | 1 << 2 | 1 << 3 | 1 << 12) /* RES1, M, C, SA, I */
#define SCTLR_RUN  (SCTLR_BOOT | 1 << 19)                            /* WXN too */

    .section .head.text, "ax"
    .global _start
_start:
    /* "MZ", which as an instruction (ccmp x18, #0, #0xd, pl) changes nothing that we need */
    ccmp x18, #0, #0xd, pl
    b primary_entry
    .quad 0                           /* offset from a 2 MiB boundary: none needed, wherever is fine */
    .quad _image_end - _start         /* memory taken, .bss included */
    .quad 0xa                         /* little-endian, 4 KiB pages, anywhere in memory */
    .quad 0
    .quad 0
    .quad 0
    .ascii "ARM\x64"
    .long pe_header - _start

    .balign 8
pe_header:
    .ascii "PE\0\0"
    .short 0xaa64                     /* machine: arm64 */
    .short 2                          /* sections */
    .long 0                           /* no time stamp: builds are reproducible */
    .long 0
    .long 0
    .short pe_sections - pe_optional
    .short 0x206                      /* executable, no line numbers, no symbols */
pe_optional:
    .short 0x20b                      /* PE32+ */
    .byte 2, 20                       /* linker version: any */
    .long _text_bytes - _start
    .long _data_bytes - _start
    .long 0
    .long efi_entry - _start
    .long _text_start - _start
    .quad 0                           /* preferred base: none */
    .long 4096                        /* alignment in memory */
    .long 512                         /* alignment in the file */
    .short 0, 0                       /* operating system */
    .short 1, 0                       /* image version */
    .short 0, 0                       /* subsystem version */
    .long 0
    .long _image_end - _start
    .long _text_start - _start        /* headers */
    .long 0                           /* checksum */
    .short 10                         /* EFI application */
    .short 0
    .quad 0, 0, 0, 0
    .long 0
    .long 6                           /* data directories, all empty */
    .quad 0, 0, 0, 0, 0, 0
pe_sections:
    .ascii ".text\0\0\0"
    .long _text_bytes - _start
    .long _text_start - _start
    .long _text_bytes - _start
    .long _text_start - _start
    .long 0, 0
    .short 0, 0
    .long 0x60000020                  /* code, execute, read */
    .ascii ".data\0\0\0"
    .long _data_bytes - _start
    .long _text_end - _start
    .long _data_file_bytes - _start
    .long _text_end - _start
    .long 0, 0
    .short 0, 0
    .long 0xc0000040                  /* initialised data, read, write */

/* Code that runs at its machine address. Its page is mapped there as well, read-only, while CPUs start. */
    .section .text.boot, "ax"

/*
 * x0: the device tree's machine address. MMU off, interrupts masked, any exception level.
 */
    .global primary_entry
primary_entry:
    mov x20, x0
    msr daifset, #0xf
    adrp x21, _image_start            /* where we are */
    mrs x0, CurrentEL
    cmp x0, #(2 << 2)
    b.ne wrong_level

    bl known_state
    adrp x0, boot_stack_end
    mov sp, x0
    bl clear_bss
    mov x0, x21
    mov x1, x20
    bl early_identity                 /* x0 = root of tables */
    bl mmu_on_identity
    mov x0, x21
    mov x1, x20
    bl early_final                    /* x0 = root, x1 = virtual - machine address of the image */
    mov x22, x1
    adr x1, primary_high
    add x1, x1, x22
    b switch_tables

primary_high:
    adrp x0, boot_stack_end
    mov sp, x0
    adrp x0, vectors
    add x0, x0, :lo12:vectors
    msr vbar_el2, x0
    adrp x0, boot_pcpu
    add x0, x0, :lo12:boot_pcpu
    msr tpidr_el2, x0
    mov x29, xzr
    mov x30, xzr
    mov x0, x21
    mov x1, x20
    b arm64_start

/*
 * Whatever firmware did with EL2: own registers, not the host's view of EL1 (HCR_EL2.E2H), MMU off, FP usable, own stack
 * pointer. Changes x2.
 */
known_state:
    mov x2, #0x80000000
    msr hcr_el2, x2
    ldr w2, =0x30c50830               /* SCTLR_EL2's RES1 bits */
    msr sctlr_el2, x2
    mov x2, #0x33ff                   /* CPTR_EL2's */
    msr cptr_el2, x2
    isb
    msr spsel, #1
    ret

/* Not at EL2. C says so on every UART it can think of, with MMU off. */
wrong_level:
    adrp x1, boot_stack_end
    mov sp, x1
    mov x0, x20
    bl early_wrong_level
1:  wfi
    b 1b

/*
 * Zeroes .bss with the MMU off, then drops lines of it that a cache may have fetched earlier: they would hide what was
 * written. Changes x0-x4.
 */
clear_bss:
    adrp x0, _bss_start
    adrp x1, _bss_end
    mov x2, x0
1:  stp xzr, xzr, [x2, #16]           /* whole pages */
    stp xzr, xzr, [x2, #32]
    stp xzr, xzr, [x2, #48]
    stp xzr, xzr, [x2], #64
    cmp x2, x1
    b.lo 1b
    /* fall through: invalidates [x0, x1) */
    .global early_invalidate
early_invalidate:
    mrs x3, ctr_el0
    ubfx x3, x3, #16, #4
    mov x4, #4
    lsl x4, x4, x3
    dmb sy
1:  dc ivac, x0
    add x0, x0, x4
    cmp x0, x1
    b.lo 1b
    dsb sy
    ret

/* Turns the MMU on with the tables at x0, in which this code stands at its machine address. Changes x0-x2. */
mmu_on_identity:
    tlbi alle2
    dsb nsh
    msr ttbr0_el2, x0
    ldr x0, =0x4404ff
    msr mair_el2, x0
    adrp x1, early_tcr
    ldr x0, [x1, :lo12:early_tcr]
    msr tcr_el2, x0
    isb
    ldr w0, =SCTLR_BOOT
    msr sctlr_el2, x0
    isb
    ret

/* Goes from the identity tables to those at x0 and on at x1. The MMU is off in between: rights of pages differ. */
switch_tables:
    ldr w2, =SCTLR_BOOT
    bic x3, x2, #1
    msr sctlr_el2, x3
    isb
    msr ttbr0_el2, x0
    tlbi alle2
    ic iallu
    dsb nsh
    isb
    ldr w2, =SCTLR_RUN
    msr sctlr_el2, x2
    isb
    br x1

/*
 * A secondary CPU. x0 = machine address of its struct secondary_boot (smp.c), from PSCI; a spin-table CPU comes through
 * spin_entry, which finds it by its MPIDR. MMU off.
 */
    .global secondary_entry
secondary_entry:
    msr daifset, #0xf
    mrs x1, CurrentEL
    cmp x1, #(2 << 2)
    b.ne secondary_stop
    bl known_state
    ldp x20, x21, [x0]                /* stack, pcpu */
    ldp x22, x1, [x0, #16]            /* root, continuation: both for after the switch */
    ldp x2, x3, [x0, #32]             /* vectors, TCR */
    msr vbar_el2, x2
    msr tcr_el2, x3
    ldr x2, =0x4404ff
    msr mair_el2, x2
    mov sp, x20
    msr tpidr_el2, x21
    mov x29, xzr
    mov x30, xzr
    mov x0, x22
    b switch_tables
secondary_stop:
    wfi
    b secondary_stop

    .global spin_entry
spin_entry:
    msr daifset, #0xf
    mrs x1, mpidr_el1
    ldr x2, =0xff00ffffff
    and x1, x1, x2
    adrp x0, secondary_boots
    add x0, x0, :lo12:secondary_boots
    add x3, x0, #(2 << 12)
1:  ldr x4, [x0]                      /* a stack, if it is used */
    ldr x2, [x0, #48]                 /* whom it is meant for */
    cmp x1, x2
    ccmp x4, #0, #4, eq
    b.ne secondary_entry
    add x0, x0, #64
    cmp x0, x3
    b.lo 1b
    wfe
    b spin_entry

    .ltorg

    .section .bss.page_aligned, "aw", %nobits
    .balign 4096
    .global boot_stack
boot_stack:
    .space STACK_SIZE
    .global boot_stack_end
boot_stack_end:
