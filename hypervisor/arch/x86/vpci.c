/* SPDX-License-Identifier: MIT */
/* Configuration space of the hardware domain; <asm/vpci.h> has the contract. */
#include "vpci_internal.h"

#include <asm/pci.h>
#include <asm/pio.h>
#include <asm/power.h>
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/heap.h>
#include <hospes/log.h>
#include <hospes/vcpu.h>
#include <lib/bits.h>

#define PORT_ADDRESS   0xcf8u
#define PORT_DATA      0xcfcu
#define ADDRESS_ENABLE 0x80000000u
#define ADDRESS_BDF    MASK(23, 8)

static struct vpci_function *find(const struct vpci *p, uint16_t bdf)
{
    for (struct vpci_function *f = p->functions; f; f = f->next)
        if (f->bdf == bdf)
            return f;
    return NULL;
}

/* --- one access ------------------------------------------------------------------------------- */

/* Whether the dword at `at` is one that the guest has other than the machine. */
static bool is_msi(const struct vpci_function *f, uint32_t at)
{
    return f->msi && at - f->msi < vpci_msi_bytes(f);
}

static bool is_msix(const struct vpci_function *f, uint32_t at)
{
    return f->msix && at == f->msix;
}

static uint32_t read_dword(struct vpci_function *f, uint32_t at)
{
    return is_msi(f, at) ? vpci_msi_read(f, at - f->msi) : vpci_msix_read(f);
}

static uint32_t config_read(struct domain *d, uint16_t bdf, uint32_t at, uint32_t size)
{
    struct vpci *p = &d->arch.vpci;
    struct vpci_function *f = find(p, bdf);
    uint32_t dword = at & ~3u, value;

    if (!f || (!is_msi(f, dword) && !is_msix(f, dword)))
        return pci_read(bdf, at, size);
    spin_lock(&p->lock);
    value = read_dword(f, dword);
    spin_unlock(&p->lock);
    return value >> 8 * (at & 3) & (uint32_t)MASK(8 * size - 1, 0);
}

static void config_write(struct domain *d, uint16_t bdf, uint32_t at, uint32_t size, uint32_t value)
{
    struct vpci *p = &d->arch.vpci;
    struct vpci_function *f = find(p, bdf);
    uint32_t dword = at & ~3u, shift = 8 * (at & 3), mask;

    if (f && f->read_only)
        return;
    if (!f || (!is_msi(f, dword) && !is_msix(f, dword))) {
        pci_write(bdf, at, size, value);
        return;
    }
    mask = (uint32_t)MASK(8 * size - 1, 0) << shift;
    spin_lock(&p->lock);
    value = (read_dword(f, dword) & ~mask) | (value << shift & mask);
    if (is_msi(f, dword))
        vpci_msi_write(d, f, dword - f->msi, value);
    else
        vpci_msix_write(d, f, value);
    spin_unlock(&p->lock);
}

/* --- by ports --------------------------------------------------------------------------------- */

static enum exit_action access_address(struct vcpu *v, struct pio_access *a, void *device)
{
    struct vpci *p = device;

    if (a->size == 1 && a->port == POWER_RESET_PORT)
        return power_access_reset_port(v, a);
    /* Other narrower accesses are not the host bridge's: nobody answers, or it is another device's.
     */
    if (a->size != 4 || a->port != PORT_ADDRESS) {
        if (!a->write)
            a->value = (uint32_t)MASK(8 * a->size - 1, 0);
        return EXIT_HANDLED;
    }
    if (a->write)
        write_once(p->address, a->value);
    else
        a->value = read_once(p->address);
    return EXIT_HANDLED;
}

static enum exit_action access_data(struct vcpu *v, struct pio_access *a, void *device)
{
    struct vpci *p = device;
    uint32_t address = read_once(p->address), at = (address & 0xfc) + (a->port & 3u);
    uint16_t bdf = (uint16_t)field_get(ADDRESS_BDF, address);

    if (!(address & ADDRESS_ENABLE) || (a->port & 3u) + a->size > 4) {
        if (!a->write)
            a->value = (uint32_t)MASK(8 * a->size - 1, 0);
    } else if (a->write) {
        config_write(v->domain, bdf, at, a->size, a->value);
    } else {
        a->value = config_read(v->domain, bdf, at, a->size);
    }
    return EXIT_HANDLED;
}

/* --- by memory -------------------------------------------------------------------------------- */

static enum exit_action access_memory(struct vcpu *v, struct mmio_access *a, void *unused)
{
    uint32_t at = a->offset & (PCI_EXTENDED_BYTES - 1);
    uint16_t bdf = (uint16_t)(pci_memory_first_bus() * 256u + (a->offset >> 12));

    (void)unused;
    if (a->size > 4 || at & (a->size - 1u)) {
        a->value = UINT64_MAX;
        return EXIT_HANDLED;
    }
    if (a->write)
        config_write(v->domain, bdf, at, a->size, (uint32_t)a->value);
    else
        a->value = config_read(v->domain, bdf, at, a->size);
    return EXIT_HANDLED;
}

/* --- life ------------------------------------------------------------------------------------- */

struct search {
    struct domain *d;
    int rc;
};

static void add_function(uint16_t bdf, void *arg)
{
    struct search *s = arg;
    struct vpci *p = &s->d->arch.vpci;
    struct vpci_function *f;

    if (s->rc)
        return;
    f = heap_alloc(sizeof(*f));
    if (!f) {
        s->rc = -ENOMEM;
        return;
    }
    f->bdf = bdf;
    f->read_only = pci_find_capability(bdf, PCI_CAP_IOMMU);
    f->msi = (uint8_t)pci_find_capability(bdf, PCI_CAP_MSI);
    f->msix = (uint8_t)pci_find_capability(bdf, PCI_CAP_MSIX);
    if (!f->read_only && !f->msi && !f->msix) {
        heap_free(f);
        return;
    }
    f->next = p->functions;
    p->functions = f;
    if (f->msi)
        vpci_msi_init(f);
    if (f->msix)
        s->rc = vpci_msix_init(s->d, f);
}

int vpci_init(struct domain *d)
{
    struct vpci *p = &d->arch.vpci;
    struct search s = { .d = d };
    uint64_t bytes;
    maddr_t memory = pci_memory(&bytes);
    int rc;

    p->lock = SPINLOCK_INIT(LOCK_VUART);
    rc = pio_add(d, PORT_ADDRESS, PORT_ADDRESS + 3, access_address, p);
    if (!rc)
        rc = pio_add(d, PORT_DATA, PORT_DATA + 3, access_data, p);
    if (!rc && bytes)
        rc = mmio_add(d, GADDR(memory.v), bytes, access_memory, NULL);
    if (rc)
        return rc;
    pci_for_each(add_function, &s);
    return s.rc;
}

void vpci_destroy(struct domain *d)
{
    struct vpci *p = &d->arch.vpci;

    while (p->functions) {
        struct vpci_function *f = p->functions;

        p->functions = f->next;
        heap_free(f->entries);
        heap_free(f);
    }
}

int vpci_for_each_trapped(struct domain *d, int (*fn)(struct domain *d, gaddr_t at, uint64_t bytes))
{
    uint64_t bytes;
    maddr_t memory = pci_memory(&bytes);
    int rc = bytes ? fn(d, GADDR(memory.v), bytes) : 0;

    for (struct vpci_function *f = d->arch.vpci.functions; f && !rc; f = f->next) {
        gaddr_t start;

        if (!f->entries)
            continue;
        vpci_msix_pages(f, &start, &bytes);
        rc = fn(d, start, bytes);
    }
    return rc;
}
