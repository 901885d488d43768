/* SPDX-License-Identifier: MIT */
/*
 * What building an x86 domain adds to core's: the machine's devices for the hardware domain, and
 * what a PVH kernel is told. doc/pvh.md has the picture.
 */
#include "guest_tables.h"

#include <asm/cpu.h>
#include <asm/hvm.h>
#include <asm/ioapic.h>
#include <asm/passthrough.h>
#include <asm/power.h>
#include <asm/vioapic.h>
#include <asm/vpci.h>
#include <hospes/acpi.h>
#include <hospes/domain.h>
#include <hospes/domain_build.h>
#include <hospes/errno.h>
#include <hospes/heap.h>
#include <hospes/iommu.h>
#include <hospes/irq.h>
#include <hospes/log.h>
#include <hospes/map.h>
#include <lib/bits.h>
#include <string.h>
#include <xen/xen.h>

#define TABLES_MIN  KIB(16) /* beside what is counted below */
#define TABLES_MAX  MIB(2)
#define VCPU_BYTES  16u
#define RANGE_BYTES 24u

#define LEGACY_LINES 16u

/* --- devices --------------------------------------------------------------------------------- */

static int add_ioapics(struct domain *d)
{
    int rc = 0;

    for (uint32_t i = 0; !rc && i < nr_ioapics; i++)
        rc = vioapic_add(d, ioapics[i].id, ioapics[i].address, ioapics[i].gsi_base,
                         ioapics[i].nr_pins);
    return rc;
}

/* How a line comes in is known when the domain programs its IO-APIC. */
static int give_lines(struct domain *d)
{
    for (uint32_t gsi = 0; gsi < nr_gsis; gsi++) {
        int rc = irq_give(gsi, gsi < LEGACY_LINES ? IRQ_EDGE : IRQ_LEVEL, d, gsi);

        /* Kept by Hospes, or not there at all. */
        if (rc && rc != -EBUSY && rc != -EINVAL)
            return rc;
    }
    return 0;
}

static int give_machine(struct domain *d, const struct domain_config *c)
{
    int rc;

    passthrough_init();
    rc = add_ioapics(d);
    if (!rc)
        rc = vpci_init(d);
    if (!rc)
        rc = power_guard(d);
    if (!rc)
        rc = give_lines(d);
    if (!rc)
        rc = passthrough_ports(d);
    if (!rc && iommu_is_there() && iommu_attach(d))
        log_err("%s: the IOMMU cannot be switched on: devices reach all memory", c->node);
    if (rc)
        log_err("%s: no memory for the machine's devices (%d)", c->node, rc);
    return rc;
}

int arch_domain_build_devices(struct domain *d, const struct domain_config *c)
{
    if (c->vpl011)
        log_warn("%s: vpl011: there is no such device on x86, ignored", c->node);
    if (c->dtb.bytes) {
        log_err("%s: a partial device tree: devices are not passed through that way on x86",
                c->node);
        return -EINVAL;
    }
    return c->hardware ? give_machine(d, c) : 0;
}

/* --- tables ---------------------------------------------------------------------------------- */

const char arch_domain_tables_name[] = "start info";

uint64_t arch_domain_tables_bytes(const struct domain_config *c, uint64_t *limit)
{
    const struct acpi_table *madt = acpi_find("APIC", 0);
    uint64_t bytes =
        TABLES_MIN + strlen(c->bootargs) + c->vcpus * VCPU_BYTES + E820_MAX * RANGE_BYTES;

    *limit = GIB(4); /* all addresses are told in 32 bits, or read so */
    if (c->hardware && madt)
        bytes += madt->bytes;
    return bytes >= TABLES_MAX ? TABLES_MAX : BIT(log2_ceil(bytes));
}

/* What the hardware domain has not got of the machine's RAM is not free for devices either. Below 1
 * MiB nothing else is done with it; above, a kernel may map others' memory there. */
static int map_machine(struct e820 *map)
{
    int rc = 0;

    *map = host_e820;
    for (uint32_t i = 0; !rc && i < host_e820.nr; i++) {
        const struct e820_range *r = &host_e820.r[i];

        if (r->type != E820_RAM)
            continue;
        rc = e820_set(map, r->start, min(r->end, MIB(1)), E820_RESERVED);
        if (!rc)
            rc = e820_set(map, max(r->start, MIB(1)), r->end, E820_UNUSABLE);
    }
    return rc;
}

static int make_map(const struct domain_config *c, const struct domain_layout *l, struct e820 *map)
{
    int rc = c->hardware ? map_machine(map) : 0;

    for (uint32_t i = 0; !rc && i < l->nr_banks; i++)
        rc = e820_set(map, l->bank[i].start.v, l->bank[i].start.v + l->bank[i].bytes, E820_RAM);
    if (!rc)
        rc = e820_set(map, l->tables.v, l->tables.v + l->tables_bytes, E820_ACPI);
    return rc;
}

/* The machine's tables, as the hardware domain sees them. */
static void take_machine(struct acpi_tables *t)
{
    for (uint32_t i = 0; i < acpi_root.nr; i++) {
        const struct acpi_table *table = &acpi_root.tables[i];

        if (acpi_is_shown(table->signature) && t->nr_kept < ACPI_KEPT_MAX)
            t->kept[t->nr_kept++] = table->maddr;
    }
}

static uint64_t write_acpi(const struct domain_config *c, struct guest_block *b)
{
    const struct acpi_table *madt = c->hardware ? acpi_find("APIC", 0) : NULL;
    struct acpi_tables t = { .vcpus = c->vcpus };
    uint64_t at;

    if (c->hardware)
        take_machine(&t);
    if (madt) {
        t.madt = acpi_map(madt);
        if (!t.madt)
            return 0;
        t.madt_bytes = madt->bytes;
    }
    at = acpi_tables_write(b, &t);
    if (madt)
        acpi_unmap(madt, t.madt);
    return at;
}

/* All that the kernel is told, in one block; its start info's address. 0: no room. */
static uint64_t write_tables(const struct domain_config *c, const struct domain_layout *l,
                             struct guest_block *b, struct e820 *map)
{
    struct pvh_start s = {
        .cmdline = c->bootargs,
        .ramdisk = l->ramdisk.v,
        .ramdisk_bytes = l->ramdisk_bytes,
        .flags = c->hardware ? SIF_PRIVILEGED | SIF_INITDOMAIN : 0,
        .map = map,
        .bounce = c->hardware && !iommu_is_on(),
    };

    if (s.bounce)
        log_info("%s: no IOMMU: its devices reach its own memory only if its kernel has them do so "
                 "(swiotlb=force)",
                 c->node);
    if (make_map(c, l, map))
        return 0;
    s.rsdp = write_acpi(c, b);
    return s.rsdp ? start_info_write(b, &s) : 0;
}

int arch_domain_build_tables(struct domain *d, const struct domain_config *c,
                             const struct domain_layout *l, const struct kernel_image *k)
{
    struct guest_block b = {
        .to = heap_alloc(l->tables_bytes),
        .at = l->tables.v,
        .room = (uint32_t)l->tables_bytes,
    };
    struct e820 *map = heap_alloc(sizeof(*map));
    uint64_t info = b.to && map ? write_tables(c, l, &b, map) : 0;
    int rc = -ENOMEM;

    if (info)
        rc = p2m_copy_to(d, l->tables, b.to, b.used);
    heap_free(b.to);
    if (rc) {
        log_err("%s: no room for what its kernel is told (%d)", c->node, rc);
        heap_free(map);
        return rc;
    }
    d->arch.map = map;
    hvm_start_pvh(d->vcpus[0], (uint32_t)k->entry.v, (uint32_t)info);
    return 0;
}
