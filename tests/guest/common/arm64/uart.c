/* SPDX-License-Identifier: MIT */
/* Output by the PL011 (Arm DDI 0183), or its SBSA subset; by hypercall where Xen's dom0 has no
 * UART. */
#include "hypercall.h"

#define UART_DR     0x00
#define UART_FR     0x18
#define UART_FR_TXF (1u << 5)

void put_char(char c)
{
    if (machine.uart.base == 0) {
        if (machine.xen)
            (void)hypercall(__HYPERVISOR_console_io, CONSOLEIO_write, 1, (uint64_t)(uintptr_t)&c, 0,
                            0);
        return;
    }
    while (read32(machine.uart.base + UART_FR) & UART_FR_TXF)
        relax();
    write32(machine.uart.base + UART_DR, (uint8_t)c);
}
