/* SPDX-License-Identifier: MIT */
/*
 * Device register accesses of <hospes/io.h>. They are plain loads and stores, unless a test put a
 * device of its own behind them: host_set_mmio() of <asm/host.h>.
 */
#ifndef ASM_IO_H
#define ASM_IO_H

#include <stdint.h>

uint64_t host_mmio_read(const volatile void *p, unsigned int bytes);
void host_mmio_write(volatile void *p, unsigned int bytes, uint64_t value);

#define MMIO_ACCESSORS(bits, type)                                \
    static inline type mmio_read##bits(const volatile void *p)    \
    {                                                             \
        return (type)host_mmio_read(p, (bits) / 8);               \
    }                                                             \
    static inline void mmio_write##bits(volatile void *p, type v) \
    {                                                             \
        host_mmio_write(p, (bits) / 8, v);                        \
    }

MMIO_ACCESSORS(8, uint8_t)
MMIO_ACCESSORS(16, uint16_t)
MMIO_ACCESSORS(32, uint32_t)
MMIO_ACCESSORS(64, uint64_t)
#undef MMIO_ACCESSORS

#endif
