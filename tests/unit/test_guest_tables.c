/* SPDX-License-Identifier: MIT */
/*
 * What a PVH domain is told: read back as a kernel reads it. If these fail a domain finds no
 * ramdisk, too few CPUs, or the tables of devices that are not its own.
 */
// sources: arch/x86/start_info.c arch/x86/acpi_tables.c arch/x86/e820.c
#include "../../hypervisor/arch/x86/guest_tables.h"
#include "unit.h"

#include <lib/bits.h>
#include <string.h>
#include <xen/arch-x86/hvm/start_info.h>

#define AT 0x8000000ull

static uint8_t memory[KIB(64)];
static struct guest_block block;

static int setup(void **state)
{
    memset(memory, 0xa5, sizeof(memory));
    block = (struct guest_block){ .to = memory, .at = AT, .room = sizeof(memory) };
    return 0;
}

static const uint8_t *at(uint64_t address)
{
    assert_in_range(address, AT, AT + sizeof(memory) - 1);
    return memory + (address - AT);
}

static uint32_t get32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, 4);
    return v;
}

static uint64_t get64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, 8);
    return v;
}

static const uint8_t *table(uint64_t address, const char *signature)
{
    const uint8_t *t = at(address);
    uint8_t sum = 0;

    assert_memory_equal(t, signature, 4);
    for (uint32_t i = 0; i < get32(t + 4); i++)
        sum = (uint8_t)(sum + t[i]);
    assert_int_equal(sum, 0);
    return t;
}

static const uint8_t *xsdt(uint64_t rsdp)
{
    const uint8_t *r = at(rsdp);
    uint8_t sum = 0;

    assert_int_equal(rsdp % 16, 0);
    assert_memory_equal(r, "RSD PTR ", 8);
    assert_int_equal(r[15], 2);
    for (uint32_t i = 0; i < 36; i++) {
        sum = (uint8_t)(sum + r[i]);
        if (i == 19)
            assert_int_equal(sum, 0);
    }
    assert_int_equal(sum, 0);
    return table(get64(r + 24), "XSDT");
}

static void start(void **state)
{
    struct e820 map = { .nr = 2, .r = { { 0, 0x9f000, E820_RAM }, { MIB(1), GIB(1), E820_RAM } } };
    struct pvh_start s = { "console=hvc0 a=b", GIB(1), 12345, 0x77, 3, &map, false };
    const struct hvm_start_info *i = (const void *)at(start_info_write(&block, &s));
    const struct hvm_modlist_entry *m = (const void *)at(i->modlist_paddr);
    const struct hvm_memmap_table_entry *e = (const void *)at(i->memmap_paddr);

    assert_int_equal(i->magic, XEN_HVM_START_MAGIC_VALUE);
    assert_int_equal(i->version, 1);
    assert_int_equal(i->flags, 3);
    assert_int_equal(i->rsdp_paddr, 0x77);
    assert_string_equal((const char *)at(i->cmdline_paddr), "console=hvc0 a=b");
    assert_int_equal(i->nr_modules, 1);
    assert_int_equal(m->paddr, GIB(1));
    assert_int_equal(m->size, 12345);
    assert_int_equal(i->memmap_entries, 2);
    assert_int_equal(e[1].addr, MIB(1));
    assert_int_equal(e[1].size, GIB(1) - MIB(1));
    assert_int_equal(e[1].type, XEN_HVM_MEMMAP_TYPE_RAM);
}

static void no_ramdisk(void **state)
{
    struct e820 map = { .nr = 0 };
    struct pvh_start s = { .cmdline = "", .map = &map };
    const struct hvm_start_info *i = (const void *)at(start_info_write(&block, &s));

    assert_int_equal(i->nr_modules, 0);
    assert_int_equal(i->modlist_paddr, 0);
}

static const char *line_of(const char *line, bool bounce)
{
    struct e820 map = { .nr = 0 };
    struct pvh_start s = { .cmdline = line, .map = &map, .bounce = bounce };
    const struct hvm_start_info *i = (const void *)at(start_info_write(&block, &s));

    return (const char *)at(i->cmdline_paddr);
}

/* Without an IOMMU devices would write to the wrong place what goes to others' memory. */
static void bounce(void **state)
{
    assert_string_equal(line_of("console=hvc0", true), "console=hvc0 swiotlb=force");
    assert_string_equal(line_of("", true), " swiotlb=force");
    assert_string_equal(line_of("a=swiotlb=1 b", true), "a=swiotlb=1 b swiotlb=force");
    assert_string_equal(line_of("swiotlb=65536,force a", true), "swiotlb=65536,force a");
    assert_string_equal(line_of("a swiotlb=noforce", true), "a swiotlb=noforce");
    assert_string_equal(line_of("a", false), "a");
}

/* Whatever room there is: all is in it, or nothing counts. */
static void too_small(void **state)
{
    struct e820 map = { .nr = 2, .r = { { 0, 1, 1 }, { 2, 3, 1 } } };
    struct pvh_start s = { "line", GIB(1), 1, 0, 0, &map, true };
    struct acpi_tables t = { .vcpus = 4 };
    bool info_fitted = false, acpi_fitted = false;

    for (uint32_t room = 0; room < 1000; room++) {
        setup(NULL);
        block.room = room;
        info_fitted = start_info_write(&block, &s) != 0;
        assert_int_equal(info_fitted, !block.full);
        assert_true(block.used <= room && memory[room] == 0xa5);
        setup(NULL);
        block.room = room;
        acpi_fitted = acpi_tables_write(&block, &t) != 0;
        assert_int_equal(acpi_fitted, !block.full);
        assert_true(block.used <= room && memory[room] == 0xa5);
    }
    assert_true(info_fitted && acpi_fitted);
}

/* A guest without hardware: its vCPUs and nothing else. */
static void guest(void **state)
{
    struct acpi_tables t = { .vcpus = 128 };
    const uint8_t *x = xsdt(acpi_tables_write(&block, &t));
    const uint8_t *fadt = table(get64(x + 36), "FACP"), *madt = table(get64(x + 44), "APIC");
    uint32_t bytes = get32(madt + 4), vcpu = 0;

    assert_int_equal(get32(x + 4), 36 + 16);
    assert_true(get32(fadt + 112) & BIT(20));
    (void)table(get64(fadt + 140), "DSDT");
    assert_int_equal(get32(fadt + 40), get64(fadt + 140));
    assert_int_equal(get32(madt + 36), 0xfee00000);
    for (uint32_t i = 44; i < bytes; i += madt[i + 1], vcpu++) {
        if (madt[i] == 0) {
            assert_int_equal(madt[i + 2], vcpu);
            assert_int_equal(madt[i + 3], 2 * vcpu);
            assert_int_equal(get32(madt + i + 4), 1);
        } else {
            assert_int_equal(madt[i], 9);
            assert_int_equal(get32(madt + i + 4), 2 * vcpu);
            assert_int_equal(get32(madt + i + 8), 1);
            assert_int_equal(get32(madt + i + 12), vcpu);
            assert_true(2 * vcpu >= 255);
        }
    }
    assert_int_equal(vcpu, 128);
}

/* The hardware domain: the machine's tables, and lines of the machine's MADT, however broken. */
static void hardware(void **state)
{
    static const uint8_t lines[] = { 0, 8,  0,    0, 1, 0, 0,    0, /* a CPU of the machine's */
                                     1, 12, 0,    0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0, /* IO-APIC */
                                     2, 10, 0,    0, 2, 0, 0,    0,    0, 0, /* IRQ 0 is line 2 */
                                     4, 6,  0xff, 0, 0, 1, 2,    10,   0 };
    uint8_t m[44 + sizeof(lines)] = { 'A', 'P', 'I', 'C' };
    struct acpi_tables t = {
        .vcpus = 1, .madt = m, .madt_bytes = sizeof(m), .kept = { 0x1111, 0x2222 }, .nr_kept = 2
    };

    memcpy(m + 44, lines, sizeof(lines));
    const uint8_t *x = xsdt(acpi_tables_write(&block, &t));
    const uint8_t *madt = table(get64(x + 36 + 16), "APIC");
    assert_int_equal(get64(x + 36), 0x1111);
    assert_int_equal(get64(x + 44), 0x2222);
    assert_int_equal(get32(madt + 4), 44 + 8 + 12 + 10);
    assert_memory_equal(madt + 52, lines + 8, 22);
    for (int i = 0; i < 3000; i++) {
        setup(NULL);
        t.madt_bytes = (uint32_t)unit_random(sizeof(m) + 1);
        m[44 + unit_random(sizeof(lines))] = (uint8_t)unit_random(256);
        (void)xsdt(acpi_tables_write(&block, &t));
    }
    assert_false(acpi_is_shown("APIC"));
    assert_false(acpi_is_shown("IVRS"));
    assert_true(acpi_is_shown("FACP"));
    assert_true(acpi_is_shown("MCFG"));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup(f, setup)
    const struct CMUnitTest tests[] = { TEST(start),     TEST(no_ramdisk), TEST(bounce),
                                        TEST(too_small), TEST(guest),      TEST(hardware) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
