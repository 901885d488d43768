/* SPDX-License-Identifier: MIT */
/*
 * The IO-APICs that the hardware domain sees, one for each of the machine's, at the same place and
 * for the same GSIs. Where an interrupt of the machine's comes in, it goes to who the guest's entry
 * names; a level is open again when the guest has said EOI. Intel 82093AA; ICH9 datasheet 13.5.
 *
 * Lock: vioapics.lock (LOCK_VGIC) for entries and lines.
 */
#ifndef ASM_VIOAPIC_H
#define ASM_VIOAPIC_H

#include <hospes/spinlock.h>
#include <stdbool.h>
#include <stdint.h>

struct domain;

#define VIOAPIC_MAX 16u

struct vioapic {
    uint32_t gsi_base, nr_pins, id, select;
    uint64_t address;
    uint64_t *entries; /* redirection entries, as the guest wrote them, with the status bits */
};

struct vioapics {
    struct spinlock lock;
    uint32_t nr;
    struct vioapic io[VIOAPIC_MAX];
};

/* Adds one to a domain, before it has vCPUs. 0, -ENOMEM, -ENOSPC, or what mmio_add() says. */
int vioapic_add(struct domain *d, uint32_t id, uint64_t address, uint32_t gsi_base, uint32_t pins);
void vioapic_destroy(struct domain *d);

/* The line `gsi` came in. False: the guest has it masked, or it is for nobody. */
bool vioapic_assert(struct domain *d, uint32_t gsi);

/* EOI was said for a level's vector. */
void vioapic_eoi(struct domain *d, uint8_t vector);

#endif
