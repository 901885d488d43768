/* SPDX-License-Identifier: MIT */
// sources: drivers/acpi.c drivers/acpi_madt.c drivers/acpi_fadt.c core/boot.c
/* ACPI's tables, as firmware makes them and as it should not. */
#include "unit.h"

#include <asm/host.h>
#include <hospes/acpi.h>
#include <hospes/errno.h>

#include <string.h>

#define RSDP 0xf0000u
#define XSDT 0x1000u
#define RSDT 0x1800u
#define MADT 0x2000u
#define FADT 0x3000u

static uint8_t *ram(uint64_t a)
{
    return host_ram(MADDR(a));
}

static void put(uint64_t a, uint64_t value, uint32_t bytes)
{
    memcpy(ram(a), &value, bytes);
}

/* Makes the bytes of [a, a + bytes) sum to 0 by the one at `at`. */
static void seal(uint64_t a, uint32_t bytes, uint32_t at)
{
    uint8_t sum = 0;

    ram(a)[at] = 0;
    for (uint32_t i = 0; i < bytes; i++)
        sum = (uint8_t)(sum + ram(a)[i]);
    ram(a)[at] = (uint8_t)-sum;
}

static void put_table(uint64_t a, const char *signature, uint32_t bytes)
{
    memcpy(ram(a), signature, 4);
    put(a + 4, bytes, 4);
    seal(a, bytes, 9);
}

static void put_rsdp(uint64_t a, uint8_t revision)
{
    memcpy(ram(a), "RSD PTR ", 8);
    memcpy(ram(a) + 9, "HOSPES", 6);
    ram(a)[15] = revision;
    put(a + 16, RSDT, 4);
    put(a + 20, 36, 4);
    put(a + 24, revision ? XSDT : 0, 8);
    seal(a, 20, 8);
}

static int setup(void **state)
{
    host_pcpus_init(1);
    host_ram_reset();
    host_ram_add(0, MIB(2));
    put_rsdp(RSDP, 2);
    put(XSDT + 36, MADT, 8);
    put(XSDT + 44, FADT, 8);
    put_table(XSDT, "XSDT", 52);
    put(RSDT + 36, MADT, 4);
    put_table(RSDT, "RSDT", 40);
    put_table(MADT, "APIC", 44);
    put_table(FADT, "FACP", 244);
    return 0;
}

/* Without them the machine has neither CPUs nor interrupts. */
static void tables_are_found(void **state)
{
    assert_int_equal(acpi_init(RSDP, NULL, 0), 0);
    assert_int_equal(acpi_root.nr, 2);
    assert_int_equal(acpi_root.refused, 0);
    assert_string_equal(acpi_root.oem, "HOSPES");
    assert_int_equal(acpi_find("FACP", 0)->maddr, FADT);
    assert_null(acpi_find("FACP", 1));
    assert_null(acpi_find("HPET", 0));
}

static void bios_is_searched(void **state)
{
    assert_int_equal(acpi_init(0, NULL, 0), 0);
    assert_int_equal(acpi_root.nr, 2);
    /* In the extended data area. */
    memset(ram(RSDP), 0, 36);
    assert_int_equal(acpi_init(0, NULL, 0), -ENOENT);
    put(0x40e, 0x9fc0, 2);
    put_rsdp(0x9fc10, 0);
    assert_int_equal(acpi_init(0, NULL, 0), 0);
    assert_int_equal(acpi_root.nr, 1); /* the older root */
    assert_int_equal(acpi_root.revision, 0);
}

static void a_copy_will_do(void **state)
{
    uint8_t copy[36];

    memcpy(copy, ram(RSDP), sizeof(copy));
    memset(ram(RSDP), 0, 36);
    assert_int_equal(acpi_init(0, copy, sizeof(copy)), 0);
    assert_int_equal(acpi_root.nr, 2);
    copy[3] ^= 1;
    assert_int_equal(acpi_init(0, copy, sizeof(copy)), -ENOENT);
    assert_int_equal(acpi_init(0, copy, 4), -ENOENT);
}

static void bad_tables_are_refused(void **state)
{
    ram(FADT)[100] ^= 1;
    assert_int_equal(acpi_init(RSDP, NULL, 0), 0);
    assert_int_equal(acpi_root.nr, 1);
    assert_int_equal(acpi_root.refused, 1);
    /* Lengths that cannot be, places where nothing is. */
    put(FADT + 4, 8, 4);
    put(XSDT + 36, UINT64_MAX - 4, 8);
    seal(XSDT, 52, 9);
    assert_int_equal(acpi_init(RSDP, NULL, 0), 0);
    assert_int_equal(acpi_root.refused, 2);
    put(FADT + 4, UINT32_MAX, 4);
    assert_int_equal(acpi_init(RSDP, NULL, 0), 0);
    assert_int_equal(acpi_root.refused, 2);
    /* The newer root is not good: the older one is taken; neither is. */
    ram(XSDT)[50] ^= 1;
    assert_int_equal(acpi_init(RSDP, NULL, 0), 0);
    assert_int_equal(acpi_root.nr, 1);
    ram(RSDT)[38] ^= 1;
    assert_int_equal(acpi_init(RSDP, NULL, 0), -EINVAL);
}

static void too_many_tables(void **state)
{
    for (uint32_t i = 0; i < ACPI_TABLES + 5; i++)
        put(XSDT + 36 + 8 * i, MADT, 8);
    put_table(XSDT, "XSDT", 36 + 8 * (ACPI_TABLES + 5));
    assert_int_equal(acpi_init(RSDP, NULL, 0), 0);
    assert_int_equal(acpi_root.nr, ACPI_TABLES);
    assert_int_equal(acpi_root.refused, 5);
}

/* --- MADT ------------------------------------------------------------------------------------ */

static const uint8_t entries[] = {
    0,   8,  0, 0, 1, 0, 0,    0,                               /* a CPU */
    0,   8,  1, 2, 1, 0, 0,    0,                               /* another */
    0,   8,  2, 4, 0, 0, 0,    0,                               /* one that is not there */
    9,   16, 0, 0, 2, 0, 0,    0,    1,    0, 0, 0, 1, 0, 0, 0, /* the second again */
    9,   16, 0, 0, 0, 1, 0,    0,    1,    0, 0, 0, 3, 0, 0, 0, /* number 256 */
    1,   12, 7, 0, 0, 0, 0xc0, 0xfe, 24,   0, 0, 0,             /* an IO-APIC */
    2,   10, 0, 0, 2, 0, 0,    0,    0,    0,                   /* the timer comes in on line 2 */
    2,   10, 0, 9, 9, 0, 0,    0,    0x0f, 0,                   /* low, level */
    5,   12, 0, 0, 0, 0, 0,    0,    1,    0, 0, 0,             /* where local APICs are */
    200, 5,  1, 2, 3,                                           /* a kind of the future */
};

static struct acpi_madt madt;

static void madt_is_read(void **state)
{
    static uint8_t table[44 + sizeof(entries)];

    table[40] = 1;
    memcpy(table + 44, entries, sizeof(entries));
    assert_int_equal(acpi_madt_read(table, sizeof(table), &madt), 0);
    assert_int_equal(madt.nr_cpus, 3);
    assert_int_equal(madt.cpus[1].apic_id, 2);
    assert_int_equal(madt.cpus[2].apic_id, 256);
    assert_int_equal(madt.cpus[2].uid, 3);
    assert_int_equal(madt.nr_ioapics, 1);
    assert_int_equal(madt.ioapics[0].address, 0xfec00000);
    assert_int_equal(madt.ioapics[0].gsi_base, 24);
    assert_int_equal(madt.nr_overrides, 2);
    assert_int_equal(madt.overrides[0].gsi, 2);
    assert_false(madt.overrides[0].level || madt.overrides[0].low);
    assert_true(madt.overrides[1].level && madt.overrides[1].low);
    assert_int_equal(madt.apic, 0x100000000);
    assert_true(madt.has_pic);
    assert_int_equal(madt.lost, 0);
}

static void bad_madts(void **state)
{
    uint8_t table[60] = { 0 };

    assert_int_equal(acpi_madt_read(table, 43, &madt), -EINVAL);
    table[44] = 1;
    table[45] = 0; /* an entry of no length */
    assert_int_equal(acpi_madt_read(table, sizeof(table), &madt), -EINVAL);
    table[45] = 17; /* longer than what is left */
    assert_int_equal(acpi_madt_read(table, sizeof(table), &madt), -EINVAL);
    table[45] = 4; /* shorter than its kind */
    table[48] = table[52] = table[56] = 200;
    table[49] = table[53] = table[57] = 4;
    assert_int_equal(acpi_madt_read(table, sizeof(table), &madt), 0);
    assert_int_equal(madt.lost, 1);
    assert_int_equal(madt.nr_ioapics, 0);
}

static void more_cpus_than_there_is_room_for(void **state)
{
    static uint8_t table[44 + 16 * (ACPI_CPUS + 3)];

    for (uint32_t i = 0; i < ACPI_CPUS + 3; i++) {
        uint8_t *e = table + 44 + (size_t)16 * i;

        e[0] = 9;
        e[1] = 16;
        e[4] = (uint8_t)i;
        e[5] = (uint8_t)(i >> 8);
        e[8] = 1;
    }
    assert_int_equal(acpi_madt_read(table, sizeof(table), &madt), 0);
    assert_int_equal(madt.nr_cpus, ACPI_CPUS);
    assert_int_equal(madt.lost, 3);
}

/* --- FADT, DSDT, HPET, MCFG ------------------------------------------------------------------- */

static void fadt_is_read(void **state)
{
    uint8_t t[244] = { 0 };
    struct acpi_fadt f;

    t[40] = 0x40;
    t[64] = 4;
    t[65] = 6;
    t[76] = 8;
    t[77] = 6;
    t[91] = 4;
    t[113] = 5; /* reset register, 32-bit timer */
    t[116] = ACPI_PORT;
    t[120] = 0xf9;
    t[121] = 0x0c;
    t[128] = 0x0f;
    assert_int_equal(acpi_fadt_read(t, 116, &f), 0); /* ACPI 1.0 */
    assert_int_equal(f.dsdt, 0x40);
    assert_int_equal(f.pm1a_control.address, 0x604);
    assert_int_equal(f.pm_timer.address, 0x608);
    assert_false(f.has_reset);
    assert_int_equal(acpi_fadt_read(t, sizeof(t), &f), 0);
    assert_true(f.has_reset && f.pm_timer_32);
    assert_int_equal(f.reset.address, 0xcf9);
    assert_int_equal(f.reset_value, 0x0f);
    t[140] = 0x80; /* the longer forms win where they say something */
    t[208] = ACPI_PORT;
    t[212] = 0x10;
    assert_int_equal(acpi_fadt_read(t, sizeof(t), &f), 0);
    assert_int_equal(f.dsdt, 0x80);
    assert_int_equal(f.pm_timer.address, 0x10);
    assert_int_equal(acpi_fadt_read(t, 115, &f), -EINVAL);
}

/* Without it the machine cannot be switched off. */
static void s5_is_found(void **state)
{
    static const uint8_t plain[] = "xx\x08_S5_\x12\x0a\x04\x0a\x05\x0a\x06\x00\x00";
    static const uint8_t rooted[] = "\x08\\_S5_\x12\x06\x04\x00\x01\x00\x00";
    static const uint8_t other[] = "\x08_S5_\x0c\x06\x04\x00\x01\x00\x00";
    uint8_t type[2];

    assert_true(acpi_find_s5(plain, sizeof(plain) - 1, type));
    assert_int_equal(type[0], 5);
    assert_int_equal(type[1], 6);
    assert_true(acpi_find_s5(rooted, sizeof(rooted) - 1, type));
    assert_int_equal(type[0], 0);
    assert_int_equal(type[1], 1);
    assert_false(acpi_find_s5(other, sizeof(other) - 1, type));
    /* Cut off anywhere: the sanitizer sees what is read beside it. */
    for (uint32_t bytes = 0; bytes < sizeof(plain); bytes++) {
        uint8_t *cut = malloc(bytes ? bytes : 1);

        memcpy(cut, plain, bytes);
        (void)acpi_find_s5(cut, bytes, type);
        free(cut);
    }
}

static void hpet_and_mcfg(void **state)
{
    uint8_t t[76] = { 0 };
    struct acpi_mcfg m;

    t[46] = 0xd0;
    assert_int_equal(acpi_hpet_read(t, 56), 0xd00000);
    assert_int_equal(acpi_hpet_read(t, 51), 0);
    t[40] = ACPI_PORT;
    assert_int_equal(acpi_hpet_read(t, 56), 0);
    t[63] = 0xff;
    t[71] = 0x7f;
    assert_true(acpi_mcfg_read(t, sizeof(t), 1, &m));
    assert_int_equal(m.last_bus, 0x7f);
    assert_false(acpi_mcfg_read(t, sizeof(t), 2, &m));
    assert_false(acpi_mcfg_read(t, sizeof(t), UINT32_MAX, &m));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup(f, setup)
    const struct CMUnitTest tests[] = {
        TEST(tables_are_found), TEST(bios_is_searched),
        TEST(a_copy_will_do),   TEST(bad_tables_are_refused),
        TEST(too_many_tables),  TEST(madt_is_read),
        TEST(bad_madts),        TEST(more_cpus_than_there_is_room_for),
        TEST(fadt_is_read),     TEST(s5_is_found),
        TEST(hpet_and_mcfg),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
