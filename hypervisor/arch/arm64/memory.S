/* SPDX-License-Identifier: MIT */
/*
 * Copying and clearing, where C is too slow: memcpy, memset, pages. General registers only: a guest's FP state stays.
 * The contracts are <string.h>'s and <hospes/cpu.h>'s.
 */
    .text

    .macro copy_128
    ldp x4, x5, [x1], #128
    ldp x6, x7, [x1, #-112]
    ldp x8, x9, [x1, #-96]
    ldp x10, x11, [x1, #-80]
    ldp x12, x13, [x1, #-64]
    ldp x14, x15, [x1, #-48]
    ldp x16, x17, [x1, #-32]
    stp x4, x5, [x3], #128
    ldp x4, x5, [x1, #-16]
    stp x6, x7, [x3, #-112]
    stp x8, x9, [x3, #-96]
    stp x10, x11, [x3, #-80]
    stp x12, x13, [x3, #-64]
    stp x14, x15, [x3, #-48]
    stp x16, x17, [x3, #-32]
    stp x4, x5, [x3, #-16]
    .endm

/*
 * x0 = to, x1 = from, x2 = bytes. Returns x0. Any alignment: what is copied is normal memory. Where both sides are
 * aligned so is every access.
 */
    .global memcpy
    .type memcpy, %function
memcpy:
    mov x3, x0
    cmp x2, #16
    b.lo 6f
    cmp x2, #128
    b.lo 3f
    subs x2, x2, #256
    b.lo 2f
1:  copy_128
    copy_128
    subs x2, x2, #256
    b.hs 1b
2:  tbz x2, #7, 3f                    /* the low bits still are those of what is left */
    copy_128
3:  tbz x2, #6, 4f
    ldp x4, x5, [x1], #64
    ldp x6, x7, [x1, #-48]
    ldp x8, x9, [x1, #-32]
    ldp x10, x11, [x1, #-16]
    stp x4, x5, [x3], #64
    stp x6, x7, [x3, #-48]
    stp x8, x9, [x3, #-32]
    stp x10, x11, [x3, #-16]
4:  tbz x2, #5, 5f
    ldp x4, x5, [x1], #32
    ldp x6, x7, [x1, #-16]
    stp x4, x5, [x3], #32
    stp x6, x7, [x3, #-16]
5:  tbz x2, #4, 6f
    ldp x4, x5, [x1], #16
    stp x4, x5, [x3], #16
6:  tbz x2, #3, 7f
    ldr x4, [x1], #8
    str x4, [x3], #8
7:  tst x2, #7
    b.eq 10f
    tbz x2, #2, 8f
    ldr w4, [x1], #4
    str w4, [x3], #4
8:  tbz x2, #1, 9f
    ldrh w4, [x1], #2
    strh w4, [x3], #2
9:  tbz x2, #0, 10f
    ldrb w4, [x1]
    strb w4, [x3]
10: ret
    .size memcpy, . - memcpy

/* x0 = to, w1 = byte, x2 = bytes. Returns x0. */
    .global memset
    .type memset, %function
memset:
    mov x3, x0
    and x1, x1, #0xff
    mov x4, #0x0101010101010101
    mul x1, x1, x4
1:  tst x3, #7
    b.eq 2f
    cbz x2, 10f
    strb w1, [x3], #1
    sub x2, x2, #1
    b 1b
2:  cmp x2, #64
    b.lo 4f
3:  stp x1, x1, [x3]
    stp x1, x1, [x3, #16]
    stp x1, x1, [x3, #32]
    stp x1, x1, [x3, #48]
    add x3, x3, #64
    sub x2, x2, #64
    cmp x2, #64
    b.hs 3b
4:  tbz x2, #5, 5f                    /* the low bits still are those of what is left */
    stp x1, x1, [x3], #16
    stp x1, x1, [x3], #16
5:  tbz x2, #4, 6f
    stp x1, x1, [x3], #16
6:  tbz x2, #3, 7f
    str x1, [x3], #8
7:  tbz x2, #2, 8f
    str w1, [x3], #4
8:  tbz x2, #1, 9f
    strh w1, [x3], #2
9:  tbz x2, #0, 10f
    strb w1, [x3]
10: ret
    .size memset, . - memset

/*
 * Zeroes x1 pages from x0; with `clean` to the point of coherency, for guests whose caches are off: and out of the
 * caches, or what such a guest writes is hidden by our zeroes once it turns its caches on. DC ZVA where the CPU allows
 * it with blocks of 64 bytes, which all do that we know of; else stores.
 */
    .macro zero_pages name, clean
    .global \name
    .type \name, %function
\name:
    add x17, x0, x1, lsl #12
    mrs x2, dczid_el0
    cmp x2, #4                        /* log2 of words; bit 4 set: prohibited */
    b.ne 2f
    .set line, 0
    .irp n, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16
    .set line, line + 64
    add x\n, x0, #line
    .endr
1:  .irp n, 0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16
    dc zva, x\n
    .if \clean
    dc civac, x\n
    .endif
    add x\n, x\n, #1024
    .endr
    cmp x0, x17
    b.lo 1b
    dsb sy
    ret
2:  stp xzr, xzr, [x0]
    stp xzr, xzr, [x0, #16]
    stp xzr, xzr, [x0, #32]
    stp xzr, xzr, [x0, #48]
    .if \clean
    dc civac, x0
    .endif
    add x0, x0, #64
    cmp x0, x17
    b.lo 2b
    dsb sy
    ret
    .size \name, . - \name
    .endm

    zero_pages arch_clear_pages, 1
    zero_pages arch_zero_pages, 0
