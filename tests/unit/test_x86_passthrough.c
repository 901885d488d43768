/* SPDX-License-Identifier: MIT */
/*
 * What of the machine the hardware domain gets. If these fail it reaches another domain's memory,
 * or a device that Hospes drives.
 */
// sources: core/boot.c core/mmio.c core/spinlock.c arch/x86/e820.c
#include "unit.h"

#include "../../hypervisor/arch/x86/include/asm/domain.h"
#include "../../hypervisor/arch/x86/include/asm/vcpu.h"

#include "../../hypervisor/arch/x86/passthrough.c"

#include <asm/host.h>
#include <hospes/errno.h>

#define TOP MIB(64) /* end of the machine's RAM */

static struct domain dom, guest;
struct cpu_info cpu_info = { .physical_bits = 40 };
struct ioapic ioapics[IOAPIC_MAX] = { { .address = 0xfec00000 } };
uint32_t nr_ioapics = 1;

/* --- the domain's address space: what was mapped --------------------------------------------- */

static struct {
    uint64_t gfn, frames;
} mapped[16];
static uint32_t nr;
static int map_rc;

bool p2m_is_empty(struct domain *d, gfn_t gfn, uint64_t frames)
{
    for (uint32_t i = 0; i < nr; i++)
        if (gfn.v < mapped[i].gfn + mapped[i].frames && mapped[i].gfn < gfn.v + frames)
            return false;
    return true;
}

int p2m_replace(struct domain *d, gfn_t gfn, mfn_t m, uint64_t frames, enum p2m_type type)
{
    assert_int_equal(type, P2M_DEVICE);
    assert_int_equal(gfn.v, m.v);
    assert_true(p2m_is_empty(d, gfn, frames));
    if (map_rc)
        return map_rc;
    mapped[nr].gfn = gfn.v;
    mapped[nr++].frames = frames;
    return 0;
}

static uint8_t ports[PIO_PORTS / 8];

int pio_pass(struct domain *d, uint16_t first, uint16_t last)
{
    for (uint32_t i = first; i <= last; i++)
        ports[i / 8] |= (uint8_t)(1u << i % 8);
    return 0;
}

void pio_trap(struct domain *d, uint16_t first, uint16_t last)
{
    for (uint32_t i = first; i <= last; i++)
        ports[i / 8] &= (uint8_t)~(1u << i % 8);
}

static bool is_passed(uint32_t port)
{
    return ports[port / 8] >> port % 8 & 1;
}

static int setup(void **state)
{
    host_pcpus_init(1);
    memset(&dom, 0, sizeof(dom));
    dom.hardware = true;
    memset(&host_e820, 0, sizeof(host_e820));
    assert_int_equal(e820_set(&host_e820, 0, 0x9f000, E820_RAM), 0);
    assert_int_equal(e820_set(&host_e820, MIB(1), TOP - 0x20000, E820_RAM), 0);
    assert_int_equal(e820_set(&host_e820, TOP - 0x20000, TOP, E820_ACPI), 0);
    memset(&kept_memory, 0, sizeof(kept_memory));
    nr_kept_ports = 0;
    nr_mapped = nr = 0;
    map_rc = 0;
    memset(ports, 0, sizeof(ports));
    passthrough_init();
    return 0;
}

static bool touch(uint64_t at)
{
    return passthrough_fault(&dom, GADDR(at));
}

/* --- tests ----------------------------------------------------------------------------------- */

static void memory(void **state)
{
    /* A window of PCI: a block at once. Firmware's tables, in a block with RAM: a page. */
    assert_true(touch(0xe0212345));
    assert_int_equal(mapped[0].gfn, 0xe0200);
    assert_int_equal(mapped[0].frames, 512);
    assert_true(touch(TOP - 0x1fff8));
    assert_int_equal(mapped[1].gfn, (TOP - 0x20000) >> 12);
    assert_int_equal(mapped[1].frames, 1);
    assert_true(touch(0xa0000)); /* a PC's screen */
    assert_int_equal(mapped[2].frames, 1);
    assert_true(touch(0xe0212345)); /* another vCPU was faster */
    assert_int_equal(nr, 3);
    assert_true(touch(GIB(40)));
}

static void not_its_own(void **state)
{
    static const uint64_t refused[] = { 0,          0x5000,     MIB(1),     TOP - 0x20001,
                                        0xfee00000, 0xfeeff000, 0xfec00010, 1ull << 40 };

    for (uint32_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        assert_false(touch(refused[i]));
    passthrough_keep_memory(0xfed00100, 8);
    assert_false(touch(0xfed00000));
    assert_true(touch(0xfed01000));
    assert_int_equal(mapped[0].frames, 1); /* the block has what is kept */
    assert_int_equal(nr, 1);
    assert_false(passthrough_fault(&guest, GADDR(0xe0200000)));
}

/* Where a device is emulated nothing is mapped over it. */
static void emulated(void **state)
{
    assert_int_equal(mmio_add(&dom, GADDR(0xe0003000), 4096, (mmio_handler_fn *)1, NULL), 0);
    assert_false(touch(0xe0003800));
    assert_true(touch(0xe0004000));
    assert_int_equal(mapped[0].gfn, 0xe0004);
    assert_int_equal(mapped[0].frames, 1);
    mmio_destroy(&dom);
}

/* What tables take has an end, and what could not be mapped does not count. */
static void bounded(void **state)
{
    map_rc = -ENOMEM;
    assert_false(touch(0xe0200000));
    map_rc = 0;
    assert_int_equal(nr_mapped, 0);
    nr_mapped = MAPPED_MAX;
    assert_false(touch(0xe0200000));
    assert_int_equal(nr_mapped, MAPPED_MAX);
}

static void all_ports(void **state)
{
    passthrough_keep_ports(0x3f8, 0x3ff);
    assert_int_equal(passthrough_ports(&dom), 0);
    for (uint32_t port = 0; port < PIO_PORTS; port++) {
        bool kept = port - 0x20 < 2 || port - 0xa0 < 2 || port - 0x40 < 4 || port == 0x61 ||
                    port - 0x4d0 < 2 || port - 0xcf8 < 8 || port - 0x3f8 < 8;
        assert_int_equal(is_passed(port), !kept);
    }
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup(f, setup)
    const struct CMUnitTest tests[] = { TEST(memory), TEST(not_its_own), TEST(emulated),
                                        TEST(bounded), TEST(all_ports) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
