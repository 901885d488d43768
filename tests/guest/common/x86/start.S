/* SPDX-License-Identifier: MIT */
/*
 * The first and the lowest instructions of every guest: PVH entry (Xen's pvh.pandoc: 32-bit, paging off,
 * EBX = start info), 64-bit mode, where further CPUs start, interrupts and exceptions, and accesses
 * under observation.
 */
#include "offsets.h"

#include <xen/elfnote.h>

#define CR0_PE      (1 << 0)
#define CR0_MP      (1 << 1)
#define CR0_WP      (1 << 16)
#define CR0_PG      (1 << 31)
#define CR4_PAE     (1 << 5)
#define CR4_OSFXSR  (3 << 9)
#define MSR_EFER    0xc0000080
#define EFER_LME_NX (1 << 8 | 1 << 11)
#define MSR_GS_BASE 0xc0000101
#define PTE_BLOCK   0x83        /* present, writable, a page of 1 GiB */
#define GIBS        511
#define XEN_HVM_START_MAGIC 0x336ec578

    .macro note type, size
    .pushsection .note.Xen, "a", @note
    .balign 4
    .long 4, \size, \type
    .asciz "Xen"
    .endm

    note XEN_ELFNOTE_PHYS32_ENTRY, 8
    .quad 0x100000                  /* _start, as guest.lds has it */
    .popsection
    note XEN_ELFNOTE_PHYS32_RELOC, 12
    .long 0x200000, 0x100000, 0xffffffff /* alignment, least and greatest address */
    .popsection

/* The address of a symbol, wherever we run: `1` is a label whose address is in EBX. */
#define REL(symbol) (symbol - 1b)(%ebx)

    .section .head.text, "ax"
    .code32
    .global _start
_start:
    cld
    rdtsc
    mov     %eax, %ebp              /* kept with EDX for start */
    mov     %edx, %edi
    mov     %ebx, %esi
    lea     4(%ebx), %esp           /* the only stack there is: over the start info's magic number */
    call    1f
1:  pop     %ebx
    movl    $XEN_HVM_START_MAGIC, (%esi)
    lea     REL(stacks + STACK_BYTES), %esp
    push    %edi
    push    %ebp
    push    %esi

    lea     REL(pdpt), %eax         /* page tables: 511 pages of 1 GiB, flat */
    mov     %eax, %edi
    xor     %ecx, %ecx
2:  mov     %ecx, %eax
    shl     $30, %eax
    or      $PTE_BLOCK, %eax
    mov     %eax, (%edi, %ecx, 8)
    mov     %ecx, %eax
    shr     $2, %eax
    mov     %eax, 4(%edi, %ecx, 8)
    inc     %ecx
    cmp     $GIBS, %ecx
    jb      2b
    or      $3, %edi
    mov     %edi, REL(pml4)
    lea     REL(pml4), %eax
    mov     %eax, REL(trampoline_cr3)
    lea     REL(gdt), %eax
    mov     %eax, REL(gdt_pointer + 2)
    lea     REL(entry64), %eax
    mov     %eax, REL(trampoline_entry)
    lea     REL(start64), %ecx
    jmp     long_mode

/* EBX is the address of label 1, ECX where to go on in 64-bit mode. */
long_mode:
    lgdt    REL(gdt_pointer)
    mov     $(CR4_PAE | CR4_OSFXSR), %eax
    mov     %eax, %cr4
    lea     REL(pml4), %eax
    mov     %eax, %cr3
    mov     $(CR0_PE | CR0_MP | CR0_WP), %eax
    mov     %eax, %cr0
    push    %ecx
    mov     $MSR_EFER, %ecx
    rdmsr
    or      $EFER_LME_NX, %eax
    wrmsr
    pop     %ecx
    mov     %cr0, %eax
    or      $CR0_PG, %eax
    mov     %eax, %cr0
    push    $CODE64
    push    %ecx
    lret

    .code64
start64:
    mov     $DATA, %eax
    mov     %eax, %ds
    mov     %eax, %es
    mov     %eax, %ss
    xor     %eax, %eax
    mov     %eax, %fs
    mov     %eax, %gs
    mov     (%rsp), %r12d           /* three words as they were pushed */
    mov     4(%rsp), %r13           /* the counter at the first instruction */
    lea     stacks + STACK_BYTES(%rip), %rsp
    lea     __image_start(%rip), %rax
    sub     $0x100000, %rax         /* how far we are from where we were linked */
    lea     __rela_start(%rip), %rsi
    lea     __rela_end(%rip), %rdi
3:  cmp     %rdi, %rsi
    jae     4f
    mov     (%rsi), %rcx            /* r_offset, r_info, r_addend: all are R_X86_64_RELATIVE */
    mov     16(%rsi), %rdx
    add     %rax, %rdx
    mov     %rdx, (%rcx, %rax)
    add     $24, %rsi
    jmp     3b
4:  lea     cpus(%rip), %rdi
    lea     stacks + STACK_BYTES(%rip), %rax
    mov     %rax, CPU_STACK(%rdi)
    call    cpu_setup
    mov     %r12, %rdi
    mov     %r13, %rsi
    lea     __image_start(%rip), %rdx
    lea     __image_end(%rip), %rcx
    call    guest_start             /* does not return */
    ud2

/* RDI: struct cpu, kept. Makes it this CPU's, with the stack that it names. */
cpu_setup:
    mov     %rdi, CPU_SELF(%rdi)
    mov     %rdi, %rax
    mov     %rdi, %rdx
    shr     $32, %rdx
    mov     $MSR_GS_BASE, %ecx
    wrmsr
    ret

/* A further CPU, in 64-bit mode, RDI: its struct cpu. */
entry64:
    mov     $DATA, %eax
    mov     %eax, %ds
    mov     %eax, %es
    mov     %eax, %ss
    lea     trampoline_cpu(%rip), %rax
    mov     (%rax), %rdi
    mov     CPU_STACK(%rdi), %rsp
    call    cpu_setup
    call    secondary_start         /* (struct cpu *) does not return */
    ud2

/* ---- what is copied to TRAMPOLINE: 16-bit mode, CS:IP = TRAMPOLINE >> 4:0 ---- */
    .section .rodata.trampoline, "a"
    .balign 16
    .global trampoline, trampoline_end
trampoline:
    .code16
    cli
    cld
    mov     %cs, %ax
    mov     %ax, %ds
    lgdtl   tramp_gdt_pointer - trampoline
    mov     $CR0_PE, %eax
    mov     %eax, %cr0
    ljmpl   $CODE32, $(TRAMPOLINE + tramp32 - trampoline)
    .code32
tramp32:
    mov     $DATA, %eax
    mov     %eax, %ds
    mov     %eax, %ss
    mov     $(CR4_PAE | CR4_OSFXSR), %eax
    mov     %eax, %cr4
    mov     TRAMPOLINE + tramp_cr3 - trampoline, %eax
    mov     %eax, %cr3
    mov     $MSR_EFER, %ecx
    rdmsr
    or      $EFER_LME_NX, %eax
    wrmsr
    mov     $(CR0_PE | CR0_MP | CR0_WP | CR0_PG), %eax
    mov     %eax, %cr0
    ljmp    $CODE64, $(TRAMPOLINE + tramp64 - trampoline)
    .code64
tramp64:
    mov     TRAMPOLINE + tramp_entry - trampoline, %eax
    jmp     *%rax
    .balign 8
tramp_gdt:
    .quad   0, 0x00cf9b000000ffff, 0x00af9b000000ffff, 0x00cf93000000ffff
tramp_gdt_pointer:
    .word   31
    .long   TRAMPOLINE + tramp_gdt - trampoline
    .balign 4
    .global tramp_cr3, tramp_entry
tramp_cr3:
    .long   0
tramp_entry:
    .long   0
trampoline_end:

/* ---- interrupts and exceptions ---- */
    .text
    .balign 16
    .global vectors                 /* 256 stubs of 16 bytes */
vectors:
    .set    vector, 0
    .rept   256
    .balign 16
    .if     vector != 8 && (vector < 10 || vector > 14) && vector != 17 && vector != 21 && vector != 29 && vector != 30
    push    $0                      /* the CPU pushes an error code for those only */
    .endif
    push    $vector
    jmp     exception_entry
    .set    vector, vector + 1
    .endr

exception_entry:
    push    %rax
    push    %rcx
    push    %rdx
    push    %rbx
    push    %rbp
    push    %rsi
    push    %rdi
    push    %r8
    push    %r9
    push    %r10
    push    %r11
    push    %r12
    push    %r13
    push    %r14
    push    %r15
    cld
    mov     %rsp, %rdi
    mov     %rsp, %rbp
    and     $-16, %rsp
    call    exception
    mov     %rbp, %rsp
    pop     %r15
    pop     %r14
    pop     %r13
    pop     %r12
    pop     %r11
    pop     %r10
    pop     %r9
    pop     %r8
    pop     %rdi
    pop     %rsi
    pop     %rbp
    pop     %rbx
    pop     %rdx
    pop     %rcx
    pop     %rax
    add     $16, %rsp
    iretq

/*
 * uint64_t probe_NAME(uint64_t addr, uint64_t *value): one access, with what *value holds, which takes what is
 * read. 0, or PROBE_VECTOR and the vector of the exception, with its error code above: exception() puts
 * it into RAX and goes on at CPU_PROBE.
 */
    .macro  probe name, insn:vararg
    .balign 16
    .global probe_\name
probe_\name:
    lea     9f(%rip), %rax
    mov     %rax, %gs:CPU_PROBE
    mov     %rsp, %r11
    mov     (%rsi), %rcx
    \insn
    mov     %rcx, (%rsi)
    xor     %eax, %eax
9:  mov     %r11, %rsp
    movq    $0, %gs:CPU_PROBE
    ret
    .endm

    probe   read1, movzbl (%rdi), %ecx
    probe   read2, movzwl (%rdi), %ecx
    probe   read4, mov (%rdi), %ecx
    probe   read8, mov (%rdi), %rcx
    probe   write1, mov %cl, (%rdi)
    probe   write2, mov %cx, (%rdi)
    probe   write4, mov %ecx, (%rdi)
    probe   write8, mov %rcx, (%rdi)
    probe   call, call *%rdi

/* uint64_t probe_rdmsr(uint64_t msr, uint64_t *value), probe_wrmsr(): the same of a model-specific register. */
    .macro  read_msr
    mov     %edi, %ecx
    rdmsr
    shl     $32, %rdx
    mov     %eax, %ecx
    or      %rdx, %rcx
    .endm
    .macro  write_msr
    mov     %rcx, %rax
    mov     %rcx, %rdx
    shr     $32, %rdx
    mov     %edi, %ecx
    wrmsr
    .endm
    probe   rdmsr, read_msr
    probe   wrmsr, write_msr

    .data
    .balign 8
gdt:
    .quad   0, 0x00cf9b000000ffff, 0x00af9b000000ffff, 0x00cf93000000ffff
gdt_pointer:
    .word   31
    .quad   0
    .balign 8
    .global trampoline_cr3, trampoline_entry, trampoline_cpu
trampoline_cr3:
    .long   0
trampoline_entry:
    .long   0
trampoline_cpu:
    .quad   0

    .bss
    .balign 4096
pml4:
    .skip   4096
pdpt:
    .skip   4096

    .section .note.GNU-stack, "", @progbits
