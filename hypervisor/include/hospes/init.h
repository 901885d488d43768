/* SPDX-License-Identifier: MIT */
/*
 * Initialisation: init.c calls, in this order, what the parts' headers declare, and what each
 * architecture does in its own way, below. Boot only, first pCPU, no locks.
 */
#ifndef HOSPES_INIT_H
#define HOSPES_INIT_H

#include <hospes/compiler.h>
#include <hospes/types.h>

/* Everything, from the first C of a mapped image to the first guest. Does not return. */
__noreturn void init(void);

/* --- contract of each architecture
 * ------------------------------------------------------------------- */

struct uart;

/*
 * The UART that the user wants as the console, or the machine has: driver, registers (mapped) and
 * interrupt. The command line was read; called before anything else. 0, -ENODEV, -ENOMEM.
 */
int arch_find_uart(struct uart *u);

/* Fills boot_ram and boot_reserved from what firmware says, the image and host_fdt included. */
void arch_init_memory_map(void);

/* Maps what frame_bank_add() needs; called after all of boot_reserved is known. */
void arch_init_page_tables(void);

/* Maps RAM from boot_alloc() for good, at the address that arch_heap_maddr_to_virt() gives; NULL
 * without memory. */
void *arch_init_map(maddr_t start, uint64_t bytes);

/* Copies host_fdt, if it stands where it would not stay. */
void arch_init_keep_tree(void);

/* Interrupt controller, timers, firmware calls: for this machine, then for this pCPU. */
void arch_init_machine(void);

/* Starts all other pCPUs, at most `max` in all (0: no limit), and waits until each is online. */
void arch_start_pcpus(uint32_t max);

/* How many pCPUs the machine has, started or not. */
uint32_t arch_count_pcpus(void);

#endif
