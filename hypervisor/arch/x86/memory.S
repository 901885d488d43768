/* SPDX-License-Identifier: MIT */
/*
 * Copying and clearing: memcpy, memset, pages. General registers and string instructions only: a guest's vector state stays.
 * The contracts are <string.h>'s and <hospes/cpu.h>'s.
 */
    .text

/* rdi = to, rsi = from, rdx = bytes. Returns rdi. */
    .global memcpy
    .type memcpy, %function
memcpy:
    mov %rdi, %rax
    cmp $16, %rdx
    jb 2f
    cmp $128, %rdx
    ja 5f
    /* Words, and the last one again to where it ends. */
    mov -8(%rsi, %rdx), %r8
    lea -8(%rdi, %rdx), %r9
1:  mov (%rsi), %rcx
    add $8, %rsi
    mov %rcx, (%rdi)
    add $8, %rdi
    cmp %r9, %rdi
    jb 1b
    mov %r8, (%r9)
    ret
2:  test $8, %dl
    jz 3f
    mov (%rsi), %rcx
    mov -8(%rsi, %rdx), %r8
    mov %rcx, (%rdi)
    mov %r8, -8(%rdi, %rdx)
    ret
3:  test $4, %dl
    jz 4f
    mov (%rsi), %ecx
    mov -4(%rsi, %rdx), %r8d
    mov %ecx, (%rdi)
    mov %r8d, -4(%rdi, %rdx)
    ret
4:  test %edx, %edx
    jz 7f
    movzbl (%rsi), %ecx
    shr $1, %edx
    jz 6f
    jnc 8f
    movzwl 1(%rsi), %r8d
    mov %r8w, 1(%rdi)
6:  mov %cl, (%rdi)
7:  ret
8:  movzbl 1(%rsi), %r8d
    mov %cl, (%rdi)
    mov %r8b, 1(%rdi)
    ret
5:  mov %rdx, %rcx
    and $7, %edx
    shr $3, %rcx
    rep movsq
    mov %edx, %ecx
    rep movsb
    ret

/* rdi = to, esi = byte, rdx = bytes. Returns rdi. */
    .global memset
    .type memset, %function
memset:
    mov %rdi, %r8
    movzbl %sil, %eax
    mov $0x0101010101010101, %rcx
    imul %rcx, %rax
    mov %rdx, %rcx
    and $7, %edx
    shr $3, %rcx
    rep stosq
    mov %edx, %ecx
    rep stosb
    mov %r8, %rax
    ret

/* rdi = page-aligned memory, rsi = pages. What is in the caches is seen by all: clear is zero. */
    .global arch_zero_pages
    .global arch_clear_pages
    .type arch_zero_pages, %function
    .type arch_clear_pages, %function
arch_zero_pages:
arch_clear_pages:
    mov %rsi, %rcx
    shl $9, %rcx
    xor %eax, %eax
    rep stosq
    ret

    .section .note.GNU-stack, "", %progbits
