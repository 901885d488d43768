/* SPDX-License-Identifier: MIT */
/*
 * Where other CPUs start: in real mode, at the beginning of a page below 1 MiB to which smp.c copies this. From there to
 * the hypervisor's own tables, in which that page stands at its own address. Intel SDM volume 3, 9.4; AMD APM volume 2,
 * 14.6. The words at its end are written by smp.c.
 */
#include <asm/cpu.h>
#include <asm/msr.h>
#include <asm/trampoline.h>

#define CODE32 0x18

    .section .rodata.trampoline, "a"
    .balign 16
    .global trampoline
trampoline:
    .code16
    cli
    cld
    mov %cs, %ax
    mov %ax, %ds
    xor %ebx, %ebx
    mov %ax, %bx
    shl $4, %ebx                      /* where this is */
    lea gdt - trampoline(%ebx), %eax
    mov %eax, gdt_pointer - trampoline + 2
    lea in_32 - trampoline(%ebx), %eax
    mov %eax, to_32 - trampoline
    lea in_64 - trampoline(%ebx), %eax
    mov %eax, to_64 - trampoline
    lgdtl gdt_pointer - trampoline
    mov $CR0_PE | CR0_ET, %eax
    mov %eax, %cr0
    ljmpl *(to_32 - trampoline)

    .code32
in_32:
    mov $SELECTOR_DATA, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov $CR4_PAE, %eax
    mov %eax, %cr4
    mov TRAMPOLINE_ROOT(%ebx), %eax
    mov %eax, %cr3
    mov $MSR_EFER, %ecx
    rdmsr
    or $(EFER_LME | EFER_NXE), %eax
    wrmsr
    mov $(CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_MP | CR0_PE), %eax
    mov %eax, %cr0
    ljmpl *(to_64 - trampoline)(%ebx)

    .code64
in_64:
    mov %ebx, %ebx
    mov TRAMPOLINE_STACK(%rbx), %rsp
    mov TRAMPOLINE_ENTRY(%rbx), %rax
    xor %ebp, %ebp
    jmp *%rax

    .balign 8
gdt:
    .quad 0
    .quad 0x00af9b000000ffff          /* SELECTOR_CODE: 64 bits */
    .quad 0x00cf93000000ffff          /* SELECTOR_DATA */
    .quad 0x00cf9b000000ffff          /* CODE32 */
gdt_pointer:
    .short . - gdt - 1
    .long 0
    .balign 4
to_32:
    .long 0
    .short CODE32, 0
to_64:
    .long 0
    .short SELECTOR_CODE, 0
    .global trampoline_end
trampoline_end:

    .section .note.GNU-stack, "", %progbits
