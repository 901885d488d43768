/* SPDX-License-Identifier: MIT */
/* Device register accesses of <hospes/io.h>: one load or store instruction each, with the barriers
 * it asks for. */
#ifndef ASM_IO_H
#define ASM_IO_H

#include <stdint.h>

#define MMIO_ACCESSORS(bits, type, suffix, reg)                                                    \
    static inline type mmio_read##bits(const volatile void *p)                                     \
    {                                                                                              \
        type v;                                                                                    \
        __asm__ volatile("ldr" suffix " %" reg "0, [%1]\n\tdsb ld" : "=r"(v) : "r"(p) : "memory"); \
        return v;                                                                                  \
    }                                                                                              \
    static inline void mmio_write##bits(volatile void *p, type v)                                  \
    {                                                                                              \
        __asm__ volatile("dsb st\n\tstr" suffix " %" reg "0, [%1]" : : "r"(v), "r"(p) : "memory"); \
    }

MMIO_ACCESSORS(8, uint8_t, "b", "w")
MMIO_ACCESSORS(16, uint16_t, "h", "w")
MMIO_ACCESSORS(32, uint32_t, "", "w")
MMIO_ACCESSORS(64, uint64_t, "", "x")
#undef MMIO_ACCESSORS

#endif
