/* SPDX-License-Identifier: MIT */
/*
 * Device register accesses of <hospes/io.h>, one instruction each: uncached memory is accessed in
 * order as it is. And I/O ports.
 */
#ifndef ASM_IO_H
#define ASM_IO_H

#include <stdint.h>

#define MMIO_ACCESSORS(bits, type, suffix, in, out)                                               \
    static inline type mmio_read##bits(const volatile void *p)                                    \
    {                                                                                             \
        type v;                                                                                   \
        __asm__ volatile("mov" suffix " %1, %0"                                                   \
                         : in(v)                                                                  \
                         : "m"(*(const volatile type *)p)                                         \
                         : "memory");                                                             \
        return v;                                                                                 \
    }                                                                                             \
    static inline void mmio_write##bits(volatile void *p, type v)                                 \
    {                                                                                             \
        __asm__ volatile("mov" suffix " %1, %0" : "=m"(*(volatile type *)p) : out(v) : "memory"); \
    }

MMIO_ACCESSORS(8, uint8_t, "b", "=q", "q")
MMIO_ACCESSORS(16, uint16_t, "w", "=r", "r")
MMIO_ACCESSORS(32, uint32_t, "l", "=r", "r")
MMIO_ACCESSORS(64, uint64_t, "q", "=r", "r")
#undef MMIO_ACCESSORS

#define PORT_ACCESSORS(bits, type, suffix)                                          \
    static inline type port_read##bits(uint16_t port)                               \
    {                                                                               \
        type v;                                                                     \
        __asm__ volatile("in" suffix " %1, %0" : "=a"(v) : "Nd"(port) : "memory");  \
        return v;                                                                   \
    }                                                                               \
    static inline void port_write##bits(uint16_t port, type v)                      \
    {                                                                               \
        __asm__ volatile("out" suffix " %0, %1" : : "a"(v), "Nd"(port) : "memory"); \
    }

PORT_ACCESSORS(8, uint8_t, "b")
PORT_ACCESSORS(16, uint16_t, "w")
PORT_ACCESSORS(32, uint32_t, "l")
#undef PORT_ACCESSORS

/* `size` bytes: 1, 2 or 4. */
static inline uint32_t port_read(uint16_t port, uint32_t size)
{
    return size == 1 ? port_read8(port) : size == 2 ? port_read16(port) : port_read32(port);
}

static inline void port_write(uint16_t port, uint32_t size, uint32_t value)
{
    if (size == 1)
        port_write8(port, (uint8_t)value);
    else if (size == 2)
        port_write16(port, (uint16_t)value);
    else
        port_write32(port, value);
}

#endif
