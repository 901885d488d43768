/* SPDX-License-Identifier: MIT */
/* What measure.c needs of Linux and of the CPU, arm64: numbers of calls are its own. */
#ifndef LINUX_H
#define LINUX_H

#include <stdint.h>

enum {
    DUP3 = 24,
    IOCTL = 29,
    OPENAT = 56,
    CLOSE = 57,
    READ = 63,
    WRITE = 64,
    PREAD = 67,
    PPOLL = 73,
    EXIT = 93,
    NANOSLEEP = 101,
    KILL = 129,
    SOCKET = 198,
    SENDTO = 206,
    RECVFROM = 207,
    CLONE = 220,
    EXECVE = 221,
    WAIT4 = 260
};

#define O_DIRECT 0x10000

/* Of `createdomain`, for a domain that is never built. */
#define EMULATION_FLAGS(config) ((void)(config))

static inline long call(long number, long a, long b, long c, long d, long e, long f)
{
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;

    __asm__ volatile("svc #0"
                     : "+r"(x0)
                     : "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5), "r"(x8)
                     : "memory");
    return x0;
}

/* The counter: one tick for each instruction. */
static inline uint64_t now(void)
{
    uint64_t v;

    __asm__ volatile("isb\n\tmrs %0, cntvct_el0" : "=r"(v)::"memory");
    return v;
}

/* Marks for share.c: hints that no CPU knows. 0 begins, 1 and on are ends. */
#define MARK(n) __asm__ volatile("hint #%c0" ::"i"(100 + (n)) : "memory")

/* Linux enters here: everything is on the stack. */
__asm__(".global _start\n_start: mov x0, sp\n\tmov x29, #0\n\tand sp, x0, #-16\n\tb start\n");

#endif
