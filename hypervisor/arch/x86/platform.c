/* SPDX-License-Identifier: MIT */
/* The machine's devices that the hypervisor needs, in the order in which they need one another. */
#include <asm/apic.h>
#include <asm/boot_info.h>
#include <asm/calibrate.h>
#include <asm/clock.h>
#include <asm/cpu.h>
#include <asm/display.h>
#include <asm/hvm.h>
#include <asm/ioapic.h>
#include <asm/microcode.h>
#include <asm/passthrough.h>
#include <asm/pci.h>
#include <asm/platform.h>
#include <asm/power.h>
#include <hospes/acpi.h>
#include <hospes/errno.h>
#include <hospes/init.h>
#include <hospes/iommu.h>
#include <hospes/log.h>

struct acpi_madt platform_madt;

static void read_madt(void)
{
    const struct acpi_table *t = acpi_find("APIC", 0);
    const void *p = t ? acpi_map(t) : NULL;

    if (!p || acpi_madt_read(p, t->bytes, &platform_madt))
        panic("ACPI says nothing good of CPUs and interrupt controllers (no usable MADT): this "
              "machine cannot be used");
    acpi_unmap(t, p);
    if (platform_madt.lost)
        log_warn("ACPI: MADT: %u entries make no sense, or are too many: not used",
                 platform_madt.lost);
}

/* Registers of timers and power; a machine without does without. */
static void read_fixed(void)
{
    const struct acpi_table *t = acpi_find("FACP", 0), *hpet = acpi_find("HPET", 0);
    const void *p = t ? acpi_map(t) : NULL, *h = hpet ? acpi_map(hpet) : NULL;
    struct acpi_fadt fadt = { 0 };

    if (!p || acpi_fadt_read(p, t->bytes, &fadt))
        log_warn("ACPI: there is no usable FADT");
    power_init(&fadt);
    calibrate_init(&fadt, h ? acpi_hpet_read(h, hpet->bytes) : 0);
    if (p)
        acpi_unmap(t, p);
    if (h)
        acpi_unmap(hpet, h);
}

static void init_tables(void)
{
    const struct boot_info *b = &boot_info;
    int err = acpi_init(b->rsdp, b->rsdp_bytes ? b->rsdp_copy : NULL, b->rsdp_bytes);

    if (err)
        panic("%s: this machine cannot be used",
              err == -ENOENT ? "there are no ACPI tables" : "ACPI's root table is not good");
    log_debug("ACPI %u.x by %s: %u tables", acpi_root.revision ? 2 : 1, acpi_root.oem,
              acpi_root.nr);
    if (acpi_root.refused)
        log_warn("ACPI: %u tables have a wrong check sum or length: not used", acpi_root.refused);
    read_madt();
    read_fixed();
}

/* Configuration space in memory, of the first segment. */
static void init_pci(void)
{
    const struct acpi_table *t = acpi_find("MCFG", 0);
    const uint8_t *p = t ? acpi_map(t) : NULL;
    struct acpi_mcfg m;

    for (uint32_t i = 0; p && acpi_mcfg_read(p, t->bytes, i, &m); i++)
        if (m.segment == 0 && !pci_set_memory(MADDR(m.address), m.first_bus, m.last_bus))
            log_debug("PCI: configuration space at %#llx, buses %u to %u",
                      (unsigned long long)m.address, m.first_bus, m.last_bus);
    if (p)
        acpi_unmap(t, p);
}

void arch_init_machine(void)
{
    display_init();
    microcode_init();
    cpu_report();
    init_tables();
    ioapic_silence_pics();
    if (apic_init(platform_madt.apic))
        panic("no local APIC that can be used");
    apic_pcpu_init();
    if (ioapic_init(&platform_madt))
        panic("ACPI names no IO-APIC that is there");
    if (clock_init())
        panic("no clock");
    clock_pcpu_init();
    init_pci();
    passthrough_init();
    iommu_init(passthrough_keep_memory);
    if (hvm_cpu_init())
        panic("this machine cannot run guests: see the line above");
}
