/* SPDX-License-Identifier: MIT */
/*
 * Message-signalled interrupts of the hardware domain's devices. The device writes a message of
 * ours (<asm/ioapic.h>, irq_msi_*()); what comes is sent on as the guest's message says. PCI Local
 * Bus 3.0, 6.8; Intel SDM volume 3, 11.11.
 *
 * Lock: vpci's, of who sets a message; a message that comes meanwhile finds the old one or the new.
 */
#ifndef ASM_VMSI_H
#define ASM_VMSI_H

#include <stdbool.h>
#include <stdint.h>

struct domain;

/* One vector of a device's. */
struct vmsi {
    uint32_t irq;     /* number of <hospes/irq.h>; 0: none yet */
    uint64_t address; /* as the guest wrote them: */
    uint32_t data;
};

/*
 * The guest's message is `address` and `data` from now on; the one that the device has to be given
 * is told. 0, -ENOSPC: no interrupt is left, -EINVAL: no address of an interrupt.
 */
int vmsi_set(struct domain *d, struct vmsi *m, uint64_t address, uint32_t data,
             uint64_t *device_address, uint32_t *device_data);

/* The device does not send it now. It keeps its interrupt, as long as the domain lives. */
void vmsi_disable(const struct vmsi *m);

/* Interrupt `irq`, a message, came for `d`. */
void vmsi_inject(struct domain *d, uint32_t irq);

#endif
