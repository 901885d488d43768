/* SPDX-License-Identifier: MIT */
/* What an x86 domain begins with, and gives back. Its devices are added by who builds it. */
#include <asm/cpu_policy.h>
#include <asm/debug_port.h>
#include <asm/vlapic.h>
#include <asm/vtime.h>
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/heap.h>

int arch_domain_init(struct domain *d)
{
    int err = -ENOMEM;

    d->arch.policy = heap_alloc(sizeof(*d->arch.policy));
    if (!d->arch.policy)
        return err;
    cpu_policy_default(d->arch.policy);
    err = pio_domain_init(d);
    if (err)
        goto no_ports;
    vtime_domain_init(d);
    err = vlapic_domain_init(d);
    if (!err)
        err = debug_port_init(d);
    if (err)
        goto no_devices;
    return 0;

no_devices:
    pio_domain_destroy(d);
no_ports:
    heap_free(d->arch.policy);
    d->arch.policy = NULL;
    return err;
}

void arch_domain_destroy(struct domain *d)
{
    debug_port_destroy(d);
    vpci_destroy(d);
    vioapic_destroy(d);
    pio_domain_destroy(d);
    heap_free(d->arch.map);
    d->arch.map = NULL;
    heap_free(d->arch.policy);
    d->arch.policy = NULL;
}
