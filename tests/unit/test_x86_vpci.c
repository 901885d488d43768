/* SPDX-License-Identifier: MIT */
/*
 * PCI configuration space as the hardware domain has it: by ports and by memory, BARs that it
 * sizes, and messages (MSI, MSI-X) that it writes with any values, of which devices only ever get
 * ours. The functions' registers are the test's own.
 */
// sources: core/spinlock.c
#include "unit.h"

#include "counting_heap.h"

#include "../../hypervisor/arch/x86/include/asm/domain.h"
#include "../../hypervisor/arch/x86/include/asm/vcpu.h"

#define find find_region
#include "../../hypervisor/core/mmio.c"
#undef find
#include "../../hypervisor/arch/x86/vpci.c"
#define program program_msi
#include "../../hypervisor/arch/x86/vpci_msi.c"
#undef program
#undef CONTROL_ENABLE
#include "../../hypervisor/arch/x86/vpci_msix.c"

#include <asm/host.h>

#define ECAM  0xb0000000ull
#define BAR   0xe0000000ull
#define TABLE (BAR + 0x2000)

static struct domain dom;
static struct vcpu vcpu;

/* --- the machine's functions ------------------------------------------------------------------ */

enum { BOTH, READ_ONLY, SMALL, SHARES, ACROSS, NOWHERE, FUNCTIONS };

static struct function {
    uint16_t bdf;
    uint8_t config[256], writable[256];
} functions[FUNCTIONS];

static uint8_t bar[0x8000];

static struct function *function(uint16_t bdf)
{
    for (uint32_t i = 0; i < FUNCTIONS; i++)
        if (functions[i].bdf == bdf)
            return &functions[i];
    return NULL;
}

uint32_t pci_read(uint16_t bdf, uint32_t at, uint32_t size)
{
    const struct function *f = function(bdf);
    uint32_t value = UINT32_MAX >> 8 * (4 - size);

    assert_int_equal(at % size, 0);
    if (f && at < 256)
        memcpy(&value, f->config + at, size);
    return value;
}

void pci_write(uint16_t bdf, uint32_t at, uint32_t size, uint32_t value)
{
    struct function *f = function(bdf);

    assert_int_equal(at % size, 0);
    for (uint32_t i = 0; f && at < 256 && i < size; i++)
        f->config[at + i] = (uint8_t)((f->config[at + i] & ~f->writable[at + i]) |
                                      (value >> 8 * i & f->writable[at + i]));
}

static void set32(uint32_t n, uint32_t at, uint32_t value, uint32_t writable)
{
    memcpy(functions[n].config + at, &value, 4);
    memcpy(functions[n].writable + at, &writable, 4);
}

static uint32_t get32(uint32_t n, uint32_t at)
{
    return load_le32(functions[n].config + at);
}

uint32_t pci_find_capability(uint16_t bdf, uint8_t id)
{
    const struct function *f = function(bdf);
    uint32_t at = f->config[0x34];

    while (at && f->config[at] != id)
        at = f->config[at + 1];
    return at;
}

void pci_for_each(void (*fn)(uint16_t bdf, void *arg), void *arg)
{
    for (uint32_t i = 0; i < FUNCTIONS; i++)
        fn(functions[i].bdf, arg);
}

static bool has_memory;

maddr_t pci_memory(uint64_t *bytes)
{
    *bytes = has_memory ? MIB(2) : 0;
    return MADDR(ECAM);
}

uint8_t pci_memory_first_bus(void)
{
    return 0;
}

/* What a capability of MSI has, from `at` on. */
static void add_msi(uint32_t n, uint8_t at, uint8_t next, bool wide, bool maskable)
{
    uint32_t control = (uint32_t)(5 | next << 8 | 3 << 17 | wide << 23 | maskable << 24);

    set32(n, at, control, 0x710000);
    set32(n, at + 4, 0, 0xfffffffc);
    if (wide)
        set32(n, at + 8, 0, 0xffffffff);
    set32(n, at + (wide ? 12 : 8), 0, 0xffff);
    if (maskable)
        set32(n, at + (wide ? 16 : 12), 0, 0xffffffff);
}

static void add_msix(uint32_t n, uint8_t at, uint32_t entries, uint32_t offset, uint32_t which)
{
    set32(n, at, 0x11u | (entries - 1) << 16, 0xc0000000);
    set32(n, at + 4, offset | which, 0);
    set32(n, at + 8, 0x4000 | which, 0);
}

/* The bus takes accesses that are not aligned. */
static uint64_t bus_read(void *arg, const volatile void *p, unsigned int bytes)
{
    uint64_t value = 0;

    memcpy(&value, (const void *)(uintptr_t)p, bytes);
    return value;
}

static void bus_write(void *arg, volatile void *p, unsigned int bytes, uint64_t value)
{
    memcpy((void *)(uintptr_t)p, &value, bytes);
}

/* --- interrupts ------------------------------------------------------------------------------- */

static uint32_t nr_set, nr_disabled;
static int set_rc;
static uint64_t last_address;
static uint32_t last_data;

/* Ours: 0xfee55000 and 0x99, for all. */
int vmsi_set(struct domain *d, struct vmsi *m, uint64_t address, uint32_t data,
             uint64_t *device_address, uint32_t *device_data)
{
    m->address = address;
    m->data = data;
    last_address = address;
    last_data = data;
    nr_set++;
    if (set_rc || address >> 20 != 0xfee)
        return set_rc ? set_rc : -EINVAL;
    m->irq = 100;
    *device_address = 0xfee55000;
    *device_data = 0x99;
    return 0;
}

void vmsi_disable(const struct vmsi *m)
{
    nr_disabled++;
}

static uint32_t resets;

/* The chipset's own, in the middle of the address. */
enum exit_action power_access_reset_port(struct vcpu *v, struct pio_access *a)
{
    resets++;
    return EXIT_HANDLED;
}

static struct {
    pio_handler_fn *handler;
    void *device;
} address_port, data_port;

int pio_add(struct domain *d, uint16_t first, uint16_t last, pio_handler_fn *handler, void *device)
{
    if (first == 0xcf8) {
        address_port.handler = handler;
        address_port.device = device;
    } else {
        assert_int_equal(first, 0xcfc);
        data_port.handler = handler;
        data_port.device = device;
    }
    assert_int_equal(last, first + 3);
    return 0;
}

/* --- the guest's accesses --------------------------------------------------------------------- */

static uint32_t port(uint16_t number, uint8_t size, bool write, uint32_t value)
{
    struct pio_access a = { .port = number, .size = size, .write = write, .value = value };

    if (number < 0xcfc)
        assert_int_equal(address_port.handler(&vcpu, &a, address_port.device), EXIT_HANDLED);
    else
        assert_int_equal(data_port.handler(&vcpu, &a, data_port.device), EXIT_HANDLED);
    return a.value;
}

static uint32_t config(uint32_t n, uint32_t at, uint8_t size, bool write, uint32_t value)
{
    port(0xcf8, 4, true, 0x80000000 | (uint32_t)functions[n].bdf << 8 | (at & 0xfc));
    return port((uint16_t)(0xcfc + (at & 3)), size, write, value);
}

static uint64_t memory(uint64_t at, uint8_t size, bool write, uint64_t value)
{
    enum exit_action action;

    vcpu.access =
        (struct mmio_access){ .addr = GADDR(at), .size = size, .write = write, .value = value };
    action = mmio_dispatch(&vcpu);
    if (action == EXIT_FAULT)
        return UINT64_MAX;
    assert_int_equal(action, EXIT_HANDLED);
    return vcpu.access.value;
}

/* The device's own entry. */
static uint32_t entry(uint32_t i, uint32_t at)
{
    return load_le32(bar + 0x2000 + 16 * i + at);
}

static int setup(void **state)
{
    static const struct host_mmio bus = { bus_read, bus_write, NULL };
    static bool added;

    host_pcpus_init(1);
    host_log_clear();
    host_set_mmio(&bus);
    if (!added)
        host_device_add(BAR, sizeof(bar), bar);
    added = true;
    memset(&dom, 0, sizeof(dom));
    memset(&vcpu, 0, sizeof(vcpu));
    memset(functions, 0, sizeof(functions));
    memset(bar, 0xee, sizeof(bar));
    vcpu.domain = &dom;
    has_memory = true;
    heap_left = UINT64_MAX;
    nr_set = nr_disabled = 0;
    set_rc = 0;
    for (uint32_t i = 0; i < FUNCTIONS; i++) {
        functions[i].bdf = (uint16_t)(i << 3);
        set32(i, 0, 0x12340000 | i, 0);
        set32(i, 0x10, (uint32_t)BAR | 4, 0xffff8000);
        set32(i, 0x14, 0, 0xffffffff);
        functions[i].config[0x34] = 0x50;
    }
    add_msi(BOTH, 0x50, 0x70, true, true);
    add_msix(BOTH, 0x70, 4, 0x2000, 0);
    set32(READ_ONLY, 0x50, 0x0f, UINT32_MAX);
    functions[SMALL].config[0x34] = 0xf4;
    add_msi(SMALL, 0xf4, 0, false, false);
    add_msix(SHARES, 0x50, 4, 0x2800, 0);
    add_msix(ACROSS, 0x50, 200, 0x3ff0, 0);
    add_msix(NOWHERE, 0x50, 1, 0, 0);
    set32(NOWHERE, 0x10, 0, 0);
    assert_int_equal(vpci_init(&dom), 0);
    return 0;
}

static int teardown(void **state)
{
    vpci_destroy(&dom);
    mmio_destroy(&dom);
    assert_int_equal(heap_used, 0);
    return 0;
}

/* --- configuration space ---------------------------------------------------------------------- */

static void test_ports(void **state)
{
    assert_int_equal(config(SMALL, 0, 4, false, 0), 0x12340000 | SMALL);
    assert_int_equal(config(SMALL, 2, 2, false, 0), 0x1234);
    assert_int_equal(config(SMALL, 3, 1, false, 0), 0x12);
    assert_int_equal(port(0xcf8, 4, false, 0), 0x80000000 | SMALL << 11);
    /* Across the register, without the enabling bit, narrow: nobody. */
    port(0xcf8, 4, true, 0x80000000 | SMALL << 11);
    assert_int_equal(port(0xcff, 2, false, 0), 0xffff);
    assert_int_equal(port(0xcfe, 4, false, 0), UINT32_MAX);
    assert_int_equal(port(0xcf8, 1, false, 0), 0xff);
    port(0xcf8, 2, true, 0);
    port(0xcf9, 1, true, 6);
    assert_int_equal(resets, 1);
    assert_int_equal(port(0xcf8, 4, false, 0), 0x80000000 | SMALL << 11);
    port(0xcf8, 4, true, SMALL << 11);
    assert_int_equal(port(0xcfc, 4, false, 0), UINT32_MAX);
    /* A function that there is not. */
    port(0xcf8, 4, true, 0x80ffff00);
    assert_int_equal(port(0xcfc, 4, false, 0), UINT32_MAX);
    port(0xcfc, 4, true, 5);
}

static void test_window(void **state)
{
    assert_int_equal(memory(ECAM + (SMALL << 15), 4, false, 0), 0x12340000 | SMALL);
    assert_int_equal(memory(ECAM + (SMALL << 15) + 2, 2, false, 0), 0x1234);
    assert_int_equal(memory(ECAM + (SMALL << 15) + 0x100, 4, false, 0), UINT32_MAX);
    assert_int_equal(memory(ECAM + 2, 4, false, 0), UINT64_MAX);
    assert_int_equal(memory(ECAM, 8, false, 0), UINT64_MAX);
    memory(ECAM + (SMALL << 15) + 0xf8, 4, true, 0xfee0100c);
    assert_int_equal(config(SMALL, 0xf8, 4, false, 0), 0xfee0100c);
}

/* dom0 finds out how large its BARs are by writing ones to them, and puts them back. */
static void test_sizing(void **state)
{
    config(SMALL, 0x10, 4, true, UINT32_MAX);
    assert_int_equal(config(SMALL, 0x10, 4, false, 0), 0xffff8004);
    config(SMALL, 0x10, 4, true, (uint32_t)BAR);
    assert_int_equal(config(SMALL, 0x10, 4, false, 0), BAR | 4);
}

/* The IOMMU's own function: who could move it could reach all memory. */
static void test_read_only(void **state)
{
    for (uint32_t at = 0; at < 256; at++)
        config(READ_ONLY, at, 1, true, 0xff);
    memory(ECAM + (READ_ONLY << 15) + 0x10, 4, true, 0);
    assert_int_equal(get32(READ_ONLY, 0x50), 0x0f);
    assert_int_equal(get32(READ_ONLY, 0x10), BAR | 4);
}

/* --- MSI -------------------------------------------------------------------------------------- */

/* The guest reads what it wrote; the device has ours, and only once it is on. */
static void test_msi(void **state)
{
    config(BOTH, 0x54, 4, true, 0xfee0a00f);
    config(BOTH, 0x58, 4, true, 0);
    config(BOTH, 0x5c, 2, true, 0x4131);
    assert_int_equal(nr_set, 0);
    assert_int_equal(get32(BOTH, 0x54), 0);
    assert_int_equal(config(BOTH, 0x50, 4, false, 0) >> 17 & 0x3f, 0); /* one message */
    config(BOTH, 0x52, 2, true, 0x71);
    assert_int_equal(last_address, 0xfee0a00c);
    assert_int_equal(last_data, 0x4131);
    assert_int_equal(get32(BOTH, 0x54), 0xfee55000);
    assert_int_equal(get32(BOTH, 0x5c), 0x99);
    assert_int_equal(get32(BOTH, 0x50) >> 16 & 0x71, 1);
    assert_int_equal(config(BOTH, 0x54, 4, false, 0), 0xfee0a00c);
    assert_int_equal(config(BOTH, 0x5c, 4, false, 0), 0x4131);
    assert_int_equal(config(BOTH, 0x5d, 1, false, 0), 0x41);
    /* Elsewhere, while it is on. A byte of it. */
    config(BOTH, 0x5c, 1, true, 0x32);
    assert_int_equal(last_data, 0x4132);
    /* Mask bits are the device's own. */
    config(BOTH, 0x60, 4, true, 1);
    assert_int_equal(get32(BOTH, 0x60), 1);
    config(BOTH, 0x52, 2, true, 0);
    assert_int_equal(nr_disabled, 1);
    assert_int_equal(get32(BOTH, 0x50) >> 16 & 0x71, 0);
}

static void test_msi_32(void **state)
{
    config(SMALL, 0xf8, 4, true, 0xfee00000);
    config(SMALL, 0xfc, 4, true, 0xdead0033);
    config(SMALL, 0xf6, 2, true, 1);
    assert_int_equal(last_data, 0x33);
    assert_int_equal(get32(SMALL, 0xfc), 0x99);
    assert_int_equal(get32(SMALL, 0xf8), 0xfee55000);
}

/* A message to memory would be a write of a device's to there: it is switched off instead. */
static void test_msi_wild(void **state)
{
    config(BOTH, 0x54, 4, true, 0x12345678);
    config(BOTH, 0x58, 4, true, UINT32_MAX);
    config(BOTH, 0x52, 2, true, 1);
    assert_int_equal(get32(BOTH, 0x50) >> 16 & 1, 0);
    assert_int_equal(get32(BOTH, 0x54), 0);
    set_rc = -ENOSPC;
    config(BOTH, 0x54, 4, true, 0xfee00000);
    config(BOTH, 0x58, 4, true, 0);
    config(BOTH, 0x52, 2, true, 1);
    assert_int_equal(get32(BOTH, 0x50) >> 16 & 1, 0);
}

/* Whatever is written anywhere, a device that sends, sends ours. */
static void test_msi_at_random(void **state)
{
    unit_random_seed(5);
    for (uint32_t i = 0; i < 50000; i++) {
        uint32_t size = 1u << unit_random(3), at = 0x50 + unit_random(0x20 / size) * size;
        uint32_t value = unit_random(2) ? (uint32_t)unit_random64() : 0xfee00001;

        set_rc = unit_random(8) ? 0 : -ENOSPC;
        config(BOTH, at, (uint8_t)size, unit_random(4), value);
        if (get32(BOTH, 0x50) >> 16 & 1) {
            assert_int_equal(get32(BOTH, 0x50) >> 20 & 7, 0);
            assert_int_equal(get32(BOTH, 0x54), 0xfee55000);
            assert_int_equal(get32(BOTH, 0x58), 0);
            assert_int_equal(get32(BOTH, 0x5c), 0x99);
        }
    }
}

/* --- MSI-X ------------------------------------------------------------------------------------ */

static void enable_msix(bool on)
{
    config(BOTH, 0x70, 4, true, on ? 1u << 31 : 0);
}

static void test_msix(void **state)
{
    assert_int_equal(memory(TABLE + 12, 4, false, 0), 1); /* masked, as after a reset */
    memory(TABLE + 16, 8, true, 0xfee0a000);
    memory(TABLE + 24, 8, true, 0x41);
    assert_int_equal(nr_set, 0);
    enable_msix(true);
    assert_int_equal(last_data, 0x41);
    assert_int_equal(entry(1, 0), 0xfee55000);
    assert_int_equal(entry(1, 8), 0x99);
    assert_int_equal(entry(1, 12), 0);
    assert_int_equal(entry(0, 12) & 1, 1);
    assert_int_equal(memory(TABLE + 16, 8, false, 0), 0xfee0a000);
    assert_int_equal(memory(TABLE + 24, 4, false, 0), 0x41);
    /* Masked, changed, opened. */
    memory(TABLE + 28, 4, true, 1);
    assert_int_equal(entry(1, 12) & 1, 1);
    memory(TABLE + 24, 4, true, 0x42);
    assert_int_equal(last_data, 0x41);
    memory(TABLE + 28, 4, true, 0);
    assert_int_equal(last_data, 0x42);
    enable_msix(false);
    assert_true(nr_disabled > 0);
    assert_int_equal(get32(BOTH, 0x70) >> 31, 0);
}

/* Of a message that is none the entry stays masked. */
static void test_msix_wild(void **state)
{
    enable_msix(true);
    memory(TABLE, 8, true, 0x123456789abc);
    memory(TABLE + 8, 8, true, 0x41);
    assert_int_equal(entry(0, 12) & 1, 1);
    unit_random_seed(6);
    for (uint32_t i = 0; i < 50000; i++) {
        uint8_t size = (uint8_t)(1u << unit_random(4));
        uint64_t at = TABLE + unit_random(64 + 8);
        uint64_t value = unit_random(2) ? unit_random64() : unit_random(2) ? 0xfee00000 : 0;

        set_rc = unit_random(8) ? 0 : -ENOSPC;
        memory(at, size, unit_random(4), value);
        if (!unit_random(50))
            enable_msix(unit_random(2));
        for (uint32_t n = 0; n < 4; n++)
            if (!(entry(n, 12) & 1)) {
                assert_int_equal(entry(n, 0), 0xfee55000);
                assert_int_equal(entry(n, 4), 0);
                assert_int_equal(entry(n, 8), 0x99);
            }
    }
}

/* What shares the table's pages is the device's, to the byte; across the table's end is nobody's.
 */
static void test_beside(void **state)
{
    static const uint8_t sizes[] = { 1, 2, 4, 8 };

    memory(TABLE + 60, 8, true, 0);
    assert_int_equal(memory(TABLE + 60, 8, false, 0), UINT64_MAX);
    for (uint32_t i = 0; i < 4; i++) {
        uint64_t at = 0x2100 + 16 * i;

        memory(BAR + at, sizes[i], true, 0x1122334455667788);
        assert_int_equal(memory(BAR + at, sizes[i], false, 0),
                         0x1122334455667788 & UINT64_MAX >> (64 - 8 * sizes[i]));
        assert_int_equal(bar[at + sizes[i]], 0xee);
    }
    /* In front of a table that begins in the middle of a page. */
    memory(BAR + 0x3fe8, 8, true, 0x77);
    assert_int_equal(bar[0x3fe8], 0x77);
    assert_int_equal(memory(BAR + 0x3fec, 8, false, 0), UINT64_MAX);
    /* Its last entry is on the second page after it. */
    memory(BAR + 0x3ff0 + 199 * 16 + 12, 4, true, 0xffffffff);
    assert_int_equal(memory(BAR + 0x3ff0 + 199 * 16 + 12, 4, false, 0), 0xffffffff);
}

/* Tables that cannot be kept apart, or that are nowhere, are not used, and told of. */
static void test_unused(void **state)
{
    assert_contains(host_log, "shares a page with another's");
    assert_contains(host_log, "gave its table of messages no place");
    config(SHARES, 0x50, 4, true, 1u << 31);
    config(NOWHERE, 0x50, 4, true, 1u << 31);
    assert_int_equal(nr_set, 0);
}

static uint32_t pages_seen;

static int count_pages(struct domain *d, gaddr_t at, uint64_t bytes)
{
    assert_int_equal((at.v | bytes) & FRAME_MASK, 0);
    pages_seen += (uint32_t)(bytes >> FRAME_SHIFT);
    return 0;
}

static void test_trapped(void **state)
{
    pages_seen = 0;
    assert_int_equal(vpci_for_each_trapped(&dom, count_pages), 0);
    assert_int_equal(pages_seen, 512 + 1 + 2);
}

static void test_no_memory(void **state)
{
    teardown(state);
    for (uint64_t i = 0; i < 6; i++) {
        memset(&dom, 0, sizeof(dom));
        heap_left = i;
        assert_int_equal(vpci_init(&dom), -ENOMEM);
        teardown(state);
    }
    heap_left = UINT64_MAX;
    assert_int_equal(vpci_init(&dom), 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_ports),   TEST(test_window),    TEST(test_sizing),   TEST(test_read_only),
        TEST(test_msi),     TEST(test_msi_32),    TEST(test_msi_wild), TEST(test_msi_at_random),
        TEST(test_msix),    TEST(test_msix_wild), TEST(test_beside),   TEST(test_unused),
        TEST(test_trapped), TEST(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
