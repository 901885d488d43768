/* SPDX-License-Identifier: MIT */
/*
 * The hardware domain's IO-APICs, and messages of its devices: where the machine's interrupts go,
 * and when a level comes again. If these fail a disk or a network card goes silent, or the domain
 * reaches a line that Hospes drives.
 */
// sources: core/spinlock.c
#include "unit.h"

#include "counting_heap.h"

#include "../../hypervisor/arch/x86/include/asm/domain.h"
#include "../../hypervisor/arch/x86/include/asm/vcpu.h"

#include "../../hypervisor/arch/x86/vioapic.c"
#include "../../hypervisor/arch/x86/vmsi.c"

#include <asm/host.h>

#define FIRST  0xfec00000u
#define SECOND 0xfec10000u
#define PINS   24u
#define OURS   4u /* the serial port's */

static struct domain dom;
static struct vcpu vcpu;
static struct {
    mmio_handler_fn *handler;
    void *device;
} pages[2];
static int mmio_rc;

uint32_t nr_gsis = 2 * PINS;

/* --- the machine's lines ---------------------------------------------------------------------- */

static struct {
    bool open, low, level;
    uint32_t finished;
} line[2 * PINS];

int irq_can_give(uint32_t irq, const struct domain *d)
{
    assert_ptr_equal(d, &dom);
    return irq == OURS ? -EPERM : 0;
}

void irq_guest_enable(uint32_t irq, uint32_t pcpu)
{
    if (irq < 2 * PINS && irq != OURS)
        line[irq].open = true;
}

void irq_guest_disable(uint32_t irq)
{
    if (irq < 2 * PINS && irq != OURS)
        line[irq].open = false;
}

void irq_guest_trigger(uint32_t irq, enum irq_trigger trigger)
{
    if (irq != OURS)
        line[irq].level = trigger == IRQ_LEVEL;
}

void irq_set_polarity(uint32_t gsi, bool low)
{
    line[gsi].low = low;
}

void arch_irq_finish(uint32_t irq)
{
    line[irq].finished++;
}

static uint32_t msis_left, msis_freed;
static int give_rc;

int irq_msi_alloc(void)
{
    return msis_left ? (int)(nr_gsis + MSI_MAX - msis_left--) : -ENOSPC;
}

void irq_msi_free(uint32_t irq)
{
    msis_freed++;
}

bool irq_msi_message(uint32_t irq, uint64_t *address, uint32_t *data)
{
    *address = 0xfee01000;
    *data = 0x40 + irq - nr_gsis;
    return true;
}

int irq_give(uint32_t irq, enum irq_trigger trigger, struct domain *d, uint32_t virq)
{
    assert_int_equal(trigger, IRQ_EDGE);
    return give_rc;
}

/* --- the local APICs -------------------------------------------------------------------------- */

static struct vlapic_message sent;
static uint32_t nr_sent;
static bool nobody;

bool vlapic_deliver(struct domain *d, const struct vlapic_message *m)
{
    sent = *m;
    nr_sent++;
    return !nobody;
}

int mmio_add(struct domain *d, gaddr_t start, uint64_t bytes, mmio_handler_fn *handler,
             void *device)
{
    assert_int_equal(bytes, FRAME_SIZE);
    if (mmio_rc)
        return mmio_rc;
    pages[start.v == SECOND].handler = handler;
    pages[start.v == SECOND].device = device;
    return 0;
}

/* ---------------------------------------------------------------------------------------------- */

static int setup(void **state)
{
    host_pcpus_init(1);
    memset(&dom, 0, sizeof(dom));
    memset(line, 0, sizeof(line));
    vcpu.domain = &dom;
    nobody = false;
    nr_sent = 0;
    mmio_rc = give_rc = 0;
    msis_left = MSI_MAX;
    msis_freed = 0;
    heap_left = UINT64_MAX;
    assert_int_equal(vioapic_add(&dom, 1, FIRST, 0, PINS), 0);
    assert_int_equal(vioapic_add(&dom, 2, SECOND, PINS, PINS), 0);
    return 0;
}

static int teardown(void **state)
{
    vioapic_destroy(&dom);
    assert_int_equal(heap_used, 0);
    return 0;
}

static uint64_t access_at(uint32_t io, uint64_t offset, uint8_t size, bool write, uint64_t value)
{
    struct mmio_access a = { .offset = offset, .size = size, .write = write, .value = value };

    assert_int_equal(pages[io].handler(&vcpu, &a, pages[io].device), EXIT_HANDLED);
    return a.value;
}

static void set(uint32_t io, uint8_t reg, uint32_t value)
{
    access_at(io, 0, 4, true, reg);
    access_at(io, 0x10, 4, true, value);
}

static uint32_t get(uint32_t io, uint8_t reg)
{
    access_at(io, 0, 4, true, reg);
    return (uint32_t)access_at(io, 0x10, 4, false, 0);
}

static void set_entry(uint32_t gsi, uint64_t entry)
{
    uint8_t reg = (uint8_t)(0x10 + 2 * (gsi % PINS));

    set(gsi / PINS, reg + 1, (uint32_t)(entry >> 32));
    set(gsi / PINS, reg, (uint32_t)entry);
}

static uint64_t get_entry(uint32_t gsi)
{
    uint8_t reg = (uint8_t)(0x10 + 2 * (gsi % PINS));

    return get(gsi / PINS, reg) | (uint64_t)get(gsi / PINS, reg + 1) << 32;
}

#define LEVEL  0x8000ull
#define LOW    0x2000ull
#define REMOTE 0x4000ull
#define MASKED 0x10000ull

/* --- registers -------------------------------------------------------------------------------- */

static void test_registers(void **state)
{
    assert_int_equal(get(0, 0), 1u << 24);
    assert_int_equal(get(1, 0), 2u << 24);
    assert_int_equal(get(1, 2), 2u << 24);
    assert_int_equal(get(0, 1), 0x170020);
    set(0, 0, 0xffffffff);
    assert_int_equal(get(0, 0), 0xfu << 24);
    set(0, 1, 0);
    assert_int_equal(get(0, 1), 0x170020);
    for (uint32_t gsi = 0; gsi < 2 * PINS; gsi++)
        assert_int_equal(get_entry(gsi), MASKED);
    /* Beyond the pins, and below them. */
    assert_int_equal(get(0, 0x10 + 2 * PINS), UINT32_MAX);
    assert_int_equal(get(0, 0xff), UINT32_MAX);
    assert_int_equal(get(0, 3), UINT32_MAX);
    assert_int_equal(access_at(0, 0, 4, false, 0), 3);
}

/* Any access of any width at any offset, as a driver that went astray makes them. */
static void test_wild_accesses(void **state)
{
    unit_random_seed(7);
    for (uint32_t i = 0; i < 200000; i++)
        access_at(unit_random(2), unit_random(2) ? unit_random(64) & ~15u : unit_random(4096),
                  (uint8_t)(1u << unit_random(4)), unit_random(2), unit_random64());
    for (uint32_t gsi = 0; gsi < 2 * PINS; gsi++)
        vioapic_assert(&dom, gsi);
    assert_false(line[OURS].open || line[OURS].low || line[OURS].level);
}

/* A line of Hospes' own stays as it is, whatever the domain says of it. */
static void test_ours(void **state)
{
    set_entry(OURS, 0x30 | LEVEL | LOW);
    assert_int_equal(get_entry(OURS), 0x30 | LEVEL | LOW);
    assert_false(line[OURS].low || line[OURS].open);
}

/* --- lines ------------------------------------------------------------------------------------ */

static void test_edge(void **state)
{
    assert_false(vioapic_assert(&dom, 30));
    set_entry(30, 0x41 | 6ull << 56);
    assert_true(line[30].open && !line[30].level && !line[30].low);
    assert_true(vioapic_assert(&dom, 30));
    assert_true(vioapic_assert(&dom, 30));
    assert_int_equal(nr_sent, 2);
    assert_int_equal(sent.vector, 0x41);
    assert_int_equal(sent.dest, 6);
    assert_false(sent.level || sent.logical || sent.wide);
    vioapic_eoi(&dom, 0x41);
    assert_int_equal(line[30].finished, 0);
    set_entry(30, 0x41 | MASKED);
    assert_false(line[30].open);
    assert_false(vioapic_assert(&dom, 30));
    assert_false(vioapic_assert(&dom, 2 * PINS)); /* nobody's */
    assert_false(vioapic_assert(&dom, UINT32_MAX));
}

/* A level is masked in the machine until the guest has said EOI: then it is open again, once. */
static void test_level(void **state)
{
    set_entry(20, 0x51 | LEVEL | LOW | 0x800 | 1 << 8 | 3ull << 56);
    assert_true(line[20].open && line[20].level && line[20].low);
    assert_true(vioapic_assert(&dom, 20));
    assert_true(sent.level && sent.logical);
    assert_int_equal(sent.mode, APIC_LOWEST);
    assert_int_equal(get_entry(20) & REMOTE, REMOTE);
    assert_true(vioapic_assert(&dom, 20));
    assert_int_equal(nr_sent, 1);
    vioapic_eoi(&dom, 0x52);
    assert_int_equal(line[20].finished, 0);
    vioapic_eoi(&dom, 0x51);
    assert_int_equal(line[20].finished, 1);
    assert_int_equal(get_entry(20) & REMOTE, 0);
    vioapic_eoi(&dom, 0x51);
    assert_int_equal(line[20].finished, 1);
    /* By its own register, as clearing what hangs does. */
    vioapic_assert(&dom, 20);
    access_at(0, 0x40, 4, true, 0x51);
    assert_int_equal(line[20].finished, 2);
}

/* Lines that share a vector all end by its EOI. */
static void test_shared_vector(void **state)
{
    for (uint32_t gsi = 16; gsi < 2 * PINS; gsi++) {
        set_entry(gsi, 0x61 | LEVEL);
        vioapic_assert(&dom, gsi);
    }
    vioapic_eoi(&dom, 0x61);
    for (uint32_t gsi = 16; gsi < 2 * PINS; gsi++)
        assert_int_equal(line[gsi].finished, 1);
}

/* The status is not the guest's to write; a line that becomes an edge has nothing to end. */
static void test_status(void **state)
{
    set_entry(3, 0x71 | LEVEL | REMOTE | 0x1000);
    assert_int_equal(get_entry(3), 0x71 | LEVEL);
    vioapic_assert(&dom, 3);
    set_entry(3, 0x71 | LEVEL | MASKED);
    assert_int_equal(get_entry(3), 0x71 | LEVEL | MASKED | REMOTE);
    set_entry(3, 0x71);
    assert_int_equal(get_entry(3), 0x71);
}

/* What is for nobody is not being served: it is not waited for. */
static void test_nobody(void **state)
{
    nobody = true;
    set_entry(3, 0x71 | LEVEL);
    assert_false(vioapic_assert(&dom, 3));
    assert_int_equal(get_entry(3) & REMOTE, 0);
}

static void test_life(void **state)
{
    assert_int_equal(vioapic_add(&dom, 3, FIRST, 2 * PINS, 0), -ENOSPC);
    assert_int_equal(vioapic_add(&dom, 3, FIRST, 2 * PINS, MAX_PINS + 1), -ENOSPC);
    heap_left = 0;
    assert_int_equal(vioapic_add(&dom, 3, FIRST, 2 * PINS, 1), -ENOMEM);
    heap_left = UINT64_MAX;
    mmio_rc = -EEXIST;
    assert_int_equal(vioapic_add(&dom, 3, FIRST, 2 * PINS, 1), -EEXIST);
    mmio_rc = 0;
    for (uint32_t i = 2; i < VIOAPIC_MAX; i++)
        assert_int_equal(vioapic_add(&dom, i, FIRST, i * PINS, 1), 0);
    assert_int_equal(vioapic_add(&dom, 16, FIRST, 16 * PINS, 1), -ENOSPC);
}

/* --- messages --------------------------------------------------------------------------------- */

/* A device gets our message; what comes by it goes where the guest's says. */
static void test_message(void **state)
{
    struct vmsi m = { 0 };
    uint64_t address;
    uint32_t data;

    assert_int_equal(vmsi_set(&dom, &m, 0xfee0a004, 0x4131, &address, &data), 0);
    assert_int_equal(address, 0xfee01000);
    assert_int_equal(data, 0x40);
    arch_irq_inject(&dom, m.irq, m.irq);
    assert_int_equal(sent.dest, 10);
    assert_int_equal(sent.vector, 0x31);
    assert_int_equal(sent.mode, 1);
    assert_true(sent.logical);
    assert_false(sent.level);
    /* Somewhere else now, by the same interrupt. */
    assert_int_equal(vmsi_set(&dom, &m, 0xfeeff000, 0x32, &address, &data), 0);
    assert_int_equal(data, 0x40);
    arch_irq_inject(&dom, m.irq, m.irq);
    assert_int_equal(sent.dest, 255);
    assert_int_equal(sent.vector, 0x32);
    assert_false(sent.logical);
}

/* An address that is none of interrupts is not taken for one. */
static void test_wild_message(void **state)
{
    struct vmsi m = { 0 };
    uint64_t address;
    uint32_t data;

    assert_int_equal(vmsi_set(&dom, &m, 0x1fee00000, 0x31, &address, &data), -EINVAL);
    assert_int_equal(vmsi_set(&dom, &m, 0xfed00000, 0x31, &address, &data), -EINVAL);
    assert_int_equal(vmsi_set(&dom, &m, 0, 0, &address, &data), -EINVAL);
    assert_int_equal(vmsi_set(&dom, &m, UINT64_MAX, UINT32_MAX, &address, &data), -EINVAL);
    assert_int_equal(msis_left, MSI_MAX - 1); /* one, and not one for each try */
    vmsi_disable(&m);
}

static void test_no_message_left(void **state)
{
    struct vmsi m = { 0 };
    uint64_t address;
    uint32_t data;

    msis_left = 0;
    assert_int_equal(vmsi_set(&dom, &m, 0xfee00000, 0x31, &address, &data), -ENOSPC);
    vmsi_disable(&m);
    msis_left = 1;
    give_rc = -EBUSY;
    assert_int_equal(vmsi_set(&dom, &m, 0xfee00000, 0x31, &address, &data), -EBUSY);
    assert_int_equal(msis_freed, 1);
    assert_int_equal(m.irq, 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_registers), TEST(test_wild_accesses), TEST(test_ours),
        TEST(test_edge),      TEST(test_level),         TEST(test_shared_vector),
        TEST(test_status),    TEST(test_nobody),        TEST(test_life),
        TEST(test_message),   TEST(test_wild_message),  TEST(test_no_message_left),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
