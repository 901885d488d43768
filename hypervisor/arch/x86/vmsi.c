/* SPDX-License-Identifier: MIT */
/*
 * Messages of the hardware domain's devices, and how interrupts of the machine's come to it in
 * general; <asm/vmsi.h>, <hospes/irq.h>.
 */
#include <asm/apic_regs.h>
#include <asm/ioapic.h>
#include <asm/irq.h>
#include <asm/vioapic.h>
#include <asm/vlapic.h>
#include <asm/vmsi.h>
#include <hospes/compiler.h>
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/irq.h>
#include <hospes/pcpu.h>
#include <lib/bits.h>

/* Address and data of a message: 11.11.1, 11.11.2. Level messages are taken as edges. */
#define ADDRESS_FIXED   MASK(31, 20)
#define ADDRESS_PREFIX  0xfeeu
#define ADDRESS_DEST    MASK(19, 12)
#define ADDRESS_LOGICAL BIT(2)

/* Where each goes, by number less nr_gsis: the guest's message, packed so that it changes at once.
 */
#define ROUTE_VECTOR  MASK(7, 0)
#define ROUTE_MODE    MASK(10, 8)
#define ROUTE_LOGICAL BIT(11)
#define ROUTE_DEST    MASK(63, 32)

static uint64_t routes[MSI_MAX];

static uint64_t route_of(uint64_t address, uint32_t data)
{
    return field_prep(ROUTE_VECTOR, field_get(APIC_VECTOR, data)) |
           field_prep(ROUTE_MODE, field_get(APIC_MODE, data)) |
           (address & ADDRESS_LOGICAL ? ROUTE_LOGICAL : 0) |
           field_prep(ROUTE_DEST, field_get(ADDRESS_DEST, address));
}

static int give(struct domain *d, struct vmsi *m)
{
    int irq = irq_msi_alloc(), rc;

    if (irq < 0)
        return -ENOSPC;
    rc = irq_give((uint32_t)irq, IRQ_EDGE, d, (uint32_t)irq);
    if (rc) {
        irq_msi_free((uint32_t)irq);
        return rc;
    }
    m->irq = (uint32_t)irq;
    return 0;
}

int vmsi_set(struct domain *d, struct vmsi *m, uint64_t address, uint32_t data,
             uint64_t *device_address, uint32_t *device_data)
{
    int rc = m->irq ? 0 : give(d, m);

    m->address = address;
    m->data = data;
    if (rc)
        return rc;
    if (address >> 32 || field_get(ADDRESS_FIXED, address) != ADDRESS_PREFIX)
        return -EINVAL;
    write_once(routes[m->irq - nr_gsis], route_of(address, data));
    irq_guest_enable(m->irq, this_pcpu()->id);
    return irq_msi_message(m->irq, device_address, device_data) ? 0 : -ENOSPC;
}

void vmsi_disable(const struct vmsi *m)
{
    if (m->irq)
        irq_guest_disable(m->irq);
}

void vmsi_inject(struct domain *d, uint32_t irq)
{
    uint64_t route = read_once(routes[irq - nr_gsis]);
    struct vlapic_message m = {
        .dest = (uint32_t)field_get(ROUTE_DEST, route),
        .vector = (uint8_t)field_get(ROUTE_VECTOR, route),
        .mode = (uint8_t)field_get(ROUTE_MODE, route),
        .logical = route & ROUTE_LOGICAL,
    };

    vlapic_deliver(d, &m);
}

/* --- all interrupts that a guest has ---------------------------------------------------------- */

void arch_irq_inject(struct domain *d, uint32_t virq, uint32_t irq)
{
    if (irq >= nr_gsis)
        vmsi_inject(d, irq);
    else
        vioapic_assert(d, virq);
}

/* Nothing of the guest's models has to know what is behind a line. */
void arch_irq_tie(struct domain *d, uint32_t virq, uint32_t irq)
{
    (void)d, (void)virq, (void)irq;
}

void arch_irq_untie(struct domain *d, uint32_t virq)
{
    (void)d, (void)virq;
}
