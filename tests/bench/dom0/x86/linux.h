/* SPDX-License-Identifier: MIT */
/* What measure.c needs of Linux and of the CPU, x86-64: numbers of calls are its own. */
#ifndef LINUX_H
#define LINUX_H

#include <stdint.h>

enum {
    READ = 0,
    WRITE = 1,
    CLOSE = 3,
    IOCTL = 16,
    PREAD = 17,
    NANOSLEEP = 35,
    SOCKET = 41,
    SENDTO = 44,
    RECVFROM = 45,
    CLONE = 56,
    EXECVE = 59,
    EXIT = 60,
    WAIT4 = 61,
    KILL = 62,
    OPENAT = 257,
    PPOLL = 271,
    DUP3 = 292
};

#define O_DIRECT 0x4000

/* Of `createdomain`, for a domain that is never built: that of a PVH guest. */
#define EMULATION_FLAGS(config) ((config)->arch.emulation_flags = XEN_X86_EMU_LAPIC)

static inline long call(long number, long a, long b, long c, long d, long e, long f)
{
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;

    __asm__ volatile("syscall"
                     : "+a"(number)
                     : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return number;
}

/* The counter: one tick for each instruction. */
static inline uint64_t now(void)
{
    uint32_t low, high;

    __asm__ volatile("lfence\n\trdtsc" : "=a"(low), "=d"(high)::"memory");
    return (uint64_t)high << 32 | low;
}

/* Marks for share.c: instructions that do nothing, with a displacement that nobody else has. 0
 * begins, 1 and on are ends. */
#define MARK(n) __asm__ volatile("nopl 0x6d61726b+%c0(%%rax)" ::"i"(n) : "memory")

/* Linux enters here: everything is on the stack. */
__asm__(
    ".global _start\n_start: mov %rsp, %rdi\n\txor %ebp, %ebp\n\tand $-16, %rsp\n\tcall start\n");

#endif
