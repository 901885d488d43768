/* SPDX-License-Identifier: MIT */
/*
 * Interrupts as <hospes/irq.h> numbers them on x86: first the IO-APICs' lines (GSIs), from nr_gsis
 * on message-signalled ones. Each that is enabled has a vector of its own, the same on all CPUs.
 *
 * A line that is a level is masked and ended when it comes; arch_irq_finish() opens it again.
 */
#ifndef ASM_IRQ_H
#define ASM_IRQ_H

#include <hospes/types.h>

#define MSI_MAX 192u /* at a time */

/* What is on line `gsi` asserts it low, or high; before it is enabled. */
void irq_set_polarity(uint32_t gsi, bool low);

/*
 * A message-signalled interrupt's number, to be given or requested, then enabled. Negative: none
 * left. irq_msi_message(): what a device has to write, once it is enabled, so that it comes;
 * changes with the pCPU (irq_route()). False: it is not enabled, or has got no vector.
 */
int irq_msi_alloc(void);
void irq_msi_free(uint32_t irq);
bool irq_msi_message(uint32_t irq, uint64_t *address, uint32_t *data);

#endif
