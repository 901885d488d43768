/* SPDX-License-Identifier: MIT */
/* The stand-in's devices: registers behind <hospes/io.h> and device_map(), interrupt lines of
 * <hospes/irq.h>. */
#include <asm/host.h>
#include <asm/io.h>
#include <hospes/domain.h>
#include <hospes/irq.h>
#include <hospes/log.h>
#include <hospes/map.h>

struct device {
    uint64_t start, bytes;
    uint8_t *p;
};

static const struct host_mmio *mmio;
static struct device devices[8];
static uint32_t nr_devices;

struct host_irq host_irqs[HOST_IRQS];

void host_set_mmio(const struct host_mmio *m)
{
    mmio = m;
}

uint64_t host_mmio_read(const volatile void *p, unsigned int bytes)
{
    if (mmio != NULL)
        return mmio->read(mmio->arg, p, bytes);

    switch (bytes) {
    case 1:
        return *(const volatile uint8_t *)p;
    case 2:
        return *(const volatile uint16_t *)p;
    case 4:
        return *(const volatile uint32_t *)p;
    default:
        return *(const volatile uint64_t *)p;
    }
}

void host_mmio_write(volatile void *p, unsigned int bytes, uint64_t value)
{
    if (mmio != NULL) {
        mmio->write(mmio->arg, p, bytes, value);
        return;
    }
    switch (bytes) {
    case 1:
        *(volatile uint8_t *)p = (uint8_t)value;
        return;
    case 2:
        *(volatile uint16_t *)p = (uint16_t)value;
        return;
    case 4:
        *(volatile uint32_t *)p = (uint32_t)value;
        return;
    default:
        *(volatile uint64_t *)p = value;
        return;
    }
}

void host_device_add(uint64_t start, uint64_t bytes, void *p)
{
    assert(nr_devices < array_size(devices));
    devices[nr_devices++] = (struct device){ .start = start, .bytes = bytes, .p = p };
}

volatile void *screen_map(maddr_t start, uint64_t bytes)
{
    return device_map(start, bytes);
}

volatile void *device_map(maddr_t start, uint64_t bytes)
{
    for (uint32_t i = 0; i < nr_devices; i++) {
        struct device *d = &devices[i];
        if (start.v >= d->start && start.v + bytes <= d->start + d->bytes)
            return d->p + (start.v - d->start);
    }
    return NULL;
}

void device_unmap(volatile void *p, uint64_t bytes)
{
    (void)p;
    (void)bytes;
}

uint32_t arch_irq_count(void)
{
    return HOST_IRQS;
}

void arch_irq_enable(uint32_t irq, enum irq_trigger trigger, uint32_t pcpu)
{
    host_irqs[irq].enabled = true;
    host_irqs[irq].edge = trigger == IRQ_EDGE;
    host_irqs[irq].pcpu = pcpu;
}

void arch_irq_disable(uint32_t irq)
{
    host_irqs[irq].enabled = false;
}

void arch_irq_set_affinity(uint32_t irq, uint32_t pcpu)
{
    host_irqs[irq].pcpu = pcpu;
}

void arch_irq_finish(uint32_t irq)
{
    host_irqs[irq].finished++;
}

void arch_irq_inject(struct domain *d, uint32_t virq, uint32_t irq)
{
    (void)irq;
    d->arch.injected++;
    d->arch.last_virq = virq;
}

void arch_irq_tie(struct domain *d, uint32_t virq, uint32_t irq)
{
    (void)d;
    host_irqs[irq].tied = virq;
}

void arch_irq_untie(struct domain *d, uint32_t virq)
{
    (void)d;
    for (uint32_t i = 0; i < HOST_IRQS; i++) {
        if (host_irqs[i].tied == virq)
            host_irqs[i].tied = 0;
    }
}
