/* SPDX-License-Identifier: MIT */
/*
 * physdev_op: what the hardware domain says of the machine's devices. <xen/physdev.h>. It has them
 * as they are, so that there is little to say; pirqs, which only guests with devices passed to them
 * by this domain would need, there are none.
 */
#include <asm/ioapic.h>
#include <asm/irq.h>
#include <hospes/abi.h>
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/guest_access.h>
#include <hospes/irq.h>
#include <hospes/vcpu.h>
#include <xen/physdev.h>

/* How a line works is also in the domain's entry of its IO-APIC, which comes later and counts. */
static int64_t setup_gsi(struct vcpu *v, uint64_t at)
{
    struct physdev_setup_gsi s;

    if (guest_read(v, &s, at, sizeof(s)))
        return -EFAULT;
    if (s.gsi < 0 || (uint32_t)s.gsi >= nr_gsis || s.triggering > 1 || s.polarity > 1)
        return -EINVAL;
    /* One that Hospes has would come for ever. */
    if (irq_can_give((uint32_t)s.gsi, v->domain))
        return -EPERM;
    irq_set_polarity((uint32_t)s.gsi, s.polarity);
    return 0;
}

/* Its devices are found at boot; what it adds is its own. All that is checked is the argument. */
static int64_t take_note(struct vcpu *v, uint64_t at, uint32_t bytes)
{
    union {
        struct physdev_pci_mmcfg_reserved window;
        struct physdev_pci_device_add add;
        struct physdev_pci_device device;
    } argument;

    return guest_read(v, &argument, at, bytes) ? -EFAULT : 0;
}

int64_t arch_physdev_op(struct vcpu *v, uint64_t *arg)
{
    uint64_t at = arg[1];

    if (!v->domain->hardware)
        return -ENOSYS;
    switch ((uint32_t)arg[0]) {
    case PHYSDEVOP_setup_gsi:
        return setup_gsi(v, at);
    case PHYSDEVOP_pci_mmcfg_reserved:
        return take_note(v, at, sizeof(struct physdev_pci_mmcfg_reserved));
    case PHYSDEVOP_pci_device_add:
        return take_note(v, at, sizeof(struct physdev_pci_device_add));
    case PHYSDEVOP_pci_device_remove:
        return take_note(v, at, sizeof(struct physdev_pci_device));
    default:
        return -ENOSYS;
    }
}
